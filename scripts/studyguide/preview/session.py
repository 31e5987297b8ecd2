"""One preview: build, serve, watch, rebuild."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studyguide.preview.builder import Builder
from studyguide.preview.server import Audience, application
from studyguide.problem import ProblemError

WATCHED = ("chapters", "outputs", "labs/results", "_config.yml", "scripts/studyguide/site")


async def preview(book: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve the book on 127.0.0.1 until cancelled, rebuilding at every change.

    `port`: 0 takes a free one. `say` gets one line of text per event. Raises `ProblemError` (`port-taken`).
    """
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    from watchfiles import awatch

    audience = Audience()
    try:
        sockets = bind_sockets(port, "127.0.0.1")
    except OSError:
        raise ProblemError.at("serve", 1, "port-taken", f"port {port} is in use; name another with --port") from None
    server = HTTPServer(application(book / "_build" / "html", audience))
    server.add_sockets(sockets)
    builder = Builder(book)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1) as pool:

        async def rebuild() -> None:
            started = time.perf_counter()
            ok, text = await loop.run_in_executor(pool, builder.build)
            audience.tell(ok, text)
            seconds = time.perf_counter() - started
            say(f"{'built' if ok else 'NOT built'} in {seconds:.1f} s" + (f"\n{text}" if text else ""))

        try:
            say("building")
            await rebuild()
            say(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/ (Ctrl+C ends)")
            present = [book / name for name in WATCHED if (book / name).exists()]
            async for _ in awatch(*present, debounce=100, step=25):
                await rebuild()
        finally:
            builder.close()
            server.stop()

"""The preview's web server: the built pages, and a stream of events that reloads them."""

import asyncio
import json
from pathlib import Path

from tornado import web

SCRIPT = """\
(() => {
  const events = new EventSource("/_live/events");
  const box = document.createElement("pre");
  box.className = "live-problems";
  box.setAttribute("role", "alert");
  events.onmessage = (event) => {
    const said = JSON.parse(event.data);
    if (said.ok) { location.reload(); return; }
    box.textContent = said.text;
    document.body.prepend(box);
  };
})();
"""
STYLE = """\
.live-problems { position: sticky; top: 0; z-index: 99; margin: 0; padding: 1rem; white-space: pre-wrap;
  background: #7a1f1f; color: #fff; font: 14px/1.5 ui-monospace, monospace; }
"""


class Audience:
    """The open pages that wait for news."""

    def __init__(self):
        self._queues: set[asyncio.Queue] = set()
        self.last = ""
        """The problems of the last build, told to a page that opens after it; empty if there were none."""

    def tell(self, ok: bool, text: str) -> None:
        """Send the result of a build to every open page."""
        self.last = "" if ok else text
        for queue in self._queues:
            queue.put_nowait(json.dumps({"ok": ok, "text": text}))

    async def listen(self):
        """The messages for one page, for as long as it is open."""
        queue: asyncio.Queue = asyncio.Queue()
        self._queues.add(queue)
        try:
            if self.last:
                yield json.dumps({"ok": False, "text": self.last})
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


class Events(web.RequestHandler):
    """Server-sent events of the builds."""

    def initialize(self, audience: Audience) -> None:
        self.audience = audience

    async def get(self) -> None:
        """Stream until the page goes."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        await self.flush()
        self._listening = asyncio.current_task()
        try:
            async for message in self.audience.listen():
                self.write(f"data: {message}\n\n")
                await self.flush()
        except asyncio.CancelledError:
            pass

    def on_connection_close(self) -> None:
        """Stop waiting for news that nobody reads."""
        self._listening.cancel()


class Text(web.RequestHandler):
    """A fixed text: the script and the style of the preview."""

    def initialize(self, text: str, kind: str) -> None:
        self.text, self.kind = text, kind

    def get(self) -> None:
        """The text."""
        self.set_header("Content-Type", self.kind)
        self.finish(self.text)


class Page(web.StaticFileHandler):
    """A file of the built book; a page gets the preview's script and style in its head."""

    def set_extra_headers(self, path: str) -> None:
        """Pages change under the reader: never keep them."""
        self.set_header("Cache-Control", "no-store")

    def compute_etag(self) -> None:
        """None: the file on disk may be new at any time."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """A page with the live script, or the file as it is."""
        file = Path(self.root) / (path or "index.html")
        inside = file.resolve().is_relative_to(Path(self.root).resolve())
        if inside and file.suffix == ".html" and file.is_file():
            head = (
                '<link rel="stylesheet" href="/_live/style.css"><script defer src="/_live/script.js"></script></head>'
            )
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.set_extra_headers(path)
            self.finish(file.read_text(encoding="utf-8").replace("</head>", head, 1))
        else:
            await super().get(path, include_body)


def application(pages: Path, audience: Audience) -> web.Application:
    """The server's routes. `pages`: folder of the built HTML."""
    return web.Application(
        [
            ("/_live/events", Events, {"audience": audience}),
            ("/_live/script.js", Text, {"text": SCRIPT, "kind": "text/javascript; charset=utf-8"}),
            ("/_live/style.css", Text, {"text": STYLE, "kind": "text/css; charset=utf-8"}),
            ("/(.*)", Page, {"path": str(pages), "default_filename": "index.html"}),
        ]
    )

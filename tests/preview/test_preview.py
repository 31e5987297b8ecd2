"""The live preview, run as an author runs it: a page, an edit, a mistake, its repair."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = "/chapters/first/pear.html"


class Preview:
    """A running `serve.py`: what it prints, what its pages are told."""

    def __init__(self, book: Path):
        self.log = book.parent / "serve.log"
        with self.log.open("w") as log:
            command = [sys.executable, ROOT / "scripts/serve.py", "--port", "0", "--book", book]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
        while not (found := re.search(r"^http://([\d.:]+)/", self.log.read_text(), re.M)):
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        self.host = found[1]
        self.events: Queue = Queue()
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=120)) as connection:
            connection.request("GET", "/_live/events")
            with connection.getresponse() as response, contextlib.suppress(http.client.IncompleteRead, OSError):
                for line in response:
                    if line.startswith(b"data: "):
                        self.events.put(json.loads(line[6:]))

    def close(self) -> None:
        """End the preview as Ctrl+C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.listener.join(timeout=20)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.status, response.read().decode("utf-8", "replace")

    def next(self) -> dict:
        """The next message to open pages."""
        return self.events.get(timeout=60)


@pytest.fixture
def preview(mini: Path) -> Iterator[Preview]:
    """A preview of the small book; ended with the test."""
    running = Preview(mini)
    yield running
    running.close()


def test_edit_mistake_repair(preview: Preview, mini: Path):
    """An edit reaches the page; a mistake is told in one line and the old page stays; the repair brings it back."""
    status, text = preview.get(PAGE)
    assert status == 200
    assert '<script defer src="/_live/script.js">' in text
    path = mini / "chapters/first/pear.md"
    original = path.read_text(encoding="utf-8")

    path.write_text(original.replace("再切开", "再切成四块"), encoding="utf-8")
    assert preview.next()["ok"]
    assert "再切成四块" in preview.get(PAGE)[1]

    path.write_text(original + "\n# 一级标题\n", encoding="utf-8")
    told = preview.next()
    assert not told["ok"]
    assert "pear.md:" in told["text"]
    assert "heading-1" in told["text"]
    assert "再切成四块" in preview.get(PAGE)[1]

    path.write_text(original, encoding="utf-8")
    assert preview.next()["ok"]
    assert "再切开" in preview.get(PAGE)[1]


def test_nothing_outside_the_book(preview: Preview):
    """A path that climbs out of the built pages is refused."""
    assert preview.get("/../../_config.yml")[0] in (403, 404)
    assert preview.get("/%2e%2e/%2e%2e/_config.yml")[0] in (403, 404)

"""Fetching a page: limits, and no private address. No test opens a connection."""

import httpx
import pytest

from studyguide.articles import fetch as module
from studyguide.articles.fetch import fetch
from studyguide.problem import ProblemError

PUBLIC = "93.184.215.14"


def get(answer, url: str = "https://example.org/post", addresses: dict[str, list[str]] | None = None):
    """What `fetch` makes of a server that answers with `answer` (a response, or a function of the request)."""
    handler = answer if callable(answer) else lambda request: answer
    known = {"example.org": [PUBLIC]} | (addresses or {})
    return fetch(url, resolve=lambda host, port: known.get(host, []), transport=httpx.MockTransport(handler))


def code_of(*arguments, **named) -> str:
    with pytest.raises(ProblemError) as caught:
        get(*arguments, **named)
    [problem] = caught.value.problems
    return problem.code


def test_the_checked_address_is_asked_under_the_host_s_name():
    """A second look-up could lead elsewhere."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx.Response(200, html="<p>x")

    page = get(handler)
    assert seen == [(PUBLIC, "example.org", "example.org")]
    assert (page.data, page.charset, page.url) == (b"<p>x", "utf-8", "https://example.org/post")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
    ],
)
def test_a_private_address_is_never_asked(address):
    asked = []
    assert code_of(asked.append, addresses={"example.org": [PUBLIC, address]}) == "private-address"
    assert not asked


def test_a_redirect_may_not_lead_inside():
    answer = httpx.Response(302, headers={"location": "http://intranet/secret"})
    assert code_of(answer, addresses={"intranet": ["10.0.0.1"]}) == "private-address"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x", "http://"])
def test_a_redirect_may_not_leave_http(target):
    assert code_of(httpx.Response(302, headers={"location": target})) == "no-answer"


def test_redirects_end():
    assert code_of(httpx.Response(302, headers={"location": "/again"})) == "too-many-redirects"


def test_a_relative_redirect_is_followed():
    def handler(request: httpx.Request) -> httpx.Response:
        moved = httpx.Response(301, headers={"location": "/new"})
        return httpx.Response(200, text="文") if request.url.path == "/new" else moved

    assert get(handler).url == "https://example.org/new"


def test_size_is_limited_while_reading(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    assert code_of(httpx.Response(200, html="x" * 1001)) == "too-large"


def test_time_is_limited_over_all(monkeypatch):
    monkeypatch.setattr(module, "SECONDS", -1)
    assert code_of(httpx.Response(200, html="x")) == "too-slow"


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "video/mp4"])
def test_other_types_are_refused(kind):
    assert code_of(httpx.Response(200, content=b"x", headers={"content-type": kind})) == "wrong-type"


def test_an_error_of_the_server_is_named():
    with pytest.raises(ProblemError, match=r"^https://example\.org/post:1: http-status the server says 404"):
        get(httpx.Response(404))


def test_no_host_and_no_answer():
    def fails(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("slow")

    assert code_of(fails) == "no-answer"
    assert code_of(httpx.Response(200), url="https://nowhere.example/") == "no-answer"

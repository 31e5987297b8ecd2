"""Fetching one page over HTTP, with limits, and never from a private address."""

import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from studyguide.problem import ProblemError

if TYPE_CHECKING:
    import httpx

SECONDS = 30
MAX_BYTES = 20_000_000
REDIRECTS = 5
TYPES = (
    "text/",
    "application/xhtml+xml",
    "application/json",
    "application/x-ipynb+json",
    "application/octet-stream",
)
"""What a page, a post or a notebook may come as; their content is judged again when they are read."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a server answered."""

    data: bytes
    charset: str
    """The encoding that the server names, or nothing."""
    url: str
    """The address after redirects."""


def fetch(
    url: str,
    *,
    resolve: Callable[[str, int], list[str]] | None = None,
    transport: "httpx.BaseTransport | None" = None,
) -> Page:
    """The page at an http(s) address.

    Parameters: `resolve` gives the addresses of a host and port, `transport` carries the requests; both are there for
    tests. Proxies of the environment are not used: behind one, nobody could tell which address is asked.

    Raises `ProblemError`: `no-answer`, `private-address`, `too-many-redirects`, `http-status`, `wrong-type`,
    `too-large`, `too-slow`.
    """
    import httpx

    deadline = time.monotonic() + SECONDS
    address = url
    with httpx.Client(transport=transport, trust_env=False, timeout=10) as client:
        for _ in range(REDIRECTS + 1):
            request = _request(client, address, url, resolve or _resolve)
            try:
                answer = client.send(request, stream=True)
                try:
                    if answer.is_redirect:
                        address = urljoin(address, answer.headers["location"])
                        continue
                    return _read(answer, address, url, deadline)
                finally:
                    answer.close()
            except httpx.HTTPError as error:
                reason = f"the server does not answer ({type(error).__name__})"
                raise _problem(url, "no-answer", f"{reason}; check the address, or save the page and give it") from None
    raise _problem(url, "too-many-redirects", f"more than {REDIRECTS} redirects; give the final address")


def _request(
    client: "httpx.Client", address: str, url: str, resolve: Callable[[str, int], list[str]]
) -> "httpx.Request":
    """A request to the address that was checked, so that a second look-up cannot lead elsewhere."""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _problem(url, "no-answer", "this is no web address; check it") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _problem(url, "no-answer", f"{address} is no http(s) address; save the page and give the file")
    found = resolve(parts.hostname, port)
    if not found:
        raise _problem(url, "no-answer", f"there is no host {parts.hostname}; check the address")
    if not all(_is_public(ip) for ip in found):
        message = f"{parts.hostname} is inside a private network, which is never asked; save the page and give the file"
        raise _problem(url, "private-address", message)
    ip = f"[{found[0]}]" if ":" in found[0] else found[0]
    target = parts._replace(netloc=f"{ip}:{port}", fragment="").geturl()
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{port}"
    return client.build_request(
        "GET",
        target,
        headers={"host": host, "user-agent": "studyguide", "accept": "text/html, text/*;q=0.9, */*;q=0.1"},
        extensions={"sni_hostname": parts.hostname},
    )


def _resolve(host: str, port: int) -> list[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def _read(answer: "httpx.Response", address: str, url: str, deadline: float) -> Page:
    if answer.status_code != 200:
        raise _problem(url, "http-status", f"the server says {answer.status_code}; check the address in a browser")
    kind = answer.headers.get("content-type", "text/html").lower()
    if not kind.startswith(TYPES):
        raise _problem(url, "wrong-type", f"this is {kind.partition(';')[0]}, no page; give the address of an article")
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise _problem(url, "too-large", f"more than {MAX_BYTES // 1_000_000} MB; save the page and give the file")
        if time.monotonic() > deadline:
            raise _problem(url, "too-slow", f"more than {SECONDS} seconds; save the page and give the file")
    return Page(bytes(data), answer.charset_encoding or "", address)


def _problem(url: str, code: str, message: str) -> ProblemError:
    return ProblemError.at(url, 1, code, message)

"""Responses of the common kinds: JSON, a link, a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, Self

from falcon.asgi import Request, Response

from rave_http.protocol.headers import NO_STORE
from rave_http.protocol.json_texts import to_json

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
TEXT: Final = "text/plain"
HTML: Final = "text/html; charset=utf-8"
URI_LIST: Final = "text/uri-list"
_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'self' 'nonce-{0}'; img-src 'self' data:{1}; "
    "connect-src 'self'; frame-src 'self'{1}; form-action 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Never ``script-src 'self'``: products of any type have addresses of this service, too."""


class Page(bytes):
    """A page in UTF-8.

    Attributes:
        nonce: of its own styles and scripts: whatever else is in it, a browser ignores.
    """

    nonce: str

    def __new__(cls, content: bytes, nonce: str) -> Self:
        """A page of these bytes."""
        made = super().__new__(cls, content)
        made.nonce = nonce
        return made


def send_events_head(resp: Response) -> None:
    """Answers HEAD where GET would stream events: by the headers alone, without a length."""
    resp.content_type = EVENTS
    resp.stream = _nothing()  # else Falcon says that the length is 0


async def _nothing() -> AsyncIterator[bytes]:
    """No parts; nobody asks for them."""
    for part in list[bytes]():
        yield part


def send_json(resp: Response, document: Any, *, status: str = "200 OK", media_type: str = JSON) -> None:
    """A document as JSON, which no cache may keep."""
    resp.status = status
    resp.content_type = media_type
    resp.data = to_json(document)
    resp.set_header("Cache-Control", NO_STORE)


def send_link(resp: Response, url: str) -> None:
    """A bare URL, for scripts."""
    resp.content_type = URI_LIST
    resp.data = f"{url}\r\n".encode()
    resp.set_header("Cache-Control", NO_STORE)


def send_page(resp: Response, page: Page, *, status: str = "200 OK", origin: str = "") -> None:
    """A page of the service, which may load nothing from elsewhere.

    Args:
        resp: the response.
        page: the page.
        status: its status.
        origin: where else pictures and frames of this page come from, such as ``https://bucket.example.org``; empty for
            nowhere.
    """
    resp.status = status
    resp.content_type = HTML
    resp.data = page
    resp.set_header("Cache-Control", NO_STORE)
    resp.set_header("Content-Security-Policy", _POLICY.format(page.nonce, f" {origin}" if origin else ""))
    resp.set_header("X-Content-Type-Options", "nosniff")


def prefers(req: Request, *offered: str) -> str:
    """The offered media type that a client prefers; the first if it accepts none of them."""
    accept = req.get_header("Accept")
    if accept is None or accept == "*/*":
        return offered[0]
    return req.client_prefers(offered) or offered[0]

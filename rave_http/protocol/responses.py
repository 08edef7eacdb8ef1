"""Responses of the common kinds: JSON, a link, a page."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from falcon.asgi import Request, Response

from rave_http.protocol.headers import NO_STORE

JSON: Final = "application/json"
TEXT: Final = "text/plain"
HTML: Final = "text/html; charset=utf-8"
URI_LIST: Final = "text/uri-list"
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def send_json(resp: Response, document: Any, *, status: str = "200 OK", media_type: str = JSON) -> None:
    """A document as JSON, which no cache may keep."""
    resp.status = status
    resp.content_type = media_type
    resp.data = msgspec.json.encode(document)
    resp.set_header("Cache-Control", NO_STORE)


def send_link(resp: Response, url: str) -> None:
    """A bare URL, for scripts."""
    resp.content_type = URI_LIST
    resp.data = f"{url}\r\n".encode()
    resp.set_header("Cache-Control", NO_STORE)


def send_page(resp: Response, page: bytes, *, status: str = "200 OK", nonce: str = "") -> None:
    """A page of the service, which may load nothing from elsewhere."""
    resp.status = status
    resp.content_type = HTML
    resp.data = page
    resp.set_header("Cache-Control", NO_STORE)
    script = f"; script-src 'nonce-{nonce}'" if nonce else ""
    resp.set_header("Content-Security-Policy", f"{_POLICY}{script}")
    resp.set_header("X-Content-Type-Options", "nosniff")


def prefers(req: Request, *offered: str) -> str:
    """The offered media type that a client prefers; the first if it accepts none of them."""
    accept = req.get_header("Accept")
    if accept is None or accept == "*/*":
        return offered[0]
    return req.client_prefers(offered) or offered[0]

"""Conditions of requests: whether the client has already what it asks for."""

from __future__ import annotations

from typing import Final

from falcon import ETag, HTTPInvalidHeader
from falcon.asgi import Request

_SAFE: Final = ("GET", "HEAD", "QUERY")


def is_unchanged(req: Request, etag: str, created_at: float | None = None) -> bool:
    """Whether the client has this representation, so that 304 answers it. Only a safe request is answered like that.

    ``If-None-Match`` counts; only without it ``If-Modified-Since`` does (RFC 9110, 13.2.2).

    Args:
        req: the request.
        etag: the strong validator of the representation, in quotes.
        created_at: Unix seconds at which it was made; ``None`` where that is not known.
    """
    if req.method not in _SAFE:
        return False
    tags = req.if_none_match
    if tags is not None:
        opaque = etag.strip('"')
        # A bare * stands for every tag; Falcon makes an ETag of a quoted one, which is a tag like any other.
        return any(not isinstance(tag, ETag) or tag == opaque for tag in tags)
    return created_at is not None and _is_since(req, created_at)


def _is_since(req: Request, created_at: float) -> bool:
    try:
        since = req.get_header_as_datetime("If-Modified-Since", obs_date=True)
    except HTTPInvalidHeader:
        return False  # what is no date is ignored (RFC 9110, 13.1.3); `Request.if_modified_since` would make it a 400
    return since is not None and int(created_at) <= since.timestamp()

"""Conditions of requests: whether the client already has the current version, or asks for another one."""

from __future__ import annotations

from typing import Final

from falcon import ETag, HTTPInvalidHeader
from falcon.asgi import Request

_SAFE: Final = ("GET", "HEAD", "QUERY")


def is_unchanged(req: Request, etag: str, created_at: float | None = None) -> bool:
    """Whether the client has this representation, so that the answer is 304. Only safe requests get that answer.

    ``If-None-Match`` counts; only without it ``If-Modified-Since`` does (RFC 9110, 13.2.2).

    Args:
        req: the request.
        etag: the strong validator of the representation, in quotes.
        created_at: Unix seconds at which it was made; ``None`` if unknown.
    """
    if req.method not in _SAFE:
        return False
    tags = req.if_none_match
    if tags is not None:
        opaque = etag.strip('"')
        # A bare * stands for every tag; Falcon makes an ETag of a quoted one, which is a tag like any other.
        return any(not isinstance(tag, ETag) or tag == opaque for tag in tags)
    return created_at is not None and _is_since(req, created_at)


def is_another(req: Request, etag: str, created_at: float | None = None) -> bool:
    """Whether the client asks for another version than this representation, so that the answer is 412.

    ``If-Match`` counts, by strong comparison; only without it ``If-Unmodified-Since`` does (RFC 9110, 13.2.2). A date
    that can't be read is ignored.

    Args:
        req: the request.
        etag: the strong validator of the representation, in quotes.
        created_at: Unix seconds at which it was made; ``None`` if unknown, and a date is ignored.
    """
    tags = req.if_match
    if tags is None:
        return created_at is not None and not _is_since(req, created_at, "If-Unmodified-Since", otherwise=True)
    opaque = etag.strip('"')
    return not any(not isinstance(tag, ETag) or (tag == opaque and not tag.is_weak) for tag in tags)


def _is_since(req: Request, created_at: float, header: str = "If-Modified-Since", *, otherwise: bool = False) -> bool:
    """Whether the date in a header is not before that of the representation; ``otherwise`` if it can't be read."""
    try:
        since = req.get_header_as_datetime(header, obs_date=True)
    except HTTPInvalidHeader:
        since = None  # an invalid date is ignored (RFC 9110, 13.1.3); `Request.if_modified_since` would make it a 400
    return otherwise if since is None else int(created_at) <= since.timestamp()

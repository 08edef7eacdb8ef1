"""Conditions of requests: whether the client already has the current version, or asks for another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from falcon import ETag, HTTPInvalidHeader
from falcon.asgi import Request

from rave_http.protocol.problems import Problem

_SAFE: Final = ("GET", "HEAD", "QUERY")
_HEADERS: Final = ("If-Match", "If-None-Match", "If-Unmodified-Since")


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
        return _names(tags, (etag,))
    return created_at is not None and _is_since(req, created_at)


def is_another(req: Request, etags: Collection[str] | None, created_at: float | None = None) -> bool:
    """Whether the request is for another version than the current one, so that the answer is 412.

    ``If-Match`` counts, by strong comparison; only without it ``If-Unmodified-Since`` does. ``If-None-Match`` counts
    for all requests but safe ones, whose answer is then 304 (RFC 9110, 13.2.2). A date that can't be read is ignored.

    Args:
        req: the request.
        etags: the strong validators of the current representations, in quotes, none if they have none; ``None`` if
            there is no current representation.
        created_at: Unix seconds at which it was made; ``None`` if unknown, and a date is ignored.
    """
    tags = req.if_match
    if tags is None:
        if created_at is not None and not _is_since(req, created_at, "If-Unmodified-Since", otherwise=True):
            return True
    elif etags is None or not _names(tags, etags, is_strong=True):
        return True
    others = None if req.method in _SAFE else req.if_none_match
    return others is not None and etags is not None and _names(others, etags)


def is_conditional(req: Request) -> bool:
    """Whether a request that changes something has a condition. If not, there is no need to look what is current."""
    return any(req.get_header(name) is not None for name in _HEADERS)


def check_write(req: Request, etags: Collection[str] | None = None, created_at: float | None = None) -> None:
    """Returns if a request may change what it is for. The arguments are those of `is_another`.

    Call it last, just before the change: a condition only counts if the request would succeed without it (RFC 9110,
    13.2.1).

    Raises:
        Problem: ``precondition-failed``.
    """
    if is_conditional(req) and is_another(req, etags, created_at):
        raise Problem("precondition-failed", "What you want to change is another version than your condition allows")


def _names(tags: Iterable[str | ETag], etags: Collection[str], *, is_strong: bool = False) -> bool:
    """Whether the tags of a header name one of the validators, or all with ``*``."""
    opaque = {each.strip('"') for each in etags}
    # A bare * stands for every tag; Falcon makes an ETag of a quoted one, which is a tag like any other.
    return any(not isinstance(tag, ETag) or (tag in opaque and not (is_strong and tag.is_weak)) for tag in tags)


def _is_since(req: Request, created_at: float, header: str = "If-Modified-Since", *, otherwise: bool = False) -> bool:
    """Whether the date in a header is not before that of the representation; ``otherwise`` if it can't be read."""
    try:
        since = req.get_header_as_datetime(header, obs_date=True)
    except HTTPInvalidHeader:
        since = None  # an invalid date is ignored (RFC 9110, 13.1.3); `Request.if_modified_since` would make it a 400
    return otherwise if since is None else int(created_at) <= since.timestamp()

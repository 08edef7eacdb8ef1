"""The forms of a request's target: a path, as in nearly all requests, a whole URL, or an asterisk (RFC 9112, 3.2)."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from rave_http.protocol.problems import Problem

METHODS: Final = "GET, HEAD, POST, QUERY, PUT, PATCH, DELETE, OPTIONS"
"""What one path or another takes."""
_ABSOLUTE: Final = re.compile(rb"https?://([^/@]*)(/.*)?", re.IGNORECASE | re.DOTALL)


def take_path(scope: MutableMapping[str, Any]) -> None:
    """Makes the target of a request a path. If it is a URL, its host replaces that of the header, as RFC 9112 demands.

    Raises:
        Problem: it is neither a path nor a URL of a service.
    """
    if scope["method"] == "CONNECT":
        raise Problem("method-not-allowed", "This service is no proxy", headers={"Allow": METHODS})
    found = _ABSOLUTE.fullmatch(scope["raw_path"])
    if found is None:
        raise Problem("bad-request", "The target of the request is neither a path nor a URL of this service")
    path = found[2] or b"/"
    scope["raw_path"], scope["path"] = path, unquote_to_bytes(path).decode("utf-8", "replace")
    scope["headers"] = [(name, found[1] if name == b"host" else value) for name, value in scope["headers"]]


def check_coding(coding: bytes) -> None:
    """Returns if a body comes in a transfer coding that is understood: ``chunked`` alone.

    Raises:
        Problem: 501, as RFC 9112, 6.1 demands: the body would be taken for something else.
    """
    if coding.strip().lower() != b"chunked":
        detail = "The only transfer coding that this service understands is 'chunked'"
        raise Problem("bad-request", detail, status=501, headers={"Connection": "close"})

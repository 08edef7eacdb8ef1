"""Answers about commits, in Rainer's form."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.documents import Conflict
from rave_http.hookspecs import ResourceContext
from rave_journal.commits import Commit, encoded
from rave_journal.headers import headers_of

TEXT: Final = "text/plain; charset=UTF-8"
BYTES: Final = "application/octet-stream"
PROBLEM: Final = "application/problem+json"
_FRESH: Final = "private, no-cache"
"""Others may keep an answer, and have to ask each time whether it is still right."""


def send_payload(req: Request, resp: Response, commit: Commit) -> None:
    """The payload of a commit, byte for byte; 304 where the client has it already."""
    resp.set_headers([*headers_of(commit), ("ETag", etag_of(commit)), ("Cache-Control", _FRESH)])
    resp.set_header("X-Content-Type-Options", "nosniff")
    if _is_known(req, commit):
        resp.status = "304 Not Modified"
        return
    payload = commit.payload or b""
    resp.content_type = TEXT if is_text(payload) else BYTES
    resp.data = payload


def send_document(resp: Response, document: Any, *, status: str = "200 OK") -> None:
    """A document as JSON that ends a line, which no cache may keep."""
    resp.status = status
    resp.content_type = "application/json"
    resp.data = encoded(document)
    resp.set_header("Cache-Control", "no-store")


def send_conflict(context: ResourceContext, req: Request, resp: Response, conflict: Conflict, *, status: str) -> None:
    """A commit that was refused since its version is not the next one.

    Raises:
        Problem: the same, for a client that asks for problems.
    """
    known = {
        "key": conflict.key,
        "expectedVersion": conflict.expected + 1,
        "providedVersion": conflict.provided + 1,
    }
    if context.prefers(req, "application/json", PROBLEM) == PROBLEM:
        raise context.Problem("document-conflict", str(conflict), conflict=known)
    send_document(resp, {"conflict": known}, status=status)


def etag_of(commit: Commit) -> str:
    """The entity tag of a commit: its version."""
    return f'"{commit.version}"'


def is_text(payload: bytes) -> bool:
    """Whether a payload is UTF-8."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def listed(commit: Commit, *, utf8: bool, base64: bool) -> dict[str, Any]:
    """A commit in a list, with its payload in the forms that are asked for; UTF-8 is left out where it is none."""
    found, payload = commit.document(), commit.payload or b""
    if utf8 and is_text(payload):
        found["payload_utf8"] = payload.decode()
    if base64:
        found["payload_base64"] = b64encode(payload).decode()
    return found


def _is_known(req: Request, commit: Commit) -> bool:
    given = req.get_header("If-None-Match")
    if given is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or etag_of(commit) in tags

"""Delivery: a representation as a response: validators, one range, and files that the server in front may send."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from typing import BinaryIO, Final, Self
from urllib.parse import quote

from falcon.asgi import Request, Response

from rave_core.errors import DamagedError
from rave_http.protocol.conditions import is_another, is_unchanged
from rave_http.protocol.headers import NO_STORE, http_date
from rave_http.protocol.problems import Problem
from rave_http.representation.representations import Representation

_CHUNK: Final = 256 << 10
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sendfile:
    """Who sends the bytes of files: the service, nginx (``x-accel``), or Apache's mod_xsendfile (``x-sendfile``).

    Attributes:
        method: ``off``, ``x-accel`` or ``x-sendfile``.
        prefix: of nginx's internal location.
        root: the directory that this location stands for; the service itself sends files elsewhere.
    """

    method: str = "off"
    prefix: str = ""
    root: str = ""

    def header(self, path: str) -> tuple[str, str] | None:
        """The header that makes the server in front send the file at ``path``; ``None`` if the service sends it."""
        if self.method == "x-sendfile":
            return "X-Sendfile", path
        inside = os.path.relpath(path, self.root) if self.method == "x-accel" and self.root else ".."
        return None if inside.startswith("..") else ("X-Accel-Redirect", f"{self.prefix}{quote(inside)}")


async def deliver(req: Request, resp: Response, representation: Representation, sendfile: Sendfile) -> None:
    """Fills a response with a representation: 200, 304, 206, or a problem for a condition or a range that fails.

    A GET for a file that is elsewhere is redirected there, whatever its range.

    The order is If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, If-Range, Range (RFC 9110, 13.2.2).
    Requests for several ranges, for units other than bytes, or for ranges of a product that no cache keeps get the
    whole.

    Raises:
        Problem: a condition fails, the range can't be satisfied, or the file went away.
    """
    if is_another(req, (representation.etag,), representation.created_at):
        detail = "The product is another version than the one that you asked for"
        raise Problem("precondition-failed", detail, headers=dict(representation.validators))
    if is_unchanged(req, representation.etag, representation.created_at):
        resp.set_headers(representation.validators)
        resp.status = "304 Not Modified"
        return
    if representation.url is not None:
        _refer(req, resp, representation, representation.url)
        return
    part = _range(req, representation)
    resp.set_headers(representation.headers)
    if representation.path is not None:
        offload = sendfile.header(representation.path)
        if offload is not None:
            resp.set_header(*offload)
            resp.data = b""
            return
    resp.set_header("Accept-Ranges", "bytes" if representation.created_at is not None else "none")
    await _send(req, resp, representation, part)


def _refer(req: Request, resp: Response, found: Representation, url: str) -> None:
    if req.method == "HEAD":  # the URL is valid for GET only
        resp.set_headers(found.headers)
        resp.set_header("Content-Length", str(found.size))
        return
    resp.status = "307 Temporary Redirect" if req.method == "GET" else "303 See Other"
    resp.set_header("Location", url)
    resp.set_header("Cache-Control", NO_STORE)
    resp.data = b""


async def _send(req: Request, resp: Response, found: Representation, part: tuple[int, int] | None) -> None:
    start, stop = part or (0, found.size)
    if part is not None:
        resp.status = "206 Partial Content"
        resp.set_header("Content-Range", f"bytes {start}-{stop - 1}/{found.size}")
    if found.body is not None:
        resp.data = found.body if part is None else found.body[start:stop]
    elif req.method == "HEAD":
        resp.set_header("Content-Length", str(stop - start))
    else:
        file = await asyncio.to_thread(_opened, found, start)
        resp.set_stream(_Chunks(file, stop - start), stop - start)


def _opened(found: Representation, start: int) -> BinaryIO:
    """The file of a representation: the open file is the one that was checked, whatever is at its path now."""
    assert found.open is not None  # it is no bytes
    try:
        file = found.open()
    except (OSError, DamagedError) as error:
        raise Problem("conflict", "The product's file has just disappeared; ask again") from error
    if os.fstat(file.fileno()).st_size != found.size:
        file.close()
        raise Problem("conflict", "The product's file has just changed; ask again")
    file.seek(start)
    return file


class _Chunks:
    """Reads a file in pieces, in a thread, as fast as the client takes them. Falcon closes it in any case."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file = file
        self._left = left

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> bytes:
        """The next piece."""
        if self._left <= 0:
            raise StopAsyncIteration
        chunk = await asyncio.to_thread(self._file.read, min(_CHUNK, self._left))
        if not chunk:
            raise OSError("the file of a product became shorter while it was sent")
        self._left -= len(chunk)
        return chunk

    async def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _range(req: Request, found: Representation) -> tuple[int, int] | None:
    """First byte, and the one after the last; ``None`` for the whole.

    Anything but a single range of bytes is ignored, as in RFC 9110, 14.2. Falcon's `Request.range` would answer it with
    400, even for several ranges or other units, which are legal.
    """
    text = req.get_header("Range")
    # Each request makes a product that no cache keeps again, so parts of two never belong together.
    if text is None or req.method != "GET" or found.created_at is None:
        return None
    if not _may_be_partial(req.get_header("If-Range"), found):
        return None
    match = _RANGE.match(text)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, found.size - int(last)), found.size
    else:
        start, stop = int(first), min(int(last) + 1, found.size) if last else found.size
        if last and int(last) < int(first):
            return None  # no range at all (RFC 9110, 14.1.1)
    if start >= found.size or start >= stop:
        raise Problem(
            "range-not-satisfiable",
            f"The product has {found.size} bytes",
            headers={"Content-Range": f"bytes */{found.size}"},
        )
    return start, stop


def _may_be_partial(condition: str | None, found: Representation) -> bool:
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == found.etag
    return found.is_date_strong and found.created_at is not None and condition == http_date(found.created_at)

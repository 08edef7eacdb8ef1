"""Bodies of requests, read within a limit."""

from __future__ import annotations

from falcon.asgi import Request

from rave_http.protocol.problems import Problem

_CHUNK = 65536


async def body_of(req: Request, max_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        Problem: it is larger than ``max_bytes``.
    """
    length = req.content_length
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    while chunk := await req.stream.read(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> Problem:
    # The rest of the body is not read, so nothing else can come over the same connection.
    return Problem("too-large", f"The body has more than {max_bytes} bytes", headers={"Connection": "close"})

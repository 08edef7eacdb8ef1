"""Bodies of requests, read within a limit."""

from __future__ import annotations

from falcon.asgi import Request

from rave_http.protocol.problems import Problem

_CHUNK = 65536


async def body_of(req: Request, max_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        Problem: it is larger than ``max_bytes``, or compressed.
    """
    _refuse_coding(req.get_header("Content-Encoding") or "")
    length = req.content_length
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    while chunk := await req.stream.read(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _refuse_coding(codings: str) -> None:
    found = (coding.strip().lower() for coding in codings.split(","))
    wrong = next((coding for coding in found if coding not in ("", "identity")), None)
    if wrong is not None:
        raise Problem(
            "unsupported-media-type",
            f"A body with the content encoding {wrong[:80]!r} is not understood; send it as it is",
            headers={"Accept-Encoding": "identity"},
        )


def _too_large(max_bytes: int) -> Problem:
    # The rest of the body is not read, so nothing else can come over the same connection.
    return Problem("too-large", f"The body has more than {max_bytes} bytes", headers={"Connection": "close"})

"""One connection: gunicorn's protocol, with limits on time and number, and problems as its errors."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from gunicorn.asgi.parser import ParseError  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]  # gunicorn has no types

from rave_http.process.connections import Refusal
from rave_http.protocol.problems import MEDIA_TYPE, PROBLEMS

_SLUGS: Final = {kind.status: slug for slug, kind in PROBLEMS.items() if slug in ("bad-request", "uri-too-long")}
_CHUNKS: Final = 1024
_CHUNK_SIZE: Final = 32
"""Bytes that the chunks of a body must have on average, once there are more than ``_CHUNKS``."""
_REFUSED_FOR: Final = 2.0  # seconds within which a connection that is refused has to ask, to learn of that


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One connection. A malformed or slow request gets a problem as its answer, like any other error.

    Its worker has the `rave_http.process.connections.Connections`.
    """

    def __init__(self, worker: Any) -> None:
        super().__init__(worker)
        self._limits = worker.connections.limits
        self._refusal: Refusal | None = None
        self._has_begun = False  # to send its next request
        self._chunks = 0
        self._chunk_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Admits the connection, or notes why not: its first request gets that as its answer."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._refusal = self.worker.connections.admit(self, peer[0] if isinstance(peer, tuple) else "")
        if self._refusal is not None and self._refusal.is_final:
            transport.abort()
            return
        self._start_clock(self._limits.header_time if self._refusal is None else _REFUSED_FOR)

    def data_received(self, data: bytes) -> None:
        """Takes bytes. The head of a request has to come in time, however it is cut into pieces."""
        if self._refusal is not None:
            self._refuse(self._refusal)
            return
        super().data_received(data)
        if self._current_request is None:
            self._has_begun = True
            if self._head_timer is None and not self._closed:
                self._cancel_keepalive_timer()
                self._start_clock(self._limits.header_time)
        elif self._head_timer is not None:
            self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._stop_clock()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self.worker.connections.release(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Waits for a client that does not read, but not without end."""
        super().pause_writing()
        self._stall_timer = self.worker.loop.call_later(self._limits.stall_time, self.transport.abort)

    def resume_writing(self) -> None:
        """Continues to write."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of a request has come that is not answered."""
        return self._current_request is None and not self._has_begun

    def leave(self) -> None:
        """Closes a connection that `is_quiet`."""
        self._close_transport()
        self._request_ready.set()  # wakes the task that waits for a request

    def _on_headers_complete(self) -> Any:
        self._chunks = self._chunk_bytes = 0
        return super()._on_headers_complete()

    def _on_body(self, chunk: bytes) -> None:
        """Takes a part of a body. Each costs the worker time, however small, so there may not be many tiny ones."""
        self._chunks += 1
        self._chunk_bytes += len(chunk)
        is_tiny = self._chunks > _CHUNKS and self._chunk_bytes < self._chunks * _CHUNK_SIZE
        if is_tiny and self._current_request.chunked:
            raise ParseError(
                f"The body comes in {self._chunks} chunks of less than {_CHUNK_SIZE} bytes on average; send larger ones"
            )
        super()._on_body(chunk)

    def _start_clock(self, seconds: float) -> None:
        self._head_timer = self.worker.loop.call_later(seconds, self._time_out)

    def _stop_clock(self) -> None:
        self._has_begun = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _time_out(self) -> None:
        if self._has_begun:
            self._send_problem("request-timeout", f"The head of the request took over {self._limits.header_time:g} s")
        self.leave()

    def _refuse(self, refusal: Refusal) -> None:
        self._send_problem(refusal.slug, refusal.detail, {"Retry-After": "5"})
        self.leave()

    def _arm_keepalive_timer(self) -> None:
        super()._arm_keepalive_timer()
        self.worker.connections.idle[self] = None

    def _cancel_keepalive_timer(self) -> None:
        super()._cancel_keepalive_timer()
        self.worker.connections.idle.pop(self, None)

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        """Whether the connection is closed after the response, which then says so."""
        return bool(self.worker.is_stopping or super()._will_close(request, response_requires_close))

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Never: a request for a protocol other than HTTP is ignored (RFC 9110, 7.8)."""
        return False

    def _send_error_response(self, status: int, message: str, extra_headers: Iterable[tuple[str, str]] = ()) -> None:
        self._send_problem(_SLUGS.get(status), message, dict(extra_headers), status=status)

    def _send_problem(
        self, slug: str | None, detail: str, headers: Mapping[str, str] | None = None, *, status: int = 0
    ) -> None:
        """Answers with a problem, after which the connection has to be closed."""
        status = status or PROBLEMS[slug or ""].status
        phrase = http.HTTPStatus(status).phrase
        problem = {
            "type": f"{self.worker.app.url_base}/-/problems/{slug}" if slug else "about:blank",
            "title": PROBLEMS[slug].title if slug else phrase,
            "status": status,
            "detail": detail,
        }
        body = msgspec.json.encode(problem)
        fields = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._safe_write(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1") + body)

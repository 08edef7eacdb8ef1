"""The outer middleware: an application around Falcon's. It knows each request from its first to its last byte.

It gives the request an ID and a trace, reports the outcome to metrics and the access log, and answers in place of an
application that fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

from rave_core.clock import Clock, SystemClock
from rave_http.asgi.access_log import AccessLog
from rave_http.protocol.hosts import Hosts
from rave_http.protocol.json_texts import to_json
from rave_http.protocol.problems import MEDIA_TYPE, Problem
from rave_http.protocol.proxies import Proxies
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.targets import METHODS, check_coding, take_path
from rave_http.protocol.tracing import HEADER, child_of, current_trace
from rave_http.workers.metrics import Metrics

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application, whatever it calls the types of its scope and messages."""

CLIENT_LEFT: Final = 499
"""The status in metrics and the access log for a client that left before the answer was complete."""

_REST: Final = 8 << 20  # bytes of a body that are taken after the answer to it
_REST_SECONDS: Final = 5.0
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=-]{1,128}")
_log = logging.getLogger("rave.http")


class OuterMiddleware:
    """An ASGI application around another. Made after the fork, since its request IDs are of one process."""

    def __init__(
        self,
        inner: Application,
        *,
        metrics: Metrics | None = None,
        access_log: AccessLog | None = None,
        proxies: Proxies | None = None,
        base: str = "",
        clock: Clock | None = None,
        hosts: Hosts | None = None,
        body_time: float | None = None,
    ) -> None:
        """Wraps ``inner``.

        Args:
            inner: the application.
            metrics: where requests are counted; ``None`` for nowhere.
            access_log: where they are logged; ``None`` for nowhere.
            proxies: that are believed about the client's address; ``None`` for none.
            base: the prefix of every URL.
            clock: the source of time.
            hosts: the names that the service answers for; ``None`` for all.
            body_time: seconds within which the body of a request has to arrive; ``None`` for no limit.
        """
        self._hosts = hosts
        self._body_time = body_time
        self._inner = inner
        self._metrics = metrics
        self._access_log = access_log
        self._proxies = proxies or Proxies(())
        self._base = base
        self._monotonic = (clock or SystemClock()).monotonic
        self._prefix = os.urandom(6).hex()
        self._count = itertools.count(1).__next__
        if metrics is not None and access_log is not None:
            metrics.follow(metrics.lines_dropped, lambda: access_log.dropped)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request. Anything but an HTTP request passes through untouched."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        record = scope["rave"] = self._record(scope, headers)
        current_trace.set(record.trace)
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        exchange = _Exchange(record, receive, send, headers, body_time=self._body_time if has_body else None)
        exchange.has_body, exchange.is_awaited = has_body, has_body and b"expect" in headers
        try:
            await self._answer(scope, exchange)
        finally:
            if exchange.is_left:
                record.status = CLIENT_LEFT
            self._tell(scope, headers, record)
        if has_body and not exchange.is_taken:
            await exchange.take_rest()

    async def _answer(self, scope: MutableMapping[str, Any], exchange: _Exchange) -> None:
        """Runs the application; answers in its place if it fails before its response starts."""
        record = exchange.record
        try:
            await self._pass_on(scope, exchange)
            if not record.status and not exchange.is_left:
                raise RuntimeError("the application gave no answer")
        except asyncio.CancelledError:
            exchange.is_left = not exchange.is_complete
            raise
        except Problem as problem:
            await self._apologize(scope, exchange, problem)
        # Code of a plugin may raise what would stop the event loop; the worker's own signals do not come this way.
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            _log.exception("request %s: %s %r failed", record.request_id, scope["method"], scope["path"])
            if record.status and isinstance(error, Exception):
                raise
            if record.status:
                raise RuntimeError(f"request {record.request_id} ended with {type(error).__name__}") from error
            detail = f"The service failed; its log has the details under request {record.request_id}"
            await self._apologize(scope, exchange, Problem("internal-error", detail))

    async def _pass_on(self, scope: MutableMapping[str, Any], exchange: _Exchange) -> None:
        """Runs the application, unless the request can't be one of ours.

        Raises:
            Problem: it is not.
        """
        is_about_server = scope["path"] == "*"
        if not is_about_server and not scope["path"].startswith("/"):
            take_path(scope)
        if self._hosts is not None and scope.get("client") is not None:  # no browser reaches a Unix socket
            host = next((value for name, value in scope["headers"] if name == b"host"), None)
            self._hosts.check(host, version=scope.get("http_version", "1.1"))
        if exchange.coding is not None:
            check_coding(exchange.coding)
        if not is_about_server:
            await self._inner(scope, exchange.receive, exchange.send)
            return
        headers = [(b"allow", METHODS.encode()), (b"content-length", b"0")]
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await exchange.send({"type": "http.response.body"})

    def _record(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> RequestRecord:
        identifier, trace = self._request_id(headers.get(b"x-request-id")), child_of(_parent(scope, headers))
        peer = scope.get("client")
        client = self._proxies.client(scope["headers"], peer[0] if peer else "")
        return RequestRecord(identifier, trace, self._monotonic(), client)

    def _request_id(self, given: bytes | None) -> str:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode()
        return f"{self._prefix}-{self._count():x}"

    async def _apologize(self, scope: MutableMapping[str, Any], exchange: _Exchange, problem: Problem) -> None:
        """Answers with a problem, since the application did not."""
        body = to_json(problem.document(base=self._base, instance=scope["path"]))
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in problem.headers.items()),
        ]
        await exchange.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _tell(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes], record: RequestRecord) -> None:
        """Reports the outcome of a request to metrics and the access log."""
        seconds = self._monotonic() - record.started
        if self._metrics is not None:
            self._metrics.observe(scope["method"], scope["path"], record, seconds)
        if self._access_log is not None:
            self._access_log.note(scope, record, seconds, headers.get(b"user-agent", b""))


class _Exchange:
    """One request and its response, as they pass through.

    Attributes:
        has_body: whether the request has a body.
        is_complete: whether the whole response was sent.
        is_left: whether the client left before it was.
        is_taken: whether the whole body of the request was received, or no more of it will come.
        is_awaited: whether the client waits for permission to send its body.
        coding: the transfer coding of the body; ``None`` if it has none.
    """

    __slots__ = (
        "_body_time",
        "_body_until",
        "_header",
        "_is_held",
        "_is_new",
        "_receive",
        "_send",
        "coding",
        "has_body",
        "is_awaited",
        "is_complete",
        "is_left",
        "is_taken",
        "record",
    )

    def __init__(
        self,
        record: RequestRecord,
        receive: Receive,
        send: Send,
        headers: Mapping[bytes, bytes],
        *,
        body_time: float | None,
    ) -> None:
        self.record = record
        self.coding = headers.get(b"transfer-encoding")
        self.has_body = False
        self.is_awaited = False
        self._is_new = True
        self._is_held = False
        self.is_complete = False
        self.is_left = False
        self.is_taken = False
        self._header = (b"x-request-id", record.request_id.encode())
        self._receive = receive
        self._send = send
        self._body_time = body_time
        self._body_until: float | None = None

    async def receive(self) -> Message:
        """The next message of the client.

        Falcon asks for one before it looks at the request, so the first one of a body is empty: what is refused is
        refused before its body comes. To ask would also let a client send its body that waits for this (``Expect``).

        Raises:
            Problem: the body does not arrive in time.
        """
        if self._is_new and self.has_body:
            self._is_new = False
            self._is_held = self.is_awaited
            return {"type": "http.request", "body": b"", "more_body": True}
        self._is_held = False
        message = await (self._receive() if self._body_time is None or self.is_taken else self._receive_in_time())
        if message["type"] == "http.disconnect":
            self.is_left = not self.is_complete
            self.is_taken = True
        elif not message.get("more_body", False):
            self.is_taken = True
        return message

    async def _receive_in_time(self) -> Message:
        if self._body_until is None:
            self._body_until = asyncio.get_running_loop().time() + (self._body_time or 0.0)
        try:
            async with asyncio.timeout_at(self._body_until):
                return await self._receive()
        except TimeoutError:
            detail = f"The body of the request took longer than {self._body_time:g} s"
            raise Problem("request-timeout", detail, headers={"Connection": "close"}) from None

    async def take_rest(self) -> None:
        """Reads and drops the rest of a body after the answer, up to a limit.

        A proxy that is still sending when the connection closes reports that to its client instead of the answer.
        A client that waits for permission to continue (``Expect``) sends nothing more.
        """
        self._body_time = None
        left = 0 if self.is_awaited else _REST
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REST_SECONDS):
                while left > 0 and not self.is_taken:
                    left -= len((await self.receive()).get("body", b""))

    def send(self, message: Message) -> Awaitable[None]:
        """Sends a message of the response. It is not a coroutine itself, which would cost every message some time."""
        kind = message["type"]
        if kind == "http.response.body":
            self.record.sent += len(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)
        elif kind == "http.response.start":
            self.record.status = message["status"]
            # The application's own list stays as it is: it may use it again.
            headers = [*message.get("headers", ()), self._header]
            if (self._is_held or (self._is_new and self.is_awaited)) and (b"connection", b"close") not in headers:
                headers.append((b"connection", b"close"))  # the body that waits will never be read
            message = {**message, "headers": headers}
        return self._send(message)


def _parent(scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> bytes | None:
    """The caller's ``traceparent``; ``None`` if there is none, or more than one."""
    parent = headers.get(HEADER)
    if parent is not None and sum(name == HEADER for name, _ in scope["headers"]) > 1:
        return None
    return parent

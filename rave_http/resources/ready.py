"""Ready answers: products that memory holds whole, given without a walk through the application.

Most of what is asked for is asked for again. Of a request that memory can answer, all that matters is in its path, its
query and a few headers; for these the answer is kept with its headers as they go out. Whatever is not plain - part of a
product, one that the client may have already, a wait, anybody who may not see it - goes on to the application.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from rave_core.engine.execution import ResolvedOperation
from rave_core.model import Bytes, Call, Status
from rave_core.storage.cache import Found
from rave_http.asgi.outer_middleware import Application, Receive, Send
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.conditional_responses import is_plain
from rave_http.representation.representations import MadeProduct, Representation
from rave_http.worker.responses import product_headers
from rave_http.worker.service import Service

Place: TypeAlias = tuple[str, bytes, bytes]
"""What names an answer: path, query and ``Accept``."""

ExecutionContext: TypeAlias = MutableMapping[str, Any]

_OVERHEAD: Final = 4096
_LARGEST_SHARE: Final = 8  # what is larger than this part of the budget is not held ready


@dataclass(slots=True)
class CachedResponse:
    """An answer that memory holds whole: it is good as long as the frame that it was made of is the one kept.

    Attributes:
        generation: of the namespaces.
        frame: the frame that memory held just before the result was found.
    """

    generation: int
    namespace: str
    resolved: ResolvedOperation
    call: Call
    found: Found
    frame: Bytes
    product: MadeProduct
    representation: Representation
    _moment: tuple[float, bool] | None = field(default=None, init=False)
    _headers: list[tuple[bytes, bytes]] = field(default_factory=list, init=False)

    @property
    def size(self) -> int:
        """Bytes that are held for it, about."""
        return _OVERHEAD + len(self.frame) + self.representation.size

    def is_current(self, service: Service) -> bool:
        """Whether it is what would be answered now."""
        entry = self.found.entry
        return (
            self.generation == service.namespaces.generation
            and self.resolved.cache.peek(entry.key) is self.frame
            and service.clock.now() < entry.expires_at
        )

    def count(self, service: Service, note: RequestRecord) -> None:
        """Notes and counts it as a hit."""
        note.operation, note.cache, note.key = self.product.name, "hit", self.found.entry.key
        service.hit(self.resolved, self.call, self.found, Status.HIT)

    def headers(self, service: Service, *, private: bool) -> list[tuple[bytes, bytes]]:
        """The headers of the whole, as ASGI has them. They change once a second at most."""
        now = service.clock.now()
        left = self.found.entry.expires_at - now
        moment = (left if math.isinf(left) else int(left), private)
        if moment != self._moment:
            self._headers = _encoded(
                (
                    *self.representation.headers,
                    *product_headers(service, self.product, Status.HIT, now, private=private),
                    ("Accept-Ranges", "bytes"),
                    ("Content-Length", str(self.representation.size)),
                )
            )
            self._moment = moment
        return self._headers


class ResponseCache:
    """The answers that were given a moment ago and may be given again. For the event loop of one worker."""

    def __init__(self, service: Service) -> None:
        """Holds as many bytes as the setting ``memory`` says, at most."""
        self._service = service
        self._most = service.settings.memory
        self._held = 0
        self._answers: dict[Place, CachedResponse] = {}

    def find(self, place: Place | None) -> CachedResponse | None:
        """The answer of a place, if it still is one."""
        ready = self._answers.get(place) if place is not None else None
        return ready if ready is not None and ready.is_current(self._service) else None

    def keep(self, place: Place, ready: CachedResponse) -> None:
        """Keeps an answer, unless it is large."""
        if ready.representation.body is None or ready.size > self._most // _LARGEST_SHARE:
            return
        before = self._answers.pop(place, None)
        self._held += ready.size - (before.size if before is not None else 0)
        if self._held > self._most:
            self._answers.clear()  # what is asked for often is back in a moment
            self._held = ready.size
        self._answers[place] = ready


class Shortcut:
    """An ASGI application in front of another, which gives ready answers itself."""

    def __init__(self, inner: Application, service: Service, answers: ResponseCache) -> None:
        self._inner = inner
        self._service = service
        self._answers = answers

    def __call__(self, scope: ExecutionContext, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request. No coroutine of its own: it would cost every request some time."""
        ready = self._found(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        return self._inner(scope, receive, send) if ready is None else self._give(ready, scope["rave"], send)

    def _found(self, scope: ExecutionContext) -> CachedResponse | None:
        """The answer to a plain request of somebody who may see it."""
        ready = self._answers.find(place_of(scope)) if is_plain(scope["headers"]) else None
        return ready if ready is not None and self._may_see(scope, ready.namespace) else None

    def _may_see(self, scope: ExecutionContext, namespace: str) -> bool:
        access, peer = self._service.access, scope.get("client")
        try:
            principal = access.principal(scope["headers"], str(peer[0]) if peer else "")
        except Problem:
            return False  # it is told of where all problems are
        scope["rave"].principal = principal
        return access.allows(principal, "view", namespace)

    async def _give(self, ready: CachedResponse, note: RequestRecord, send: Send) -> None:
        service = self._service
        ready.count(service, note)
        private = service.access.is_private(note.principal)
        headers = ready.headers(service, private=private)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ready.representation.body})


def place_of(scope: ExecutionContext) -> Place | None:
    """The place of a request; ``None`` where it has none, because it prefers something, or is no question."""
    if scope["method"] not in ("GET", "HEAD"):
        return None
    accept: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"accept":
            if accept is not None:
                return None
            accept = value
        elif name == b"prefer":
            return None
    return scope["path"], scope["query_string"], accept or b""


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

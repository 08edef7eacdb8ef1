"""Ready answers: whole products in memory, sent without running the application.

Most products are requested again. If memory can answer a request, only its path, its query and a few headers matter.
The answer is kept for these, with its final headers. All other requests go on to the application: for part of a
product, for one that the client may already have, with a wait, or from a principal who may not see it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from rave_core.clock import Clock
from rave_core.engine.execution import ResolvedOperation
from rave_core.model import Bytes, Call, Status
from rave_core.storage.cache import Found
from rave_http.asgi.outer_middleware import Application, Receive, Send
from rave_http.auth.authorizer import Authorizer
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.representations import MadeProduct, Representation
from rave_http.worker.kept_results import KeptResults
from rave_http.worker.responder import Responder

Place: TypeAlias = tuple[str, bytes, bytes]
"""The identity of an answer: path, query and ``Accept``."""

Scope: TypeAlias = MutableMapping[str, Any]

_CONDITIONS: Final = frozenset((b"if-match", b"if-unmodified-since", b"if-none-match", b"if-modified-since", b"range"))
_OVERHEAD: Final = 4096
_LARGEST_SHARE: Final = 8  # an answer above this part of the budget is not kept


@dataclass(slots=True)
class CachedResponse:
    """An answer that memory holds whole. It is valid while memory keeps the frame that it was made from.

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
        """The approximate bytes held for it."""
        return _OVERHEAD + len(self.frame) + self.representation.size

    def is_current(self, generation: int, now: float) -> bool:
        """Whether it is still the right answer.

        Args:
            generation: of the namespaces now.
            now: Unix seconds.
        """
        entry = self.found.entry
        return (
            self.generation == generation
            and now < entry.expires_at
            and self.resolved.cache.peek(entry.key) is self.frame
        )

    def note(self, record: RequestRecord) -> None:
        """Marks it as the answer in the request record."""
        record.operation, record.cache, record.key = self.product.name, "hit", self.found.entry.key

    def headers(self, responder: Responder, now: float, *, private: bool) -> list[tuple[bytes, bytes]]:
        """The headers of the whole product, in ASGI form. They change once a second at most."""
        left = self.found.entry.expires_at - now
        moment = (left if math.isinf(left) else int(left), private)
        if moment != self._moment:
            self._headers = _encoded(
                (
                    *self.representation.headers,
                    *responder.product_headers(self.product, Status.HIT, now, private=private),
                    ("Accept-Ranges", "bytes"),
                    ("Content-Length", str(self.representation.size)),
                )
            )
            self._moment = moment
        return self._headers


class ResponseCache:
    """Recent answers that may be reused. For the event loop of one worker."""

    def __init__(self, namespaces: LiveNamespaces, clock: Clock, *, max_bytes: int) -> None:
        """Keeps answers while ``namespaces`` serve the same code.

        Args:
            namespaces: whose operations are answered.
            clock: the source of time.
            max_bytes: for all answers that are kept.
        """
        self._namespaces = namespaces
        self._now = clock.now
        self._most = max_bytes
        self._held = 0
        self._answers: dict[Place, CachedResponse] = {}

    def find(self, place: Place | None) -> CachedResponse | None:
        """The answer for a place, if it is still valid."""
        ready = self._answers.get(place) if place is not None else None
        return ready if ready is not None and ready.is_current(self._namespaces.generation, self._now()) else None

    def keep(self, place: Place, ready: CachedResponse) -> None:
        """Keeps an answer, unless it is large."""
        if ready.representation.body is None or ready.size > self._most // _LARGEST_SHARE:
            return
        before = self._answers.pop(place, None)
        self._held += ready.size - (before.size if before is not None else 0)
        if self._held > self._most:
            self._answers.clear()  # popular answers are back in a moment
            self._held = ready.size
        self._answers[place] = ready


class Shortcut:
    """An ASGI application in front of another, which sends ready answers itself."""

    def __init__(
        self,
        inner: Application,
        answers: ResponseCache,
        authorizer: Authorizer,
        results: KeptResults,
        responder: Responder,
        clock: Clock,
    ) -> None:
        """Answers from ``answers``, and leaves the rest to ``inner``."""
        self._inner = inner
        self._answers = answers
        self._authorizer = authorizer
        self._results = results
        self._responder = responder
        self._now = clock.now

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request. It is not a coroutine itself, which would cost every request some time."""
        ready = self._found(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        return self._inner(scope, receive, send) if ready is None else self._give(ready, scope["rave"], send)

    def _found(self, scope: Scope) -> CachedResponse | None:
        """The answer to a plain request of a principal who may see it."""
        if not _is_plain(scope["headers"]):
            return None
        ready = self._answers.find(place_of(scope))
        return ready if ready is not None and self._authorizer.may_view(scope, ready.namespace) else None

    async def _give(self, ready: CachedResponse, record: RequestRecord, send: Send) -> None:
        ready.note(record)
        self._results.count(ready.resolved, ready.call, ready.found, Status.HIT)
        headers = ready.headers(self._responder, self._now(), private=record.is_private)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ready.representation.body})


def _is_plain(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request with these headers asks for the whole product, whatever the client already has."""
    for name, _ in headers:  # noqa: SIM110  # a generator takes twice as long, and every hit comes through here
        if name in _CONDITIONS:
            return False
    return True


def place_of(scope: Scope) -> Place | None:
    """The place of a request; ``None`` if it has a preference, or does not ask for a product."""
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

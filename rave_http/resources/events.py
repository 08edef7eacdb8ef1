"""``/-/events``: what happens, as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from falcon.asgi import Request, Response, SSEvent

from rave_core.clock import Clock
from rave_core.documents.slates import SLATES
from rave_core.errors import TopicError
from rave_core.events import Event, Events, Loss, check_pattern
from rave_http.auth.authorization import SERVICE
from rave_http.auth.authorizer import Authorizer
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_events_head
from rave_http.worker.limits import EventStreams

_MOST_TOPICS: Final = 20
_AT_ONCE: Final = 100
_BREATH: Final = 0.1  # seconds between events taken; with the number taken at once, a stream has 1,000 a second at most
_HEARTBEAT: Final = 10.0
_LATER: Final = {"Retry-After": "5"}


class EventsResource:
    """The events of all workers, and of the processes that share their bus."""

    def __init__(
        self,
        events: Events,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        streams: EventStreams,
        clock: Clock,
        is_draining: asyncio.Event,
        announce: Callable[[], Awaitable[None]],
    ) -> None:
        """Streams ``events`` until ``is_draining`` is set.

        Args:
            events: where to subscribe.
            namespaces: those that events may belong to.
            authorizer: says who may view them.
            streams: those that are open.
            clock: the source of time.
            is_draining: set when the worker is about to stop.
            announce: awaited after a subscription, so that other workers know of it.
        """
        self._events = events
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._streams = streams
        self._clock = clock
        self._is_draining = is_draining
        self._announce = announce

    async def on_get(self, req: Request, resp: Response) -> None:
        """The events from now on whose topics match a ``topic``, as far as the principal may see them.

        An event of a namespace, or of an operation in it, is for those who may view it; one of a document, for those
        who may view the namespace called like its collection; any other for those who may view all namespaces.
        """
        topics = _topics(req)
        if not any(self._authorizer.may(req, "view", state.name) for state in self._namespaces.states()):
            self._authorizer.require(req, "view")
        if self._is_draining.is_set():
            raise Problem("busy", "This worker is about to stop; ask again", headers=_LATER)
        client = self._authorizer.identity(req)
        self._streams.check_room(client)
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        if req.method == "HEAD":
            send_events_head(resp)
            return
        resp.sse = self._stream(req, topics, client)

    on_head = on_get

    async def _stream(self, req: Request, topics: list[str], client: str) -> AsyncIterator[SSEvent | None]:
        with self._streams.opened(client), self._events.stream(topics) as stream:
            await self._announce()
            yield SSEvent(event="events.open", json={"topics": topics}, retry=1000)
            looked = self._clock.monotonic()
            while not stream.is_closed and not self._is_draining.is_set():
                events, losses = await stream.take(_AT_ONCE, timeout=1.0)
                for loss in losses:
                    yield _lost(loss)
                for event in events:
                    if self._may_see(req, event):
                        yield _written(event)
                if self._clock.monotonic() - looked > _HEARTBEAT:
                    looked = self._clock.monotonic()
                    if not self._authorizer.is_valid(req):
                        return
                    yield None
                await asyncio.sleep(_BREATH if events else 0)

    def _may_see(self, req: Request, event: Event) -> bool:
        collection = event.data.get("collection")
        if collection is not None:
            return self._may_see_collection(req, str(collection))
        namespace = event.data.get("namespace")
        if namespace is None:
            exported = self._namespaces.by_full_name(str(event.data.get("operation")))
            namespace = exported.namespace if exported is not None else SERVICE
        return self._authorizer.may(req, "view", str(namespace))

    def _may_see_collection(self, req: Request, name: str) -> bool:
        """Whether the principal may learn that a document of a collection was saved."""
        if name.startswith("_"):  # of the service itself: tokens, saved calls
            return False
        if name.startswith(SLATES):
            principal = self._authorizer.principal(req)
            return principal.kind != "anonymous" and name == SLATES + principal.name
        return self._authorizer.may(req, "view", name)


def _topics(req: Request) -> list[str]:
    """The patterns that a request gives; all topics if it gives none.

    Raises:
        Problem: one is not a pattern, or there is another parameter.
    """
    given = pairs(req.query_string, most=_MOST_TOPICS)
    for name, text in given:
        try:
            if name != "topic":
                raise TopicError(f"the parameter {name[:80]!r} is unknown; did you mean 'topic'?")
            check_pattern(text)
        except TopicError as error:
            wrong = [{"parameter": name[:80], "detail": str(error)}]
            raise Problem("bad-arguments", str(error), errors=wrong) from None
    return [text for _, text in given] or ["*"]


def _written(event: Event) -> SSEvent:
    data: dict[str, Any] = {"topic": event.topic, "time": event.time, "origin": event.origin, "data": dict(event.data)}
    return SSEvent(event=event.topic, json=data)


def _lost(loss: Loss) -> SSEvent:
    return SSEvent(event="events.lost", json={"count": loss.count, "reason": loss.reason})

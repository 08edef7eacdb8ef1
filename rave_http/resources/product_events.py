"""``/-/products/{key}/events``: the progress of a product, as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from falcon.asgi import SSEvent

from rave_core.clock import Clock
from rave_http.protocol.problems import Problem
from rave_http.worker.job_status import JobStatus, JobStatuses, State
from rave_http.worker.limits import EventStreams
from rave_http.worker.responder import Responder

_HEARTBEAT: Final = 10.0
_LOOK: Final = 0.7
_BREATH: Final = 0.1  # seconds between events of one stream: reports may come by the thousand


class ProductEvents:
    """Makes event streams. For the event loop of one worker."""

    def __init__(
        self,
        statuses: JobStatuses,
        streams: EventStreams,
        responder: Responder,
        clock: Clock,
        is_draining: asyncio.Event,
    ) -> None:
        """Streams jobs that run here to their end; once ``is_draining`` is set, other workers answer for all others.

        Args:
            statuses: give the status of products.
            streams: those that are open.
            responder: makes tickets.
            clock: the source of time.
            is_draining: set when the worker is about to stop.
        """
        self._statuses = statuses
        self._streams = streams
        self._responder = responder
        self._clock = clock
        self._is_draining = is_draining

    def check_room(self, client: str) -> None:
        """Returns if a client may open another stream.

        Raises:
            Problem: there is no room for it, or the client has its share.
        """
        self._streams.check_room(client)

    async def stream(
        self, place: JobStatus, look_again: Callable[[], Awaitable[JobStatus]], *, client: str, after: float | None
    ) -> AsyncIterator[SSEvent | None]:
        """The changes of a product's status, until it is ready or failed. A ``None`` is a sign of life.

        Args:
            place: its current status.
            look_again: gives its new status.
            client: who follows it, as limits count clients.
            after: as for `document`.
        """
        news, seconds = _News(), 0.0
        with self._streams.opened(client):
            try:
                while place.is_awaited:
                    for event in news.after(seconds, self.document(place, after)):
                        yield event
                    if self._is_draining.is_set() and (place.job is None or not place.job.is_running):
                        return  # a job that runs here still ends, or is given up, before the worker stops
                    seconds = await self._pause(place)
                    if place.job is None or not place.job.is_running or place.job.may_be_kept or place.job.ended:
                        place = await look_again()  # the process that makes it may die during this time
                yield self._last(place)
            except Problem as problem:  # it can't be made any more
                yield self._failed(problem, place)

    def document(self, place: JobStatus, after: float | None = None) -> dict[str, Any]:
        """The ticket of a product.

        Args:
            place: its status.
            after: Unix time after which it has to be made, for the ticket of a refresh.
        """
        return self._responder.ticket_document(
            status=place.word,
            key=place.key.text,
            operation=place.name,
            created_at=place.since,
            progress=place.progress(),
            after=after,
        )

    async def _pause(self, place: JobStatus) -> float:
        """Waits for news of a product, a moment at most. Returns the seconds that have passed."""
        started = self._clock.monotonic()
        if place.job is None:
            await asyncio.sleep(_LOOK)
        else:
            with place.job.news() as event:
                waiters = {place.job.task, asyncio.create_task(event.wait())}
                await asyncio.wait(waiters, timeout=_HEARTBEAT / 2, return_when=asyncio.FIRST_COMPLETED)
                for waiter in waiters - {place.job.task}:
                    waiter.cancel()
            await asyncio.sleep(_BREATH)
        return self._clock.monotonic() - started

    def _last(self, place: JobStatus) -> SSEvent:
        if place.state is State.READY:
            return SSEvent(event="done", json=self.document(place))
        return self._failed(self._statuses.refuse(place), place)

    def _failed(self, problem: Problem, place: JobStatus) -> SSEvent:
        links = self._responder.links
        document = problem.document(base=links.base, instance=f"/-/products/{place.key.text}")
        return SSEvent(event="failed", json=document)


class _News:
    """The state of a stream: what its client knows so far."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._quiet = 0.0

    def after(self, seconds: float, document: dict[str, Any]) -> Iterator[SSEvent | None]:
        """The event that is due ``seconds`` after the last check, if any: news, or a sign of life."""
        self._quiet += seconds
        if document != self._last:
            self._last, self._quiet = document, 0.0
            yield SSEvent(event="progress", json=document, retry=1000)
        elif self._quiet >= _HEARTBEAT:
            self._quiet = 0.0
            yield None

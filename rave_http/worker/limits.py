"""Limits on concurrent clients in one worker: those that wait for jobs, and those that follow events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rave_http.jobs.job import Job
from rave_http.jobs.jobs import Jobs
from rave_http.protocol.problems import Problem
from rave_http.workers.metrics import Metrics


class WaitingRequests:
    """Requests that wait for a job. For the event loop of one worker.

    Attributes:
        count: how many wait now.
    """

    def __init__(self, jobs: Jobs, metrics: Metrics, *, most: int) -> None:
        """Allows ``most`` requests to wait at once."""
        self.count = 0
        self._jobs = jobs
        self._metrics = metrics
        self._most = most

    async def wait(self, job: Job, seconds: float, *, for_ticket: bool = True) -> bool:
        """Waits for a job, unless too many wait already. Returns whether it ended. See `Jobs.wait`.

        Raises:
            Problem: too many wait, and the client would not get a ticket.
        """
        if self.count >= self._most:
            if not (for_ticket or job.task.done()):
                raise Problem("busy", f"{self.count} requests wait already; ask again", headers={"Retry-After": "5"})
            return await self._jobs.wait(job, 0, for_ticket=for_ticket)
        self.count += 1
        self._metrics.waiting_requests.inc()
        try:
            return await self._jobs.wait(job, seconds, for_ticket=for_ticket)
        finally:
            self.count -= 1
            self._metrics.waiting_requests.dec()


class EventStreams:
    """Event streams that are open. For the event loop of one worker.

    Attributes:
        count: how many are open now.
    """

    def __init__(self, metrics: Metrics, *, most: int) -> None:
        """Is full when ``most`` streams are open."""
        self.count = 0
        self._metrics = metrics
        self._most = most

    @property
    def is_full(self) -> bool:
        """Whether no further stream may be opened."""
        return self.count >= self._most

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Counts a stream as open in a ``with`` block."""
        self.count += 1
        self._metrics.event_streams.inc()
        try:
            yield
        finally:
            self.count -= 1
            self._metrics.event_streams.dec()

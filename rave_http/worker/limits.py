"""Limits on concurrent clients in one worker: those that wait for jobs, and those that follow events."""

from __future__ import annotations

from collections import Counter
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

    def __init__(self, jobs: Jobs, metrics: Metrics, *, most: int, most_of_one: int) -> None:
        """Allows ``most`` requests to wait at once, and ``most_of_one`` of one client."""
        self.count = 0
        self._jobs = jobs
        self._metrics = metrics
        self._most = most
        self._most_of_one = most_of_one
        self._of_client: Counter[str] = Counter()

    async def wait(self, job: Job, seconds: float, *, client: str, for_ticket: bool = True) -> bool:
        """Waits for a job, unless too many wait already. Returns whether it ended. See `Jobs.wait`.

        Raises:
            Problem: too many wait, and the client would not get a ticket.
        """
        if self.count >= self._most or self._of_client[client] >= self._most_of_one:
            if not (for_ticket or job.task.done()):
                raise Problem("busy", f"{self.count} requests wait already; ask again", headers={"Retry-After": "5"})
            return await self._jobs.wait(job, 0, for_ticket=for_ticket)
        self.count += 1
        self._metrics.waiting_requests.inc()
        try:
            with _counted(self._of_client, client):
                return await self._jobs.wait(job, seconds, for_ticket=for_ticket)
        finally:
            self.count -= 1
            self._metrics.waiting_requests.dec()


class EventStreams:
    """Event streams that are open. For the event loop of one worker.

    Attributes:
        count: how many are open now.
    """

    def __init__(self, metrics: Metrics, *, most: int, most_of_one: int) -> None:
        """Allows ``most`` streams at once, and ``most_of_one`` of one client."""
        self.count = 0
        self._metrics = metrics
        self._most = most
        self._most_of_one = most_of_one
        self._of_client: Counter[str] = Counter()

    def check_room(self, client: str) -> None:
        """Returns if a client may open another stream.

        Raises:
            Problem: there is no room for it, or the client has its share.
        """
        if self.count >= self._most:
            detail = "Too many event streams are open; ask for the product itself"
            raise Problem("busy", detail, headers={"Retry-After": "5"})
        if self._of_client[client] >= self._most_of_one:
            detail = f"You have {self._most_of_one} event streams open, and may not have more"
            raise Problem("too-many-requests", detail, headers={"Retry-After": "5"})

    @contextmanager
    def opened(self, client: str) -> Iterator[None]:
        """Counts a stream as open in a ``with`` block."""
        self.count += 1
        self._metrics.event_streams.inc()
        try:
            with _counted(self._of_client, client):
                yield
        finally:
            self.count -= 1
            self._metrics.event_streams.dec()


@contextmanager
def _counted(counter: Counter[str], client: str) -> Iterator[None]:
    counter[client] += 1
    try:
        yield
    finally:
        counter[client] -= 1
        if not counter[client]:
            del counter[client]

"""What other workers learn of the jobs of this one: by the records of tickets, and by what workers tell each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec
from cachetools import TTLCache

from rave_core.clock import Clock
from rave_core.model import PLAIN, Outcome, Status
from rave_http.executors.executor import BusyError, Result
from rave_http.jobs.failures import failure_of
from rave_http.jobs.job import Job
from rave_http.jobs.tickets import Failed, Tickets
from rave_http.workers.workers import Workers

_FAILED: Final = "failed"
_TELLING: Final = 2.0
"""Seconds for which a job that failed waits, at most, for the others to hear of it."""
_REMEMBERED: Final = 10_000
_log = logging.getLogger("rave.http")


class JobRecords:
    """Tells other workers how the bodies of this one fare, and keeps jobs from running what failed there just now.

    For the event loop of one worker.
    """

    def __init__(
        self,
        tickets: Tickets,
        workers: Workers,
        clock: Clock,
        start: Callable[[Coroutine[Any, Any, None]], None],
        *,
        failure_time: float,
    ) -> None:
        """Hears from now on what fails in other workers.

        Args:
            tickets: the records of all workers.
            workers: all of them.
            clock: the source of time.
            start: starts work that no request waits for.
            failure_time: seconds for which a failure is remembered.
        """
        self._tickets = tickets
        self._workers = workers
        self._clock = clock
        self._start = start
        self._heard: TTLCache[str, Failed] = TTLCache(_REMEMBERED, ttl=failure_time, timer=clock.monotonic)
        workers.answer(_FAILED, self._hear)

    async def around(self, job: Job, run: Callable[[], Awaitable[Result]]) -> Result:
        """Runs a body. While it does, this process has the lease of its key.

        So whoever waits for the lease has heard of a failure before the lease is free.

        Raises:
            asyncio.CancelledError: the job was cancelled, or the product failed elsewhere, while it waited.
        """
        await self._begin(job)
        try:
            value, error = await run()
        except Exception as trouble:
            await self._tell(job, trouble)
            raise
        if error is not None:
            await self._tell(job, error)
        return value, error

    def ended(self, job: Job, outcome: Outcome[Any] | None) -> None:
        """Records how a job ended; ``outcome`` is ``None`` if it failed or was given up."""
        if outcome is not None and outcome.status is Status.REFRESHED and job.key is not None:
            self._start(self._workers.forget(job.key))
        # An interrupted job has neither made its product nor failed: its ticket stays open for others to make it.
        is_over = outcome is not None or job.failed is not None
        if job.cancelled is not None:
            return  # whoever cancelled it has recorded that
        if is_over and job.is_promised and job.key is not None:
            self._start(asyncio.to_thread(self._tickets.end, job.key, job.failed))
        elif job.is_counted and job.key is not None:
            self._start(asyncio.to_thread(self._tickets.cut, job.key))

    async def _begin(self, job: Job) -> None:
        """Records in a ticket that its body runs, before it does: the body may kill this very process.

        Raises:
            asyncio.CancelledError: as in `around`.
        """
        key = job.key
        if key is None:
            return
        failed = self._heard.get(key) if job.options is PLAIN else None
        if failed is not None and job.is_promised:
            await asyncio.to_thread(self._tickets.end, key, failed)
        elif failed is None and job.is_promised and not job.is_counted:
            ticket = await asyncio.to_thread(self._tickets.recorded, key)
            if ticket is not None and job.is_answered_by(ticket):
                failed = ticket.failed
        if failed is not None:
            job.cancelled = failed
            raise asyncio.CancelledError
        if job.is_promised:
            await job.count(self._tickets.begin)

    async def _tell(self, job: Job, error: Exception) -> None:
        """Tells the others that a body failed, unless only this worker has trouble, or a stale result may answer."""
        if job.key is None or isinstance(error, BusyError) or job.resolved.spec.stale_if_error > 0:
            return
        failed = failure_of(error, self._clock.now())
        facts = {"key": job.key, "failed": msgspec.to_builtins(failed), "by": self._workers.name}
        try:
            await self._workers.ask(_FAILED, timeout=_TELLING, **facts)
        except (OSError, ValueError) as error:
            _log.warning("other workers do not know that %s failed: %s", job.name, error)

    async def _hear(self, facts: dict[str, Any]) -> bool:
        if facts["by"] != self._workers.name:
            self._heard[str(facts["key"])] = msgspec.convert(facts["failed"], Failed)
        return True

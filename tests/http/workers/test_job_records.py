"""What workers tell each other of bodies that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core import Options
from rave_core.model import PLAIN
from rave_core.testing.clock import FakeClock
from rave_http.executors.executor import BusyError, Result
from rave_http.jobs.job import Job
from rave_http.worker.job_records import JobRecords
from rave_http.workers.peers import WorkerRPC
from rave_http.workers.run_directory import RunDirectory

KEY = "lab/fails/1/2"
FAILURE_TIME = 5.0


class TicketNotes:
    """Tickets that only note what is recorded."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def end(self, key: str, failed: Any) -> None:
        """Notes an end."""
        self.ended.append((key, failed.detail))


def job(options: Options = PLAIN, *, stale_if_error: float = 0.0) -> Job:
    """A job of the key."""
    resolved: Any = SimpleNamespace(spec=SimpleNamespace(stale_if_error=stale_if_error))
    call: Any = SimpleNamespace(key=SimpleNamespace(text=KEY))
    unused: Any = None
    return Job("lab/fails", unused, resolved, call, options, 0.0)


def gives(result: Result) -> Callable[[], Awaitable[Result]]:
    """Runs a body with this result."""

    async def run() -> Result:
        return result

    return run


def in_two_workers(
    run_directory: RunDirectory, test: Callable[[JobRecords, JobRecords, TicketNotes, FakeClock], Awaitable[None]]
) -> None:
    """Runs ``test`` with what two workers know, the tickets of the second, and the clock of both."""

    async def run() -> None:
        rpc: list[Any] = [WorkerRPC(run_directory, f"worker-{number}") for number in (1, 2)]
        clock, tickets = FakeClock(), TicketNotes()
        noted: Any = tickets
        made = [JobRecords(noted, each, clock, lambda _: None, failure_time=FAILURE_TIME) for each in rpc]
        for each in rpc:
            await each.open()
        try:
            await test(made[0], made[1], tickets, clock)
        finally:
            for each in rpc:
                await each.close()

    asyncio.run(run())


@pytest.mark.parametrize("is_promised", [False, True])
def test_a_failure_elsewhere_ends_a_job_before_its_body(run_directory: RunDirectory, is_promised: bool) -> None:
    """Returned or raised, it is known to the others at once; a ticket that waits for the job fails with it."""

    async def test(one: JobRecords, other: JobRecords, tickets: TicketNotes, clock: FakeClock) -> None:
        await one.around(job(), gives((None, ValueError("no luck"))))
        waiting = job()
        waiting.promised_at = 1.0 if is_promised else None
        with pytest.raises(asyncio.CancelledError):
            await other.around(waiting, gives((1, None)))
        assert waiting.cancelled is not None
        assert waiting.cancelled.detail == "ValueError: no luck"
        assert tickets.ended == ([(KEY, "ValueError: no luck")] if is_promised else [])
        clock.advance(FAILURE_TIME + 1)
        assert await other.around(job(), gives((1, None))) == (1, None)

    in_two_workers(run_directory, test)


def test_who_asks_for_a_refresh_or_asks_the_same_worker_runs_it(run_directory: RunDirectory) -> None:
    """A refresh is wanted in spite of what was; what fails here is remembered with its job."""

    async def test(one: JobRecords, other: JobRecords, _: TicketNotes, __: FakeClock) -> None:
        await one.around(job(), gives((None, ValueError("no luck"))))
        assert await other.around(job(Options(refresh=True)), gives((1, None))) == (1, None)
        assert await one.around(job(), gives((1, None))) == (1, None)

    in_two_workers(run_directory, test)


@pytest.mark.parametrize(("error", "stale_if_error"), [(BusyError("full"), 0.0), (ValueError("no luck"), 60.0)])
def test_what_says_nothing_of_other_workers_is_not_told(
    run_directory: RunDirectory, error: Exception, stale_if_error: float
) -> None:
    """An executor that is full here, and a failure for which a stale result may stand in."""

    async def fails() -> Result:
        raise error

    async def test(one: JobRecords, other: JobRecords, _: TicketNotes, __: FakeClock) -> None:
        with pytest.raises(type(error)):
            await one.around(job(stale_if_error=stale_if_error), fails)
        assert await other.around(job(), gives((1, None))) == (1, None)

    in_two_workers(run_directory, test)

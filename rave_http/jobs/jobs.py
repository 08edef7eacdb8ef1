"""Jobs: the runs under way in one worker, one for each key, which requests start, join and wait for.

A job proceeds in three steps. It waits while another process makes the same product, without a place. It takes a place
of its executor. Then the engine runs the call. The place comes first: a job that held a flight or a lease while it
waits for a place could cause a deadlock.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

from rave_core.clock import Clock
from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_core.engine.execution import ResolvedOperation
from rave_core.errors import RaveError, describe_error
from rave_core.expiry import nocache
from rave_core.model import PLAIN, Call, Options, Outcome, Status
from rave_core.runtime.runtime import Runtime
from rave_core.storage.leases import Leases
from rave_http.auth.asker import Asker
from rave_http.description.request_arguments import Asked
from rave_http.executors import Executor
from rave_http.executors.executor import Result
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.jobs.admission import Admission
from rave_http.jobs.failures import failure_of, log_failure, problem_of
from rave_http.jobs.job import Job
from rave_http.jobs.job_reports import JobReports
from rave_http.jobs.other_runs import other_runs_ended
from rave_http.jobs.places import Places
from rave_http.jobs.stored_bytes import StoredBytes
from rave_http.jobs.tickets import Failed
from rave_http.settings import ServiceSettings
from rave_http.workers.metrics import Metrics

PULSE: Final = 0.5
"""Seconds after which other workers learn of a job under way, and between reports of its progress."""

_FAREWELL: Final = 2.0  # seconds that requests still wait once the worker is about to stop
_STORED: Final = (Status.MISS, Status.REFRESHED)
_log = logging.getLogger("rave.http")


class Jobs:
    """The jobs of one worker. For its event loop alone.

    Attributes:
        is_draining: set when the worker is about to stop: waits end soon, and no job starts that nobody waits for.
        around: called with each job whose body is about to run, and with what runs it and gives its result; awaited.
        on_end: called with each job that ended, and its outcome or ``None``.
    """

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        *,
        choose: Callable[[str], tuple[Executor, float | None]],
        metrics: Metrics,
        foreign: ForeignCode,
        settings: ServiceSettings,
    ) -> None:
        """Creates the jobs of a worker.

        Args:
            runtime: answers calls.
            clock: the source of time.
            choose: the executor and the time limit of an operation.
            metrics: where jobs are counted.
            foreign: calls code of operations other than bodies.
            settings: how many may wait for a place, in all and of one client, and how long failures are remembered.
        """
        self.is_draining = asyncio.Event()
        self.around: Callable[[Job, Callable[[], Awaitable[Result]]], Awaitable[Result]] = lambda _, run: run()
        self.on_end: Callable[[Job, Outcome[Any] | None], None] = lambda *_: None
        self._runtime = runtime
        self._reports = JobReports(metrics, runtime.events)
        self._clock = clock
        self._choose = choose
        self._foreign = foreign
        self._settings = settings
        self._failure_time = settings.failure_time
        self._admission = Admission(settings)
        self._stored = StoredBytes(clock, most=settings.client_bytes)
        self._places: dict[str, Places] = {}
        self._alone = asyncio.Lock()
        self._under_way: dict[object, Job] = {}
        self._recent: dict[str, Job] = {}
        self._stops_at = math.inf  # monotonic
        self._farewell = _FAREWELL

    def __iter__(self) -> Iterator[Job]:
        """The jobs under way."""
        return iter(list(self._under_way.values()))

    def find(self, key: str) -> Job | None:
        """The job of ``key`` that is under way in this worker, or ended so recently that it is remembered."""
        plain = self._under_way.get((key, PLAIN))
        if plain is not None:
            return plain
        others = (each for each in self._under_way.values() if each.key == key)
        return next(others, None) or self._recent.get(key)

    def join(
        self,
        name: str,
        asked: Asked,
        resolved: ResolvedOperation,
        call: Call,
        options: Options = PLAIN,
        *,
        asker: Asker | None = None,
        on_start: Callable[[], None] = lambda: None,
    ) -> Job:
        """The job of a call: the one under way, the one that just failed, or a new one.

        Args:
            name: ``namespace/operation``.
            asked: the call as it was written.
            resolved: the resolved operation.
            call: the call.
            options: how to answer it.
            asker: who waits for the result; ``None`` for nobody.
            on_start: called before a new one is started; what it raises keeps it from that.

        Raises:
            Problem: the queue is full, or the client has its share of it.
        """
        # A result that is never kept is computed for each request.
        slot: object = object()
        if call.key is not None and resolved.strategy is not nocache:
            slot = (call.key.text, options)
        found = self._under_way.get(slot)
        if found is None and call.key is not None and options is PLAIN:
            found = self._failure(call.key.text)
        if found is not None:
            found.askers |= set() if asker is None else {asker}
            return found
        self._admit(name, "" if asker is None else asker.identity)
        on_start()
        job = Job(name, asked, resolved, call, options, self._clock.now(), asker)
        self._under_way[slot] = job
        self._reports.queued(job)
        job.task = asyncio.create_task(self._run(slot, job), name=f"rave {name}")
        job.task.add_done_callback(partial(self._done, slot, job))
        return job

    def _failure(self, key: str) -> Job | None:
        """The job of ``key`` that failed in this worker so recently that it does not run again.

        It may still have an answer: a stale result that its operation allows after a failure.
        """
        found = self._recent.get(key)
        return found if found is not None and (found.failed is not None or found.is_stale) else None

    def of(self, key: str) -> list[Job]:
        """All jobs of ``key`` that are under way in this worker: a plain one, and those that refresh its result."""
        return [each for each in self._under_way.values() if each.key == key]

    async def cancel(self, job: Job, failed: Failed, seconds: float) -> bool:
        """Stops a job that is under way; see `Job.cancel`."""
        executor, _ = self._choose(job.name)
        return await job.cancel(failed, seconds, ends_bodies=executor.ends_bodies)

    async def wait(self, job: Job, seconds: float, *, for_ticket: bool = True) -> bool:
        """Waits for the end of a job, ``seconds`` at most. Returns whether it ended.

        Args:
            job: one of this worker.
            seconds: how long.
            for_ticket: whether the client gets a ticket otherwise. Such a wait lasts only a moment longer once the
                worker is about to stop.
        """
        job.waiting += 1
        try:
            if not job.task.done() and seconds > 0:
                await (self._wait_for_ticket(job, seconds) if for_ticket else asyncio.wait({job.task}, timeout=seconds))
        finally:
            job.waiting -= 1
            self._leave_to_others(job)
        return job.task.done()

    async def _wait_for_ticket(self, job: Job, seconds: float) -> None:
        """Waits, but no longer than the farewell once the worker is about to stop."""
        end = self._clock.monotonic() + seconds
        draining = asyncio.create_task(self.is_draining.wait())
        try:
            await asyncio.wait({job.task, draining}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()
        left = min(end - self._clock.monotonic(), self._farewell)
        if not job.task.done() and left > 0:
            await asyncio.wait({job.task}, timeout=left)

    def _leave_to_others(self, job: Job) -> None:
        """Gives up a job that has no place yet and that nobody waits for, if the worker is about to stop.

        Another worker makes its product when the client asks with its ticket.
        """
        if self.is_draining.is_set() and job.began is None and not job.waiting:
            job.task.cancel()

    async def publish(self) -> None:
        """Publishes the jobs under way in this worker, and their progress."""
        stores: dict[int, Leases] = {}
        for each in self._under_way.values():
            if each.began is not None and each.resolved.leases is not None:
                stores[id(each.resolved.leases)] = each.resolved.leases
        for leases in stores.values():
            await asyncio.to_thread(leases.publish)

    def stop_within(self, seconds: float) -> None:
        """Announces that the worker stops after ``seconds`` at most; only the first call has an effect.

        Requests that its connections still bring are answered: jobs start for them, and they wait a moment.
        """
        if not self.is_draining.is_set():
            self._stops_at = self._clock.monotonic() + seconds
            self._farewell = min(_FAREWELL, seconds / 3)
            self.is_draining.set()
            for each in self:
                each.tell()
                self._leave_to_others(each)

    async def drain(self) -> None:
        """Lets jobs finish until the time of `stop_within`, and gives up the rest."""
        while tasks := {each.task for each in self}:
            _, late = await asyncio.wait(tasks, timeout=max(self._stops_at - self._clock.monotonic(), 0.0))
            if late:
                for task in late:
                    task.cancel()
                _log.warning("%d computations were abandoned at the end of the grace time", len(late))
                await asyncio.wait(late, timeout=1.0)
                return

    def _admit(self, name: str, client: str) -> None:
        self._stored.check(client)
        executor, _ = self._choose(name)
        jobs = [each for each in self._under_way.values() if self._choose(each.name)[0] is executor]
        self._admission.admit(client, jobs, executor.slots)

    async def _run(self, slot: object, job: Job) -> Outcome[Any]:
        outcome = None
        try:
            outcome = await self._guarded(job)
        except asyncio.CancelledError:
            if job.cancelled is None:
                raise
            job.failed = job.cancelled
            _log.info("%s: %s", job.name, job.failed.detail)
            raise problem_of(job.cancelled, 0.0) from None
        except Exception as error:
            job.failed = failure_of(error, self._clock.now())
            log_failure(job.name, job.failed, error)
            raise
        finally:
            self._close(slot, job, outcome)
        return outcome

    def _close(self, slot: object, job: Job, outcome: Outcome[Any] | None) -> None:
        """Takes a job that ended out of those under way."""
        job.is_made = outcome is not None
        job.ended = self._clock.monotonic()
        self._reports.ended(job, outcome)
        self._under_way.pop(slot, None)
        job.is_stale = outcome is not None and outcome.status is Status.STALE
        if outcome is not None and outcome.status in _STORED and outcome.entry is not None:
            self._stored.add(job.client, outcome.entry.size)
        self._remember(job, outcome)
        job.tell()
        self.on_end(job, outcome)

    def _done(self, slot: object, job: Job, task: asyncio.Task[Outcome[Any]]) -> None:
        if job.ended is None:  # it was cancelled before it started
            self._close(slot, job, None)
        if not task.cancelled():
            task.exception()  # perhaps nobody waited when it failed, and the log has the failure

    async def _guarded(self, job: Job) -> Outcome[Any]:
        """The outcome of a job. An exception that would stop the event loop ends only this job."""
        try:
            return await self._computed(job)
        except (SystemExit, KeyboardInterrupt) as error:
            raise LeftError(describe_error(error)) from error

    async def _computed(self, job: Job) -> Outcome[Any]:
        if job.is_suspect:  # one at a time, so that one that kills again does not take others with it
            async with self._alone:
                return await self._placed(job)
        return await self._placed(job)

    async def _placed(self, job: Job) -> Outcome[Any]:
        executor, limit = self._choose(job.name)
        runtime, call, resolved = self._runtime, job.call, job.resolved
        await other_runs_ended(job, runtime.container.engine.flights)
        async with self._places_of(executor).take(job.client):
            job.began = started = self._clock.monotonic()
            self._reports.started(job)
            context = ExecutionContext(runtime, listener=job.listen, cancellation=job.cancellation)

            async def run(step: RunBody) -> Result:
                job.is_running, job.may_be_kept = True, False
                result = await self.around(job, partial(executor.run, step, time_limit=limit))
                job.may_be_kept = True
                return result

            foreign = partial(self._foreign.call_within, limit, job.name)
            outcome = await runtime.container.engine.compute_async(resolved, call, job.options, context, run, foreign)
        if runtime.observed:
            await self._observed(job, outcome, self._clock.monotonic() - started)
        return outcome

    def _places_of(self, executor: Executor) -> Places:
        places = self._places.get(executor.name)
        if places is None:
            most_of_one = self._settings.share_of(executor.slots)
            places = self._places[executor.name] = Places(executor.slots, most_of_one=most_of_one)
        return places

    async def _observed(self, job: Job, outcome: Outcome[Any], seconds: float) -> None:
        """Notifies plugins of a call. One that never ends delays the answer only by the time limit of such calls."""
        observe = partial(
            self._runtime.diagnostics.observe, "rave_called", call=job.call, outcome=outcome, seconds=seconds
        )
        try:
            await self._foreign.call("rave_called", observe)
        except RaveError as error:
            _log.warning("plugins were not notified of a call of %s: %s", job.name, error)

    def _remember(self, job: Job, outcome: Outcome[Any] | None) -> None:
        """Keeps a failure, or a result that no cache keeps, for requests a moment later."""
        key = job.key
        is_lost = (job.failed is not None and not job.failed.is_cancelled) or job.is_stale
        if key is None or not (is_lost or (outcome is not None and outcome.status is Status.UNCACHED)):
            return
        self._recent[key] = job
        # It may have failed elsewhere, some time ago.
        passed = 0.0 if job.failed is None else max(0.0, self._clock.now() - job.failed.at)
        asyncio.get_running_loop().call_later(max(0.0, self._failure_time - passed), self._forget, key, job)

    def _forget(self, key: str, job: Job) -> None:
        if self._recent.get(key) is job:
            del self._recent[key]

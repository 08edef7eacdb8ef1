"""The executor ``processes``: bodies run in child processes, which can be killed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Final

from rave_core.engine.context import announce
from rave_core.engine.effects import RunBody
from rave_core.errors import TimeLimitError
from rave_core.runtime.runtime import runtime_of
from rave_core.settings import Settings
from rave_http.executors.child_channel import log_levels
from rave_http.executors.child_jobs import Answer, BodyCall, ChildConfig
from rave_http.executors.child_process import ChildProcess, GoneError, KilledError
from rave_http.executors.child_runtime import work
from rave_http.executors.executor import SPARE, BusyError, Executor, Result, WorkerLostError
from rave_http.executors.handover import MisfitError, body_call, make_ready, settled
from rave_http.executors.threads import ThreadExecutor, ThreadWorkers
from rave_http.protocol.tracing import current_trace

_ENDING: Final = 5.0

_log = logging.getLogger("rave.http")


class Errand:
    """One run of a body in a child. A thread carries it out; its caller may cancel it."""

    def __init__(self, step: RunBody, number: int, time_limit: float | None) -> None:
        self.step = step
        self.operation = step.context.operation
        self.number = number
        self.time_limit = time_limit
        self.trace = current_trace.get()
        self._lock = threading.Lock()
        self._child_process: ChildProcess | None = None
        self._is_called_off = False

    def call_off(self) -> None:
        """Kills the child, so that the body ends. From any thread."""
        with self._lock:
            self._is_called_off = True
            child_process = self._child_process
        if child_process is not None:
            child_process.kill()

    def job(self) -> BodyCall:
        """The job as the child needs it.

        Raises:
            MisfitError: the body can't run there.
        """
        return body_call(self.step, self.number, self.trace)

    def go(self, child_process: ChildProcess, job: BodyCall) -> Answer:
        """Runs the body in the child.

        Raises:
            MisfitError: it can't run there.
            TimeoutError: it took too long; it runs on.
            GoneError, KilledError: as by `ChildProcess.ask`, or it was cancelled before.
        """
        with self._lock:
            if self._is_called_off:
                raise KilledError
            self._child_process = child_process
        make_ready(child_process, job)
        answer = child_process.ask(self.time_limit, work, job)
        if answer.pickled is None:
            raise MisfitError(answer.misfit)
        return answer


class ProcessExecutor(Executor):
    """Runs bodies in child processes.

    A child starts when one is needed and none is idle, and then stays. A body at its time limit, or one whose caller is
    gone, is killed with its child and all that it started. Some bodies can't run in a child: another process can't find
    the operation by module and name, or the arguments can't be pickled. They run in a thread, with one warning.
    """

    name = "processes"
    ends_bodies = True

    def __init__(self, slots: int, settings: Settings, directories: Mapping[str, str]) -> None:
        self.slots = slots
        self._settings = settings
        self._directories = directories
        self._thread_workers = ThreadWorkers("rave-errand", SPARE * slots)
        self._local = ThreadExecutor(slots)
        self._running: dict[asyncio.Future[Result | MisfitError], Errand] = {}
        self._numbers = itertools.count(1)
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._generation = 0
        self._idle: list[ChildProcess] = []
        self._keepers: set[ChildProcess] = set()
        self._is_closed = False

    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a body in a child process, or in a thread if it can't run there."""
        errand = Errand(step, next(self._numbers), time_limit)
        try:
            future = self._thread_workers.start(partial(self._conduct, errand))
        except BusyError as error:
            return None, error
        running = asyncio.wrap_future(future)
        self._running[running] = errand
        try:
            await asyncio.wait({running})
        finally:
            del self._running[running]
            if not future.done():
                running.cancel()
                errand.call_off()
        result = running.result()
        if not isinstance(result, MisfitError):
            return result
        self._tell(errand.operation, str(result))
        return await self._local.run(step, time_limit=time_limit)

    def renew(self) -> None:
        """Announces a change of code: idle children end at once, the others after their current task."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for child_process in idle:
            child_process.kill()

    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds, then kills them; no child is left behind."""
        local = asyncio.create_task(self._local.close(grace))
        if self._running:
            _, late = await asyncio.wait(list(self._running), timeout=grace)
            for errand in [self._running[running] for running in late if running in self._running]:
                errand.call_off()
            if late:
                await asyncio.wait(late, timeout=_ENDING)
        await local
        self._thread_workers.dismiss()
        await asyncio.to_thread(self._end)

    def _conduct(self, errand: Errand) -> Result | MisfitError:
        """Carries out a run, in one of the threads."""
        operation = errand.operation
        try:
            job = errand.job()
            child_process = self._take()
        except MisfitError as misfit:
            return misfit
        except (OSError, RuntimeError) as trouble:  # no more processes, threads or files
            return None, BusyError(f"no process could be started for {operation}: {trouble}")
        try:
            return settled(errand.step, self._answer(errand, child_process, job))
        except MisfitError as misfit:
            return misfit
        except TimeoutError:
            return None, TimeLimitError(f"{operation} was ended at its time limit of {errand.time_limit} s")
        except KilledError:
            return None, WorkerLostError(f"{operation} was ended, since its worker stops")
        except GoneError as gone:
            return None, WorkerLostError(f"{operation} did not come to its end: {gone}")

    def _answer(self, errand: Errand, child_process: ChildProcess, job: BodyCall) -> Answer:
        latest = None
        context = errand.step.context
        relay = runtime_of(context).events.relay
        child_process.hearing.begin(errand.number, partial(announce, context), relay)
        try:
            answer = errand.go(child_process, job)
            latest = answer.progress
            return answer
        finally:
            child_process.hearing.end(latest)
            self._give_back(child_process)

    def _take(self) -> ChildProcess:
        """An idle child, else a new one."""
        with self._lock:
            generation = self._generation
            while self._idle:
                child_process = self._idle.pop()
                if child_process.is_idle:
                    return child_process
                child_process.kill()
        child_process = ChildProcess(ChildConfig(self._settings, dict(self._directories), log_levels()), generation)
        with self._lock:
            self._keepers = {each for each in self._keepers if not each.is_gone} | {child_process}
            is_late = self._is_closed
        if is_late:
            child_process.kill()
        return child_process

    def _give_back(self, child_process: ChildProcess) -> None:
        """Keeps a child for the next run, if it is sound, has the current code, and is not surplus."""
        with self._lock:
            is_kept = (
                child_process.generation == self._generation and not self._is_closed and len(self._idle) < self.slots
            )
            if is_kept and child_process.is_idle:
                self._idle.append(child_process)
                return
        child_process.kill()

    def _end(self) -> None:
        with self._lock:
            self._is_closed = True
            self._idle.clear()
            child_processes = list(self._keepers)
        for child_process in child_processes:
            child_process.kill()
        for child_process in child_processes:
            child_process.join(_ENDING)

    def _tell(self, operation: str, misfit: str) -> None:
        if (operation, misfit) not in self._told:
            self._told.add((operation, misfit))
            _log.warning("%s runs in a thread, where it can't be ended: in a child process %s", operation, misfit)

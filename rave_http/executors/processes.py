"""The executor ``processes``: bodies run in child processes, which can be killed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import pickle
import sys
import threading
from collections.abc import Mapping
from functools import partial
from typing import Final

from rave_core.engine.effects import Run
from rave_core.errors import TimeLimitError, told
from rave_core.settings import Settings
from rave_http.executors.child_channel import log_levels
from rave_http.executors.child_process import GoneError, Keeper, KilledError
from rave_http.executors.child_runtime import Answer, Equipment, Job, Place, find, prepare, work
from rave_http.executors.executor import SPARE, BusyError, Executor, Result, WorkerLostError
from rave_http.executors.pickled_result import opened
from rave_http.executors.stats_delta import add
from rave_http.executors.threads import Crew, ThreadExecutor
from rave_http.protocol.tracing import current_trace

PREPARATION: Final = 60.0
"""Seconds that a child may take to start, and to import what an operation needs."""

_ENDING: Final = 5.0

_log = logging.getLogger("rave.http")


class MisfitError(Exception):
    """A body can't run in a child; the message says why."""


class Errand:
    """One body on its way through a child. Its thread goes the way, its caller may call it off."""

    def __init__(self, step: Run, number: int, time_limit: float | None) -> None:
        self.step = step
        self.operation = step.scope.operation
        self.number = number
        self.time_limit = time_limit
        self.trace = current_trace.get()
        self._lock = threading.Lock()
        self._keeper: Keeper | None = None
        self._is_called_off = False

    def call_off(self) -> None:
        """Kills the child, so that the body ends. From any thread."""
        with self._lock:
            self._is_called_off = True
            keeper = self._keeper
        if keeper is not None:
            keeper.kill()

    def job(self) -> Job:
        """What the child needs to know.

        Raises:
            MisfitError: the body can't run there.
        """
        step, call, scope = self.step, self.step.call, self.step.scope
        place = place_of(step)
        try:
            arguments = pickle.dumps((step.args, step.kwargs, call.args, call.named), protocol=5)
        except Exception as error:  # noqa: BLE001  # the code of a stranger
            raise MisfitError(f"its arguments can't be sent there: {told(error)}") from None
        done = frozenset(scope.deep.done) if scope.deep is not None else None
        return Job(self.number, place, self.operation, call.key, _keys_around(step), arguments, done, self.trace)

    def go(self, keeper: Keeper, job: Job) -> Answer:
        """Lets the child run the body.

        Raises:
            MisfitError: it can't run there.
            TimeoutError: it took too long; it runs on.
            GoneError, KilledError: as by `Keeper.ask`, or it was called off before.
        """
        with self._lock:
            if self._is_called_off:
                raise KilledError
            self._keeper = keeper
        _make_ready(keeper, job)
        answer = keeper.ask(self.time_limit, work, job)
        if answer.parcel is None:
            raise MisfitError(answer.misfit)
        return answer


def _make_ready(keeper: Keeper, job: Job) -> None:
    """Lets the child load what a job needs, which does not count against its time limit."""
    version = job.key.version if job.key is not None else None
    if (job.place, version) in keeper.ready:
        return
    try:
        misfit = keeper.ask(PREPARATION, prepare, job.place, version)
    except TimeoutError:
        raise GoneError(f"its process was not ready within {PREPARATION:g} s") from None
    if misfit:
        raise MisfitError(misfit)
    keeper.ready.add((job.place, version))


class ProcessExecutor(Executor):
    """Runs bodies in child processes.

    A child is started when one is needed and none is idle, and then kept. A body at its time limit, or one whose
    caller is gone, is killed with its child and with what it started. What can't run there - an operation that another
    process can't find by module and name, or arguments that can't be pickled - runs in a thread, with one warning.
    """

    name = "processes"

    def __init__(self, slots: int, settings: Settings, directories: Mapping[str, str]) -> None:
        self.slots = slots
        self._settings = settings
        self._directories = dict(directories)
        self._crew = Crew("rave-errand", SPARE * slots)
        self._local = ThreadExecutor(slots)
        self._running: dict[asyncio.Future[Result | MisfitError], Errand] = {}
        self._numbers = itertools.count(1)
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._generation = 0
        self._idle: list[Keeper] = []
        self._keepers: set[Keeper] = set()
        self._is_closed = False

    async def run(self, step: Run, *, time_limit: float | None) -> Result:
        """Runs a body in a child process; in a thread where it can't run there."""
        errand = Errand(step, next(self._numbers), time_limit)
        try:
            future = self._crew.start(partial(self._conduct, errand))
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
        """Code has changed: idle children end at once, the others after what they do now."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for keeper in idle:
            keeper.kill()

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
        self._crew.dismiss()
        await asyncio.to_thread(self._end)

    def _conduct(self, errand: Errand) -> Result | MisfitError:
        """Goes an errand to its end, in a thread of the crew."""
        operation = errand.operation
        try:
            job = errand.job()
            keeper = self._take()
        except MisfitError as misfit:
            return misfit
        except (OSError, RuntimeError) as trouble:  # no more processes, threads or files
            return None, BusyError(f"no process could be started for {operation}: {trouble}")
        try:
            return self._settled(errand, self._answer(errand, keeper, job))
        except MisfitError as misfit:
            return misfit
        except TimeoutError:
            return None, TimeLimitError(f"{operation} was ended at its time limit of {errand.time_limit} s")
        except KilledError:
            return None, WorkerLostError(f"{operation} was ended, since its worker stops")
        except GoneError as gone:
            return None, WorkerLostError(f"{operation} did not come to its end: {gone}")

    def _answer(self, errand: Errand, keeper: Keeper, job: Job) -> Answer:
        latest = None
        keeper.hearing.begin(errand.number, errand.step.scope)
        try:
            answer = errand.go(keeper, job)
            latest = answer.progress
            return answer
        finally:
            keeper.hearing.end(latest)
            self._give_back(keeper)

    def _settled(self, errand: Errand, answer: Answer) -> Result:
        scope = errand.step.scope
        scope.children.update(dict.fromkeys(answer.children))
        if scope.deep is not None:
            scope.deep.done.update(answer.done)
        add(scope.runtime.statistics, answer.counts)
        assert answer.parcel is not None
        return opened(errand.operation, answer.parcel)

    def _take(self) -> Keeper:
        """An idle child, else a new one."""
        with self._lock:
            generation = self._generation
            while self._idle:
                keeper = self._idle.pop()
                if keeper.is_idle:
                    return keeper
                keeper.kill()
        keeper = Keeper(Equipment(self._settings, self._directories, log_levels()), generation)
        with self._lock:
            self._keepers = {each for each in self._keepers if not each.is_gone} | {keeper}
            is_late = self._is_closed
        if is_late:
            keeper.kill()
        return keeper

    def _give_back(self, keeper: Keeper) -> None:
        """Keeps a child for the next one, if it is sound, of the present code, and not one too many."""
        with self._lock:
            is_kept = keeper.generation == self._generation and not self._is_closed and len(self._idle) < self.slots
            if is_kept and keeper.is_idle:
                self._idle.append(keeper)
                return
        keeper.kill()

    def _end(self) -> None:
        with self._lock:
            self._is_closed = True
            self._idle.clear()
            keepers = list(self._keepers)
        for keeper in keepers:
            keeper.kill()
        for keeper in keepers:
            keeper.join(_ENDING)

    def _tell(self, operation: str, misfit: str) -> None:
        if (operation, misfit) not in self._told:
            self._told.add((operation, misfit))
            _log.warning("%s runs in a thread, where it can't be ended: in a child process %s", operation, misfit)


def place_of(step: Run) -> Place:
    """Where another process finds the operation of a step.

    Raises:
        MisfitError: nowhere.
    """
    function = step.call.spec.function
    place = Place(function.__module__ or "", function.__qualname__)
    module = sys.modules.get(place.module)
    if place.module in ("__main__", "__mp_main__") or module is None:
        raise MisfitError(f"there is no module {place.module!r} to import it from")
    found = find(module, place.qualname)
    if found is None or found.function is not function:
        raise MisfitError(f"it can't be found: {place.module} has no such {place.qualname!r}, or another one by now")
    return place


def _keys_around(step: Run) -> tuple[str, ...]:
    keys: list[str] = []
    scope = step.scope.parent
    while scope is not None:
        keys += [scope.key] if scope.key is not None else []
        scope = scope.parent
    return tuple(reversed(keys))

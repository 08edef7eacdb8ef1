"""The statistics of all workers: ``logging.statistics`` of each, RAVE's sums over all of them, pause and resume."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from rave_core.clock import Clock
from rave_core.errors import UnknownNameError, nearest
from rave_core.telemetry.statistics import (
    NAMESPACE,
    SLOW,
    Caller,
    Record,
    Statistics,
    extrapolate,
    pause,
    repository,
    resume,
)
from rave_http.workers.peers import WorkerRPC
from rave_http.workers.run_directory import RunDirectory

_REPORT: Final = "statistics"
_SWITCH: Final = "statistics-switch"
_PAUSED: Final = "paused-statistics"
_log = logging.getLogger("rave.http")


def merge_statistics(by_worker: Mapping[str, Mapping[str, Any]], *, clock: Clock | None = None) -> dict[str, Any]:
    """The statistics of all workers in one document.

    Args:
        by_worker: the extrapolated ``logging.statistics`` of each worker, by its name.
        clock: the source of time.

    Returns:
        dict[str, Any]: ``RAVE`` has the sums over all workers, with totals and ratios computed from these, in operation
        since the first of them started; ``workers`` has the document of each, where other namespaces are shown.
    """
    total = Statistics(clock)
    spaces = [space for document in by_worker.values() if isinstance(space := document.get(NAMESPACE), dict)]
    for space in spaces:
        _add(space, total.namespace)
        operations = space.get("Operations")
        for name, record in operations.items() if isinstance(operations, dict) else ():
            if isinstance(record, dict):
                _add(record, total.record(name))
    total.list_slow(sorted([run for space in spaces for run in _slow(space)], key=_ended))
    starts = [space["Start Time"] for space in spaces if _is_number(space.get("Start Time"))]
    total.namespace["Enabled"] = all(space.get("Enabled", True) for space in spaces)
    total.namespace["Start Time"] = min(starts, default=total.namespace["Start Time"])
    return {NAMESPACE: extrapolate(total.namespace), "workers": dict(by_worker)}


def of_operations(document: Mapping[str, Any], may_see: Callable[[str], bool]) -> dict[str, Any]:
    """A document of `merge_statistics` with the records of some operations only; the sums are those of all.

    Args:
        document: stays unchanged.
        may_see: whether the record of the operation of that full name stays.
    """

    def chosen(spaces: Mapping[str, Any]) -> dict[str, Any]:
        space = spaces.get(NAMESPACE)
        operations = space.get("Operations") if isinstance(space, dict) else None
        if not isinstance(space, dict) or not isinstance(operations, dict):
            return dict(spaces)
        left = {name: record for name, record in operations.items() if may_see(name)}
        slow = [run for run in _slow(space) if may_see(str(run.get("Operation")))]
        return {**spaces, NAMESPACE: {**space, "Operations": left, SLOW: slow}}

    return {**chosen(document), "workers": {name: chosen(each) for name, each in document["workers"].items()}}


class StatisticsReport:
    """The statistics of one worker among those of the others. For its event loop alone.

    The run directory records what is paused, so a worker that starts later pauses it too.
    """

    def __init__(
        self, rpc: WorkerRPC, run_directory: RunDirectory, *, clock: Clock | None = None, call: Caller | None = None
    ) -> None:
        """Reports of this worker to the others.

        Args:
            rpc: reaches them.
            run_directory: records what is paused.
            clock: the source of time.
            call: calls the functions that others put into the statistics; without it they have no time limit.
        """
        self._rpc = rpc
        self._run_directory = run_directory
        self._clock = clock
        self._call = call
        rpc.answer(_REPORT, self._own)
        rpc.answer(_SWITCH, self._switched)

    async def open(self) -> None:
        """Pauses in this worker what others have paused. Call it once other workers can reach this one.

        Raises:
            OSError: the run directory is gone.
        """
        await asyncio.to_thread(self._hold)

    async def document(self) -> dict[str, Any]:
        """The statistics of all workers; ``silent`` lists those that did not answer, and why."""
        answers = await self._rpc.ask(_REPORT)
        merged = await asyncio.to_thread(merge_statistics, answers, clock=self._clock)
        return merged | {"silent": answers.silent}

    async def pause(self, name: str) -> None:
        """Stops collection in a namespace of statistics, in every worker.

        Raises:
            UnknownNameError: no worker has such a namespace, or it can't be paused.
            OSError: the run directory is gone.
        """
        # The run directory comes first: a worker that starts now either reads it there or receives the question.
        await self._note(lambda paused: {*paused, name})
        try:
            await self._switch(name, is_enabled=False)
        except UnknownNameError:
            await self._note(lambda paused: paused - {name})
            raise

    async def resume(self, name: str) -> None:
        """Starts collection in a namespace of statistics again, in every worker.

        Raises:
            UnknownNameError: no worker has such a namespace, or it can't be paused.
            OSError: the run directory is gone.
        """
        await self._note(lambda paused: paused - {name})
        await self._switch(name, is_enabled=True)

    async def _note(self, change: Callable[[set[str]], set[str]]) -> None:
        await asyncio.to_thread(self._run_directory.update, _PAUSED, lambda old: sorted(change(set(old or ()))))

    async def _switch(self, name: str, *, is_enabled: bool) -> None:
        answers = await self._rpc.ask(_SWITCH, name=name, is_enabled=is_enabled)
        if answers.silent:
            _log.warning("some workers were not notified that statistics %r were switched: %s", name, answers.silent)
        if not any(answer["is_known"] for answer in answers.values()):
            known = {other for answer in answers.values() for other in answer["known"]}
            raise UnknownNameError(f"no statistics {name!r} that can be paused: {nearest(name, known)}")

    async def _own(self, _facts: dict[str, Any]) -> dict[str, Any]:
        """The statistics of this worker. A namespace that was recreated since its pause is paused again."""
        await asyncio.to_thread(self._hold)
        return await asyncio.to_thread(extrapolate, repository(), self._call)

    def _switched(self, facts: dict[str, Any]) -> dict[str, Any]:
        name, is_enabled = facts["name"], facts["is_enabled"]
        known = _pausable()
        if name in known:
            (resume if is_enabled else pause)(name)
        return {"is_known": name in known, "known": known}

    def _hold(self) -> None:
        """Pauses the namespaces recorded in the run directory.

        It holds the lock: the worker that resumes first changes the run directory, and then notifies the others.
        """
        with self._run_directory.locked(_PAUSED, shared=True):
            for name in set(_pausable()).intersection(self._run_directory.read(_PAUSED) or ()):
                pause(name)


def _pausable() -> list[str]:
    spaces = list(repository().items())
    return [name for name, space in spaces if isinstance(space, dict) and "Enabled" in space]


def _add(cells: Mapping[str, Any], to: dict[str, Any]) -> None:
    """Adds every number to the cell of its name. Cells computed from others stay computed."""
    for name, value in cells.items():
        if _is_number(value) and not callable(to.get(name)):
            to[name] = to.get(name, 0) + value


def _slow(space: Mapping[str, Any]) -> list[Record]:
    """The slow runs in a namespace."""
    runs = space.get(SLOW)
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def _ended(run: Record) -> float:
    moment = run.get("End Time")
    return moment if _is_number(moment) else 0.0


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

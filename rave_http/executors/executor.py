"""The interface of executors, which run bodies of operations: the event loop must never run one itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rave_core.engine.effects import RunBody
from rave_core.errors import RaveError
from rave_core.settings import Settings
from rave_http.settings import ServiceSettings

SPARE: Final = 4
"""The most bodies at once, as a multiple of the slots: the surplus is for abandoned bodies that still run."""

Result: TypeAlias = tuple[Any, Exception | None]
"""What a body returned and ``None``, or ``None`` and its exception."""


class WorkerLostError(RaveError, ChildProcessError):
    """The process that ran a body died, or was ended because the service stops."""


class UnfitWorkerError(RaveError, RuntimeError):
    """A body can't run on another machine: it can't travel, or the worker there has other code or another cache."""


class BusyError(RaveError, RuntimeError):
    """An executor can't run a body now: too many abandoned ones still run, it is closed, or the code was replaced."""


@dataclass(frozen=True, slots=True)
class ExecutorContext:
    """The facts that an executor may need.

    Attributes:
        settings: those of the runtime that answers calls.
        service: those of the service.
        directories: the namespaces that are plain directories, by name; a live view.
    """

    settings: Settings
    service: ServiceSettings
    directories: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExecutorFigures:
    """What an executor has outside of this worker, and what it did there since the worker started.

    Attributes:
        workers: processes or machines there that take bodies; other workers of the service may use the same.
        threads: bodies that they run at once, all together.
        bodies: those of this worker that run or wait there now.
        started, repeated, lost: its bodies that started there, that started once more since their worker was lost, and
            that were given up for that reason.
    """

    workers: int = 0
    threads: int = 0
    bodies: int = 0
    started: int = 0
    repeated: int = 0
    lost: int = 0


class Executor(ABC):
    """Runs bodies for the event loop of one worker. Create it in the worker: forks must not share it.

    Attributes:
        name: as it was registered.
        slots: bodies that run at once. The caller takes a place first: a run never waits for another.
        ends_bodies: whether cancelling a run is sure to end its body, also one that is not a coroutine.
    """

    name: str
    slots: int
    ends_bodies: bool = False

    @abstractmethod
    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a body in the step's execution context, so that its calls are cached and recorded as its children.

        Cancelling the task ends the body as far as that can be done.

        Args:
            step: what to run.
            time_limit: seconds, ``None`` for no limit. The time to start the body does not count.

        Returns:
            The value and ``None``, or ``None`` and an exception: the body's own unchanged, `TimeLimitError`,
            `WorkerLostError`, `UnfitWorkerError`, `BusyError`, or another `RaveError` for a value that can't be brought
            here.
        """

    @abstractmethod
    def renew(self) -> None:
        """Announces a change of code: bodies that start from now on use the new code. Running bodies finish."""

    @abstractmethod
    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds, then ends them as far as that can be done."""

    def check(self) -> str | None:
        """What keeps bodies from running now, in words; ``None`` if nothing does. ``/-/readyz`` shows it.

        Called in a thread for each of these requests, so it should not wait for anything.
        """
        return None

    def figures(self) -> ExecutorFigures | None:
        """What it has elsewhere; ``None`` if bodies run here. ``/-/metrics`` and the status page show it.

        Called in any thread, about once a second during requests, so it should not wait for anything.
        """
        return None


ExecutorFactory: TypeAlias = Callable[[ExecutorContext], Executor]

"""What an executor is: it runs bodies of operations for the event loop, which must never run one itself."""

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
"""How many times its slots an executor may have in use: the surplus is for bodies that nobody waits for any more."""

Result: TypeAlias = tuple[Any, Exception | None]
"""What a body returned and ``None``, or ``None`` and its exception."""


class WorkerLostError(RaveError, ChildProcessError):
    """The process that ran a body died, or was ended because the service stops."""


class BusyError(RaveError, RuntimeError):
    """An executor has no room for a further body, since too many of those given up still run; or it was closed."""


@dataclass(frozen=True, slots=True)
class ExecutorContext:
    """What an executor may need to know.

    Attributes:
        settings: those of the runtime that answers calls.
        service: those of the service.
        directories: the namespaces that are plain directories, by name.
    """

    settings: Settings
    service: ServiceSettings
    directories: Mapping[str, str]


class Executor(ABC):
    """Runs bodies for the event loop of one worker. Made before the worker needs it, and not to be shared by a fork.

    Attributes:
        name: as it was registered.
        slots: bodies that run at once. The caller takes a place first: a run never waits for another.
    """

    name: str
    slots: int

    @abstractmethod
    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a body in the step's scope, so that what it calls is cached, and counts as what it was made of.

        Cancelling the task ends the body as far as that can be done.

        Args:
            step: what to run.
            time_limit: seconds, ``None`` for no limit. What it takes to get a body started is not counted.

        Returns:
            The value and ``None``, or ``None`` and an exception: the body's own unchanged, `TimeLimitError`,
            `WorkerLostError`, `BusyError`, or another `RaveError` for a value that can't be brought here.
        """

    @abstractmethod
    def renew(self) -> None:
        """Code has changed: what starts from now on runs the new code. What runs already comes to its end."""

    @abstractmethod
    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds, then ends them as far as that can be done."""


ExecutorFactory: TypeAlias = Callable[[ExecutorContext], Executor]

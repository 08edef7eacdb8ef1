"""The execution context: what surrounds a running operation, and what it passes to the operations it calls.

The context travels in a context variable. Threads do not inherit context variables: `carry` and `ThreadPool` hand the
caller's context on, so that its runtime, deep refresh, lineage and progress reach into threads.
"""

from __future__ import annotations

import contextvars
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

from rave_core.engine.single_flight import SingleFlight
from rave_core.model import Progress
from rave_core.telemetry.statistics import Statistics

if TYPE_CHECKING:
    from rave_core.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


Listener: TypeAlias = Callable[[str, Progress], None]


class DeepRefresh:
    """One deep refresh: the keys recomputed in it. Each key is recomputed only once."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done: set[str] = set()


class Cancellation:
    """The wish to end a computation early. Its bodies notice it when they report progress or have to compute something.

    A thread can't be ended from outside. Safe for many threads.

    Attributes:
        is_asked: whether the computation should end.
        bodies: how many of its bodies run in this process now.
        was_here: whether one of its bodies has ever run in this process.
    """

    __slots__ = ("_lock", "bodies", "is_asked", "was_here")

    def __init__(self) -> None:
        self.is_asked = False
        self.bodies = 0
        self.was_here = False
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Asks the computation to end."""
        self.is_asked = True

    def check(self) -> None:
        """Returns if the computation may continue.

        Raises:
            asyncio.CancelledError: it should end. ``except Exception`` does not catch it.
        """
        if self.is_asked:
            import asyncio  # only here: programs without an event loop have no use for it

            raise asyncio.CancelledError("the job was cancelled")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts a body while it runs."""
        with self._lock:
            self.bodies, self.was_here = self.bodies + 1, True
        try:
            yield
        finally:
            with self._lock:
                self.bodies -= 1


class AbstractRuntime(ABC):
    """Where calls are answered: what an execution context knows about its `rave_core.Runtime`.

    Attributes:
        context: the context of calls from outside of any operation.
        statistics: those of the process.
    """

    context: ExecutionContext
    statistics: Statistics

    @abstractmethod
    def close(self) -> None:
        """Closes what is open."""


class ExecutionContext:
    """What surrounds a call: its runtime, and the computation that makes the call, if any.

    Attributes:
        runtime: where calls from this context go.
        key: text of the key being computed; ``None`` outside of any computation and in an uncached one.
        operation: name of the operation being computed.
        children: texts of the keys asked for, in the order first asked.
        deep: the deep refresh under way, or ``None``.
        progress: the latest report from here or from a computation below.
        flight: the nearest flight that the computation is a part of, or ``None``.
        cancellation: that of the job that the computation is a part of; ``None`` where nothing can cancel it.
        depth: how many computations surround the call.
    """

    __slots__ = (
        "cancellation", "children", "deep", "depth", "flight", "key", "listener", "operation", "parent", "progress",
        "runtime",
    )  # fmt: skip

    def __init__(
        self,
        runtime: AbstractRuntime,
        *,
        parent: ExecutionContext | None = None,
        key: str | None = None,
        operation: str = "",
        deep: DeepRefresh | None = None,
        listener: Listener | None = None,
        flight: SingleFlight | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.runtime = runtime
        self.parent = parent
        self.key = key
        self.operation = operation
        self.deep = deep
        self.listener = listener
        self.flight: SingleFlight | None = flight if flight is not None or parent is None else parent.flight
        self.cancellation: Cancellation | None = cancellation if parent is None else parent.cancellation
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[str, None] = {}
        self.progress: Progress | None = None

    @property
    def is_computing(self) -> bool:
        """Whether a computation surrounds the call."""
        return self.parent is not None


current: contextvars.ContextVar[ExecutionContext | None] = contextvars.ContextVar("rave_context", default=None)
"""The context of this thread or task; ``None`` if it has not entered one."""


class Ambient:
    """The context of threads without one of their own: that of the process's default runtime.

    Attributes:
        default: that context, ``None`` until it is made.
        fallback: the same while no thread is in a `using` block, else ``None``; then `current_context` says so to
            threads that may be meant to be in it.
        settings: gives those of the default runtime when it is made; ``None`` for those of the files and the
            environment.
        lock: guards the count of blocks; a forked child makes a new one.
    """

    def __init__(self) -> None:
        self.default: ExecutionContext | None = None
        self.fallback: ExecutionContext | None = None
        self.settings: Callable[[], Settings] | None = None
        self.lock = threading.RLock()
        self._blocks = 0

    @property
    def is_quiet(self) -> bool:
        """Whether no thread is in a `using` block."""
        return not self._blocks

    def make_default(self, context: ExecutionContext | None) -> ExecutionContext | None:
        """Makes ``context`` the default and returns the previous one."""
        with self.lock:
            before, self.default = self.default, context
            self._settle()
        return before

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Counts a `using` block while it lasts."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, by: int) -> None:
        with self.lock:
            self._blocks += by
            self._settle()

    def _settle(self) -> None:
        self.fallback = None if self._blocks else self.default


ambient = Ambient()


def progress(done: float, total: float | None = None, text: str = "") -> None:
    """Reports how far the running operation is; a call outside of any operation does nothing.

    Args:
        done: how much is done, in units that the operation chooses.
        total: how much there is in all; ``None`` while that is unknown.
        text: what is being done, for people.

    Raises:
        asyncio.CancelledError: the job that the operation runs in was cancelled. ``except Exception`` does not catch
            it; clean up in ``finally``.
    """
    context = current.get()
    if context is not None and context.is_computing:
        if context.cancellation is not None:
            context.cancellation.check()
        announce(context, context.operation, Progress(done, total, text))


def announce(context: ExecutionContext, operation: str, report: Progress) -> None:
    """Notes a report in ``context`` and in those around it, and passes it to the nearest listener.

    Args:
        context: of the computation that the report is about.
        operation: the reporting operation: the one computed in ``context``, or one that it called.
        report: how far it is.
    """
    around: ExecutionContext | None = context
    while around is not None:
        around.progress = report
        if around.listener is not None:
            around.listener(operation, report)
            return
        around = around.parent


@contextmanager
def entered(context: ExecutionContext) -> Iterator[ExecutionContext]:
    """Makes ``context`` the current one in a ``with`` block."""
    token = current.set(context)
    try:
        yield context
    finally:
        current.reset(token)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Wraps ``function`` for another thread: it runs in the caller's execution context, deep refresh included."""
    copied = contextvars.copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return copied.copy().run(function, *args, **kwargs)

    return carried


class ThreadPool(ThreadPoolExecutor):
    """A thread pool whose tasks run in the execution context of the thread that submits them (see `carry`)."""

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedules ``function(*args, **kwargs)`` in the caller's execution context."""
        return super().submit(carry(function), *args, **kwargs)

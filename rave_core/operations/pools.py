"""Pools: where many calls run, in batches."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias
from weakref import WeakKeyDictionary

from rave_core.engine.context import ThreadPool
from rave_core.errors import ConfigurationError, OptionError, UnknownNameError
from rave_core.model import PLAIN, Call, Options, Status
from rave_core.runtime.runtime import current_context, current_runtime, runtime_of

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation
    from rave_core.runtime.container import Container
    from rave_core.settings import Settings

_BATCH_SECONDS: Final = 0.25
_MOST: Final = 1000  # calls in one batch
_GROWTH: Final = 4
_DRY: Final = Options(dry_run=True)
_open: WeakKeyDictionary[Container, dict[str, Pool]] = WeakKeyDictionary()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a batch of calls gave.

    Attributes:
        results: for each call its value and ``None``, or ``None`` and its exception.
        seconds: how long they took, where they ran.
    """

    results: Sequence[tuple[Any, Exception | None]]
    seconds: float


class Pool(ABC):
    """Where calls of operations run for `rave_core.map`. Safe for many threads; a context manager that closes it.

    Attributes:
        slots: batches that run or wait there at once.
    """

    slots: int

    @abstractmethod
    def start(self, operation: str, calls: Sequence[Call], here: Callable[[], Answers]) -> Future[Answers]:
        """Begins a batch of calls of one operation, none of which has a stored result. Cancelling it ends its calls.

        What they give is stored, so that nobody has to run them again. The future has a `RaveError` if the whole batch
        could not run.

        Args:
            operation: its full name.
            calls: one at least.
            here: answers them in this process, in the thread that calls it.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what still runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


PoolFactory: TypeAlias = "Callable[[Settings], Pool]"
"""Opens a pool for the settings of a runtime."""


class _Threads(Pool):
    """The pool ``threads``: threads of this process."""

    def __init__(self) -> None:
        self.slots = 2 * (os.cpu_count() or 1)
        self._threads = ThreadPool(self.slots)

    def start(self, operation: str, calls: Sequence[Call], here: Callable[[], Answers]) -> Future[Answers]:
        """Begins a batch in a thread."""
        return self._threads.submit(here)

    def close(self) -> None:
        """Drops what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_pool(name: str) -> Pool:
    """A pool by its name: ``threads``, or one that a plugin registered. Close it, or use it in a ``with`` block.

    Raises:
        ConfigurationError: there is no such pool, or a setting of it is wrong.
    """
    if name == "threads":
        return _Threads()
    runtime = current_runtime()
    try:
        factory = runtime.plugins.pools.find(name)
    except UnknownNameError as error:
        raise ConfigurationError(f"executor: {error}; 'threads' needs no plugin") from error
    pool = factory(runtime.settings)
    assert isinstance(pool, Pool)
    return pool


def shared_pool(name: str) -> Pool:
    """The pool of this name that the current runtime keeps open.

    Raises:
        ConfigurationError: there is no such pool, or a setting of it is wrong.
    """
    container = current_runtime().container
    with _lock:
        pools = _open.setdefault(container, {})
        if name not in pools:
            pools[name] = open_pool(name)
            container.on_close.append(pools[name].close)
        return pools[name]


def answer(resolved: ResolvedOperation, calls: Sequence[Call]) -> Answers:
    """Answers calls one after another, in this process, as the operation itself does."""
    context = current_context()
    engine, clock = runtime_of(context).container.engine, runtime_of(context).clock
    started = clock.monotonic()
    results: list[tuple[Any, Exception | None]] = []
    for call in calls:
        try:
            results.append((engine.resolve(resolved, call, PLAIN, context).value, None))
        except Exception as error:  # noqa: BLE001  # it belongs to the caller of the batch
            results.append((None, error))
    return Answers(results, clock.monotonic() - started)


class Batch:
    """Calls that were begun together, and those of their results that were stored.

    Attributes:
        running: what the pool runs; ``None`` if all results were stored.
    """

    def __init__(self, pool: Pool, resolved: ResolvedOperation, calls: Sequence[Call]) -> None:
        """Begins them.

        Raises:
            OptionError: the body is a coroutine function.
        """
        if resolved.spec.is_async:
            raise OptionError(f"{resolved.name} is a coroutine function; a pool runs plain functions only")
        context = current_context()
        engine = runtime_of(context).container.engine
        found = [engine.resolve(resolved, call, _DRY, context) for call in calls]
        self._kept = [each if each.status is not Status.MISS else None for each in found]
        missing = [call for call, kept in zip(calls, self._kept, strict=True) if kept is None]
        self.running = self._begun(pool, resolved, missing, is_deep=context.deep is not None) if missing else None

    def _begun(
        self, pool: Pool, resolved: ResolvedOperation, missing: Sequence[Call], *, is_deep: bool
    ) -> Future[Answers]:
        """A deep refresh runs its calls here: a pool would answer them with what is stored."""
        here = partial(answer, resolved, missing)
        if not is_deep:
            return pool.start(resolved.name, missing, here)
        running: Future[Answers] = Future()
        running.set_result(here())
        return running

    def values(self) -> Iterator[Any]:
        """The value of each call, in order; raises the exception of one in its place."""
        results = iter(self.running.result().results) if self.running is not None else iter(())
        for kept in self._kept:
            value, error = next(results) if kept is None else (kept.value, None)
            if error is not None:
                raise error
            yield value

    def better_size(self, size: int) -> int:
        """How many calls the next batch should have."""
        if self.running is None:
            return size
        answers = self.running.result()
        each = max(answers.seconds, 1e-6) / len(answers.results)
        return max(1, min(int(_BATCH_SECONDS / each), _GROWTH * size, _MOST))

    def cancel(self) -> None:
        """Ends the calls."""
        if self.running is not None:
            self.running.cancel()


def _after_fork() -> None:
    """A thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)

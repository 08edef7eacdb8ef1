"""Many calls at once: where they run, and how they are handed over, in batches and within bounded memory."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, ParamSpec, Self, TypeAlias, TypeVar

from rave_core.engine.context import ThreadPool, progress
from rave_core.errors import ConfigurationError, OptionError, UnknownNameError
from rave_core.model import PLAIN, Call, Options, Status
from rave_core.operations.operation import Operation
from rave_core.runtime.runtime import current_context, current_runtime, runtime_of
from rave_core.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_BATCH_SECONDS: Final = 0.25
_MOST: Final = 1000  # calls in one batch
_GROWTH: Final = 4
_DRY: Final = Options(dry_run=True)


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
    def start(self, operation: Operation[..., Any], calls: Sequence[Call]) -> Future[Answers]:
        """Begins a batch of calls of one operation, none of which has a kept result. Cancelling it ends its calls.

        The pool stores what they give, so that nobody has to run them again. The future has a `RaveError` if the whole
        batch could not run.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what still runs."""

    def submit(self, function: Operation[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """One call, begun now unless its result is kept; the future has what it gives, or its exception.

        Raises:
            ArgumentError: the arguments do not fit.
            OptionError: the body is a coroutine function.
        """
        batch = _Batch(self, _plain(function), [function.bind(*args, **kwargs)])
        future: Future[R] = Future()
        if batch.running is None:
            future.set_result(next(batch.values()))
            return future
        future.set_running_or_notify_cancel()
        batch.running.add_done_callback(lambda _: _settle(future, batch))
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


PoolFactory: TypeAlias = Callable[[Settings], Pool]
"""Opens a pool for the settings of a runtime."""


class _Threads(Pool):
    """The pool ``threads``: threads of this process."""

    def __init__(self) -> None:
        self.slots = 2 * (os.cpu_count() or 1)
        self._threads = ThreadPool(self.slots)

    def start(self, operation: Operation[..., Any], calls: Sequence[Call]) -> Future[Answers]:
        """Begins a batch in a thread."""
        return self._threads.submit(answer, operation, calls)

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


def answer(operation: Operation[..., Any], calls: Sequence[Call]) -> Answers:
    """Answers calls one after another, in this process, as the operation itself does."""
    context, resolved = current_context(), operation.resolved()
    engine, clock = runtime_of(context).container.engine, runtime_of(context).clock
    started = clock.monotonic()
    results: list[tuple[Any, Exception | None]] = []
    for call in calls:
        try:
            results.append((engine.resolve(resolved, call, PLAIN, context).value, None))
        except Exception as error:  # noqa: BLE001  # it belongs to the caller of the batch
            results.append((None, error))
    return Answers(results, clock.monotonic() - started)


def map(function: Operation[..., R], /, *many: Iterable[Any], executor: str | Pool = "threads") -> Iterator[R]:
    """The results of an operation for many arguments, in their order, as they come; like Python's own ``map``.

    Kept results do not travel. All others are handed to the pool in batches of about a quarter of a second. ``many`` is
    read only as far ahead as the pool has slots, so it may be endless. Within an operation it reports progress.

    An exception of a call is raised in its place, and ends the iteration. What was computed is kept: mapping again
    continues there. Leaving the iteration cancels what still runs.

    Args:
        function: the operation.
        many: an iterable for each argument; the shortest one ends the iteration.
        executor: the name of a pool, or an open one, which stays open.

    Raises:
        ConfigurationError: there is no such pool, or a setting of it is wrong.
        ArgumentError: arguments do not fit.
        OptionError: the body is a coroutine function.
        RaveError: a batch could not run.
    """
    operation = _plain(function)
    total = min((len(each) for each in many if isinstance(each, Sized)), default=None)
    pool = open_pool(executor) if isinstance(executor, str) else executor
    try:
        for done, value in enumerate(_mapped(operation, pool, zip(*many, strict=False)), 1):
            progress(done, total, operation.resolved().name)
            yield value
    finally:
        if isinstance(executor, str):
            pool.close()


def _mapped(operation: Operation[..., R], pool: Pool, many: Iterator[tuple[Any, ...]]) -> Iterator[R]:
    window: deque[_Batch] = deque()
    size = 1
    try:
        while True:
            while len(window) < pool.slots and (calls := [operation.bind(*args) for args in islice(many, size)]):
                window.append(_Batch(pool, operation, calls))
            if not window:
                return
            yield from window[0].values()
            size = window.popleft().better_size(size)
    finally:
        for batch in window:
            batch.cancel()


class _Batch:
    """Calls that were begun together, and those of their results that were kept."""

    def __init__(self, pool: Pool, operation: Operation[..., Any], calls: Sequence[Call]) -> None:
        context, resolved = current_context(), operation.resolved()
        engine = runtime_of(context).container.engine
        found = [engine.resolve(resolved, call, _DRY, context) for call in calls]
        self._kept = [each if each.status is not Status.MISS else None for each in found]
        missing = [call for call, kept in zip(calls, self._kept, strict=True) if kept is None]
        self.running = pool.start(operation, missing) if missing else None

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


def _plain(function: Operation[..., R]) -> Operation[..., R]:
    if function.spec.is_async:
        raise OptionError(f"{function.resolved().name} is a coroutine function; a pool runs plain functions only")
    return function


def _settle(future: Future[R], batch: _Batch) -> None:
    try:
        future.set_result(next(batch.values()))
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
        future.set_exception(error)

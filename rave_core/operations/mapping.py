"""An operation for many arguments, over a pool: in their order, and within bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any, TypeVar

from rave_core.engine.context import progress
from rave_core.operations.operation import BoundOperation, Operation
from rave_core.operations.pools import Batch, Pool, open_pool

R = TypeVar("R")


def map(
    function: Operation[..., R] | BoundOperation[..., R], /, *many: Iterable[Any], executor: str | Pool = "threads"
) -> Iterator[R]:
    """The results of an operation for many arguments, in their order, as they come; like Python's own ``map``.

    Kept results do not travel. All others are handed to the pool in batches of about a quarter of a second. ``many`` is
    read only as far ahead as the pool has slots, so it may be endless. Within an operation it reports progress; in a
    deep refresh the calls run in this thread.

    An exception of a call is raised in its place, and ends the iteration. What was computed is stored: mapping again
    continues there. Leaving the iteration cancels what still runs.

    Args:
        function: the operation, or one that was looked up on an instance.
        many: an iterable for each argument; the shortest one ends the iteration.
        executor: the name of a pool, or an open one, which stays open.

    Raises:
        ConfigurationError: there is no such pool, or a setting of it is wrong.
        ArgumentError: arguments do not fit.
        OptionError: the body is a coroutine function.
        RaveError: a batch could not run.
    """
    total = min((len(each) for each in many if isinstance(each, Sized)), default=None)
    pool = open_pool(executor) if isinstance(executor, str) else executor
    try:
        for done, value in enumerate(_mapped(function, pool, zip(*many, strict=False)), 1):
            progress(done, total, function.resolved().name)
            yield value
    finally:
        if isinstance(executor, str):
            pool.close()


def _mapped(
    operation: Operation[..., R] | BoundOperation[..., R], pool: Pool, many: Iterator[tuple[Any, ...]]
) -> Iterator[R]:
    window: deque[Batch] = deque()
    size = 1
    try:
        while True:
            while len(window) < pool.slots and (calls := [operation.bind(*args) for args in islice(many, size)]):
                window.append(Batch(pool, operation.resolved(), calls))
            if not window:
                return
            yield from window[0].values()
            size = window.popleft().better_size(size)
    finally:
        for batch in window:
            batch.cancel()

"""Many calls over a pool: `rave_core.map`, and what it asks of a pool."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

import rave_core
from rave_core import Answers, OperationError, Pool, Runtime, Settings, op, open_pool, progress, using
from rave_core.errors import ConfigurationError, OptionError
from rave_core.model import Call


class HerePool(Pool):
    """Answers each batch at once, in the caller's thread, and notes it."""

    def __init__(self, slots: int = 2, seconds: float = 0.0) -> None:
        self.slots = slots
        self.seconds = seconds
        self.batches: list[list[Any]] = []
        self.is_closed = False

    def start(self, operation: str, calls: Sequence[Call], here: Callable[[], Answers]) -> Future[Answers]:
        """As if they had taken ``seconds``."""
        self.batches.append([call.args[0] for call in calls])
        future: Future[Answers] = Future()
        future.set_result(Answers(here().results, self.seconds))
        return future

    @property
    def sent(self) -> list[Any]:
        """The arguments in all batches."""
        return list(itertools.chain.from_iterable(self.batches))

    def close(self) -> None:
        """Notes that."""
        self.is_closed = True


@op(name="pools/square", version=1)
def square(n: int) -> int:
    """Refuses 13."""
    if n == 13:
        raise OperationError("not 13")
    return n * n


@pytest.fixture(autouse=True)
def runtime(make_runtime: Callable[..., Runtime]) -> Iterator[Runtime]:
    """Where the calls go."""
    with using(make_runtime()) as opened:
        yield opened


def test_results_come_in_the_order_of_the_arguments() -> None:
    """By the threads of this process, if no pool is named; the shortest iterable ends it."""

    @op(name="pools/add", version=1)
    def add(a: int, b: int) -> int:
        return a + b

    assert list(rave_core.map(add, range(50), itertools.count(1))) == [2 * n + 1 for n in range(50)]


def test_kept_results_do_not_travel() -> None:
    """Only what has to be computed is handed to the pool; batches grow while calls are quick."""
    square(2), square(5)
    pool = HerePool()
    assert list(rave_core.map(square, range(12), executor=pool)) == [n * n for n in range(12)]
    assert sorted(pool.sent) == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    assert len(pool.batches) < 10
    pool.batches.clear()
    assert list(rave_core.map(square, range(12), executor=pool)) == [n * n for n in range(12)]
    assert pool.batches == []
    assert not pool.is_closed


def test_arguments_are_read_only_as_far_ahead_as_the_pool_has_room() -> None:
    """So there may be any number of them."""
    taken = []

    def numbers() -> Iterator[int]:
        for n in itertools.count():
            taken.append(n)
            yield n

    values = rave_core.map(square, numbers(), executor=HerePool(slots=3, seconds=1.0))
    assert list(itertools.islice(values, 5)) == [0, 1, 4, 9, 16]
    assert len(taken) <= 5 + 3


def test_an_exception_comes_in_its_place_and_nothing_is_lost() -> None:
    """What was computed is kept: mapping again computes only what failed and what is left."""
    pool, found = HerePool(), []
    with pytest.raises(OperationError, match="not 13"):
        found.extend(rave_core.map(square, range(10, 16), executor=pool))
    assert len(set(pool.sent) - {13}) >= 3
    before = set(pool.sent)
    pool.batches.clear()
    values = rave_core.map(square, [10, 11, 12, 14, 15], executor=pool)
    assert list(values) == [100, 121, 144, 196, 225]
    assert set(pool.sent).isdisjoint(before)


def test_an_operation_that_maps_reports_its_progress(runtime: Runtime) -> None:
    """How many results there are, of how many; what it mapped are its children."""
    heard = []

    @op(name="pools/total", version=1)
    def total(n: int) -> int:
        return sum(rave_core.map(square, range(n), executor=HerePool()))

    context = rave_core.current_runtime().context
    context.listener = lambda _, report: heard.append((report.done, report.total))
    try:
        outcome = total.resolve(4)
    finally:
        context.listener = None
    assert outcome.value == 14
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert progress(1) is None


def test_a_deep_refresh_computes_what_it_maps_again() -> None:
    """Here: a pool would answer with what is kept."""
    pool, ran = HerePool(), []

    @op(name="pools/noted", version=1)
    def noted(n: int) -> int:
        ran.append(n)
        return n

    @op(name="pools/sum", version=1)
    def total(n: int) -> int:
        return sum(rave_core.map(noted, range(n), executor=pool))

    assert total(3) == 3
    pool.batches.clear()
    assert total(3, rave_deep_refresh=True) == 3
    assert ran == [0, 1, 2, 0, 1, 2]
    assert pool.batches == []


def test_one_call_can_be_submitted() -> None:
    """A kept result is there at once, an exception is in the future."""
    with open_pool("threads") as pool:
        assert square.on(pool).submit(7).result(30) == 49
        assert square.on(pool).submit(7).done()
        with pytest.raises(OperationError, match="not 13"):
            square.on(pool).submit(13).result(30)


def test_an_operation_is_sent_to_a_pool_that_its_runtime_keeps_open(make_runtime: Callable[..., Runtime]) -> None:
    """One pool for all calls; it closes with the runtime, and opens again with the next call."""
    opened: list[HerePool] = []

    def open_here(_settings: Settings) -> Pool:
        opened.append(HerePool())
        return opened[-1]

    with make_runtime() as runtime, using(runtime):
        runtime.plugins.pools.add("here", open_here, origin=__name__)
        assert [square.on("here").submit(n).result() for n in (2, 3, 2)] == [4, 9, 4]
        assert [each.sent for each in opened] == [[2, 3]]
        runtime.close()
        assert opened[0].is_closed
        assert square.on("here").submit(4).result() == 16
        assert len(opened) == 2


class Scale:
    """An instance that is part of the key of what its operation gives."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __rave_key__(self) -> int:
        """The factor is all that counts."""
        return self.factor

    @op(name="pools/scaled", version=1)
    def scaled(self, n: int) -> int:
        """As many times as the factor says."""
        return self.factor * n


def test_an_operation_of_an_instance_goes_to_a_pool_like_any_other() -> None:
    """The instance is its first argument, so the same instance finds what was kept, and another one does not."""
    with open_pool("threads") as pool:
        assert Scale(3).scaled.on(pool).submit(5).result(30) == 15
        assert Scale(3).scaled.on(pool).submit(5).done()
        assert list(rave_core.map(Scale(4).scaled, [1, 5], executor=pool)) == [4, 20]


def test_what_no_pool_runs_is_refused_by_name() -> None:
    """An unknown pool, and a coroutine function."""

    @op(name="pools/later", version=1)
    async def later(n: int) -> int:
        return n

    with pytest.raises(ConfigurationError, match=r"executor: no pool is called 'nowhere'.*'threads' needs no plugin"):
        list(rave_core.map(square, [1], executor="nowhere"))
    with pytest.raises(OptionError, match="pools/later is a coroutine function"):
        list(rave_core.map(later, [1]))

"""What users of diskcache's and cachier's memoizing rely on, as RAVE does it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from rave_core import Operation, Options, Runtime, ThreadPool, op, using
from rave_core.testing import FakeClock

Counted = Operation[..., int]


def _counted(runs: list[object], **keywords: object) -> Counted:
    def counted(n: int, runs: list[object]) -> int:
        runs.append(n)
        return len(runs)

    made: Counted = op(name="peers/counted", ignore=["runs"], **keywords)(counted)  # type: ignore[call-overload]  # keywords of any kind
    return made


def test_a_result_expires(runs: list[object], clock: FakeClock) -> None:
    """After its time, counted from when it was made."""
    counted = _counted(runs, expires="10m")
    assert counted(1, runs) == 1
    clock.advance(599)
    assert counted(1, runs) == 1
    clock.advance(1)
    assert counted(1, runs) == 2


def test_without_a_time_it_never_does(runs: list[object], clock: FakeClock) -> None:
    """However long it is."""
    counted = _counted(runs)
    counted(1, runs)
    clock.advance(10**6)
    assert counted.resolve(1, runs).status == "hit"


def test_a_call_can_ask_for_a_new_result(runs: list[object]) -> None:
    """It replaces the one that is kept."""
    counted = _counted(runs)
    counted(1, runs)
    assert counted.answering(Options(refresh=True))(1, runs) == 2
    assert counted(1, runs) == 2


def test_a_stale_result_is_served_while_a_new_one_is_made(runs: list[object], clock: FakeClock) -> None:
    """As with an early recomputation, nobody waits for it."""
    counted = _counted(runs, expires="10m", stale_while_revalidate="1h")
    counted(1, runs)
    clock.advance(700)
    outcome = counted.resolve(1, runs)
    assert (outcome.value, outcome.status) == (1, "stale")


def test_a_result_can_be_set_by_hand(runs: list[object]) -> None:
    """The body does not run for it."""
    counted = _counted(runs)
    counted.put(42, 1, runs)
    assert counted(1, runs) == 42
    assert not runs


def test_the_key_of_a_call_can_be_asked(runs: list[object]) -> None:
    """It is the same each time, and another for other arguments."""
    counted = _counted(runs)
    assert counted.key(1, runs) == counted.key(1, []) != counted.key(2, [])


def test_tags_are_recorded(runs: list[object]) -> None:
    """With each entry."""
    counted = _counted(runs, tags=["daily"])
    entry = counted.resolve(1, runs).entry
    assert entry is not None
    assert entry.tags == ("daily",)


def test_one_of_many_callers_computes(runs: list[object]) -> None:
    """The others wait for its result."""
    is_running, may_end = threading.Event(), threading.Event()

    @op(name="peers/waited", ignore=["runs", "started", "end"])
    def waited(n: int, runs: list[object], started: threading.Event, end: threading.Event) -> int:
        runs.append(n)
        started.set()
        end.wait(10)
        return n

    with ThreadPool(4) as pool:
        asked = [pool.submit(waited, 1, runs, is_running, may_end) for _ in range(4)]
        is_running.wait(10)
        may_end.set()
        assert [each.result() for each in asked] == [1] * 4
    assert runs == [1]


def test_a_coroutine_function_can_be_an_operation(runs: list[object]) -> None:
    """With the same cache and the same single run."""

    @op(name="peers/awaited", ignore=["runs"])
    async def awaited(n: int, runs: list[object]) -> int:
        runs.append(n)
        return n

    async def ask() -> list[int]:
        return list(await asyncio.gather(*(awaited(1, runs) for _ in range(5))))

    assert asyncio.run(ask()) == [1] * 5
    assert runs == [1]


def test_a_budget_keeps_the_newest(make_runtime: Callable[..., Runtime], runs: list[object], clock: FakeClock) -> None:
    """In the number of entries."""
    counted = _counted(runs)
    with using(make_runtime(cache=["memory://?max_entries=2"], clock=clock)):
        for n in range(5):
            counted(n, runs)
            clock.advance(1)
        assert [counted.resolve(n, runs).status for n in (4, 3)] == ["hit", "hit"]


def test_names_keep_operations_apart(runs: list[object]) -> None:
    """Two functions with equal bodies and arguments share nothing."""
    one, other = (op(name=f"peers/{name}", ignore=["runs"])(_note) for name in "ab")
    one(1, runs), other(1, runs)
    assert len(runs) == 2


def _note(n: int, runs: list[object]) -> int:
    runs.append(n)
    return n

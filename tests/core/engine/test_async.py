"""Async operations: the same path, walked without holding up the event loop (R6)."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rave_core import Outcome, Runtime, Settings, op, using
from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_core.errors import ArgumentError, OptionError
from rave_core.model import PLAIN, Options, Status
from tests.core.engine.gates import Gate, gated, in_thread

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@op
async def double(x):
    """Quick."""
    print("double", x)
    await asyncio.sleep(0)
    return 2 * x


@op
async def several(n):
    """Asks for many at once, some of them twice."""
    print("several")
    return sum(await asyncio.gather(*(double(i % n) for i in range(2 * n))))


@op
async def failing():
    """Raises."""
    print("failing")
    await asyncio.sleep(0.01)
    raise KeyError("mine")


@op
def plain(x):
    """A sync operation that a task calls."""
    print("plain", x)
    return x


@op
async def mixed(x):
    """Calls both kinds."""
    print("mixed")
    return plain(x) + await double(x)


def test_an_async_operation_is_kept_like_any_other(ran: Ran) -> None:
    """Awaiting it gives the value; the body runs once, whichever loop asks."""
    assert asyncio.run(double(1)) == asyncio.run(double(x=1)) == 2
    assert ran() == ["double 1"]

    async def outcomes() -> list[Outcome[Any]]:
        return [await double.resolve(1), await double.resolve(2), await double.resolve(2, rave_refresh=True)]

    assert [outcome.status for outcome in asyncio.run(outcomes())] == ["hit", "miss", "refreshed"]


def test_errors_of_the_caller_come_at_the_call(ran: Ran) -> None:
    """As with a coroutine function, wrong arguments don't wait to be awaited."""
    with pytest.raises(ArgumentError):
        double()
    with pytest.raises(OptionError):
        double(1, rave_unheard_of=True)


def test_the_call_gives_something_to_await() -> None:
    """Tools that look for coroutine functions find one."""
    coroutine = double(1)
    assert inspect.iscoroutine(coroutine)
    assert asyncio.run(coroutine) == 2


def test_tasks_that_ask_at_once_share_one_run(gate: Gate, ran: Ran) -> None:
    """Ten tasks, one body; and each gets a value of its own."""

    async def main() -> list[list[int]]:
        tasks = [asyncio.create_task(gated(1)) for _ in range(10)]
        while not gate.entered.is_set():
            await asyncio.sleep(0.002)
        gate.open.set()
        return list(await asyncio.gather(*tasks))

    values = asyncio.run(main())
    assert values == [[1]] * 10
    assert len({id(value) for value in values}) == 10
    assert ran() == ["gated 1"]


def test_event_loops_of_several_threads_share_one_run(gate: Gate, ran: Ran) -> None:
    """A flight is joined across loops."""
    first, one = in_thread(lambda: gated(1))
    assert gate.entered.wait(10)
    second, two = in_thread(lambda: gated(1))
    second.join(0.1)
    gate.open.set()
    first.join(10)
    second.join(10)
    assert one == two == [[1]]
    assert ran() == ["gated 1"]


def test_the_event_loop_goes_on_while_a_body_or_a_disk_is_waited_for(gate: Gate) -> None:
    """Others' tasks run while one waits for the run of another thread, too."""
    leader, _ = in_thread(lambda: gated(1))
    assert gate.entered.wait(10)

    async def main() -> int:
        follower = asyncio.create_task(gated(1))
        ticks = 0
        while ticks < 20:
            await asyncio.sleep(0.002)
            ticks += 1
        assert not follower.done()
        gate.open.set()
        assert await follower == [1]
        return ticks

    assert asyncio.run(asyncio.wait_for(main(), 10)) == 20
    leader.join(10)


def test_a_slow_store_does_not_block_the_event_loop(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may wait for a disk is done in a thread."""
    here, seen = threading.get_ident(), set()
    for name in ("get_value", "put_value"):
        whole = getattr(runtime.cache.backend, name)

        def slow(*args: Any, whole: Any = whole) -> Any:
            seen.add(threading.get_ident())
            return whole(*args)

        monkeypatch.setattr(runtime.cache.backend, name, slow)
    asyncio.run(double(1))
    assert seen
    assert here not in seen


def test_an_exception_goes_to_all_who_waited(ran: Ran) -> None:
    """One run, one exception, for every task."""

    async def main() -> list[Any]:
        return await asyncio.gather(*(failing() for _ in range(5)), return_exceptions=True)

    errors = asyncio.run(main())
    assert len(errors) == 5
    assert {type(error) for error in errors} == {KeyError}
    assert ran() == ["failing"]


@pytest.mark.parametrize("cache", [["memory://"], None])
def test_a_deep_refresh_reaches_all_tasks(
    make_runtime: Callable[..., Runtime], ran: Ran, cache: list[str] | None
) -> None:
    """Each operation once, though it is asked for twice at the same time."""
    with using(make_runtime(**({"cache": cache} if cache else {}))):
        once_each = Counter(["several", "double 0", "double 1", "double 2"])
        assert asyncio.run(several(3)) == 12
        assert Counter(ran()) == once_each
        assert asyncio.run(several(3, rave_deep_refresh=True)) == 12
        assert Counter(ran()) == once_each
        assert asyncio.run(several(3, rave_refresh=True)) == 12
        assert ran() == ["several"]


@pytest.mark.parametrize("cache", [["memory://"], None])
def test_what_landed_after_the_callers_look_is_not_computed_again(
    make_runtime: Callable[..., Runtime], ran: Ran, cache: list[str] | None
) -> None:
    """Of two who looked and found nothing one computes, though the other comes when that has landed, leases or none."""
    used = make_runtime(**({"cache": cache} if cache else {}))

    async def compute(options: Options = PLAIN) -> Outcome[Any]:
        resolved, engine = double.resolved(), used.container.engine
        return await engine.compute_async(
            resolved, double.bind(1), options, ExecutionContext(used), RunBody.perform_async
        )

    async def main() -> list[Status]:
        key = double.key(1)
        assert key is not None
        assert used.cache.look(key) is None  # both looked
        outcomes = [await compute(), await compute(), await compute(Options(refresh=True))]
        outcomes += await asyncio.gather(compute(), compute())
        assert {outcome.value for outcome in outcomes} == {2}
        return [outcome.status for outcome in outcomes]

    with using(used):
        first, second, refreshed, *others = asyncio.run(main())
    assert [second, *others] == [Status.HIT] * 3
    assert Status.HIT not in (first, refreshed)
    assert ran() == ["double 1", "double 1"]


def test_a_dry_run_of_an_async_operation(ran: Ran) -> None:
    """``None`` or the kept value, awaited."""
    assert asyncio.run(double(1, rave_dry_run=True)) is None
    asyncio.run(double(1))
    assert asyncio.run(double(1, rave_dry_run=True)) == 2
    assert ran() == ["double 1"]


def test_both_kinds_call_each_other(ran: Ran) -> None:
    """A coroutine body may call a sync operation, which is kept in its own right."""
    assert asyncio.run(mixed(2)) == 6
    assert plain(2) == 2
    assert ran() == ["mixed", "plain 2", "double 2"]


def test_two_tasks_keep_their_scopes_apart() -> None:
    """What one computation asks for is no child of another that runs at the same time."""

    async def main() -> list[Outcome[Any]]:
        return await asyncio.gather(several.resolve(2), mixed.resolve(7))

    first, second = asyncio.run(main())
    assert first.entry is not None
    assert second.entry is not None
    assert len(first.entry.children) == len(second.entry.children) == 2
    assert not set(first.entry.children) & set(second.entry.children)


BOTTOM: list[asyncio.Event] = []


@op(name="async/down", version=1)
async def down(n: int, end: str = "returns") -> int:
    """As deep as it is told."""
    if n:
        return 1 + await down(n - 1, end)
    if end == "fails":
        raise KeyError("bottom")
    if end == "waits":
        BOTTOM.pop().set()
        await asyncio.Event().wait()
    return 0


def test_a_cold_recursion_is_as_deep_as_it_likes() -> None:
    """Python's limit is by stack: it goes on in another task, which has one of its own."""
    assert asyncio.run(down(1000)) == 1000


def test_a_recursion_without_an_end_is_an_error() -> None:
    """It does not take one task after the other for ever."""

    @op(name="async/endless", version=1)
    async def endless(n: int) -> int:
        return 1 + await endless(n + 1)

    with using(Runtime(Settings(cache=["memory://"]))), pytest.raises(RecursionError):
        asyncio.run(endless(0))


def test_an_error_deep_down_comes_up_unchanged() -> None:
    """Through all the tasks."""
    with pytest.raises(KeyError, match="bottom"):
        asyncio.run(down(400, "fails"))


def test_cancelling_a_deep_recursion_ends_all_of_it() -> None:
    """No task is left."""

    async def cancelled() -> int:
        reached = asyncio.Event()
        BOTTOM.append(reached)
        task = asyncio.create_task(down(400, "waits"))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(cancelled()) == 1

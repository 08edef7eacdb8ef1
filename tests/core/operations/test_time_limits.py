"""``rave_timeout``: the caller stops waiting, and the computation goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from rave_core import Options, Runtime, ThreadPool, op
from rave_core.errors import OptionError, TimeLimitError

GOES_ON = threading.Event()
RUNS: list[object] = []  # of the module, since what a body captures would be a part of the key


@op(name="test/inner", version=1)
def inner() -> int:
    """Called by another one."""
    RUNS.append("inner")
    return 1


@op(name="test/outer", version=1)
def outer() -> int:
    """Calls another one, and waits for it."""
    return inner(rave_timeout=10)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    GOES_ON.clear()
    RUNS.clear()


def eventually(condition: Callable[[], object]) -> None:
    """Waits for a condition, ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def test_a_late_result_is_kept_and_not_returned(runtime: Runtime) -> None:
    """The caller gets an error that says so; the next call hits, and the body ran once."""

    @op(name="test/slow", version=1)
    def slow(number: int) -> int:
        RUNS.append(number)
        GOES_ON.wait(10)
        return number * 2

    with pytest.raises(TimeLimitError, match=r"test/slow: no answer within rave_timeout=0.05 s; it goes on"):
        slow(4, rave_timeout=0.05)
    GOES_ON.set()
    eventually(lambda: slow(4, rave_dry_run=True) == 8)
    assert slow.resolve(4, rave_timeout="1m").status == "hit"
    assert RUNS == [4]


def test_an_answer_in_time_is_like_any_other(runtime: Runtime) -> None:
    """Its value, its errors, its other options, and the typed form."""

    @op(name="test/quick", version=1)
    def quick(number: int) -> int:
        if number < 0:
            raise ValueError("negative")
        return number

    assert quick.resolve(1, rave_timeout=10).status == "miss"
    assert quick.resolve(1, rave_timeout=10).status == "hit"
    assert quick.resolve(1, rave_timeout=10, rave_refresh=True).status == "refreshed"
    assert quick.answering(Options(timeout="10s"))(2) == 2
    assert quick(3, rave_timeout=10, rave_dry_run=True) is None
    with pytest.raises(ValueError, match="negative"):
        quick(-1, rave_timeout=10)


@pytest.mark.parametrize("timeout", [0, -1, "soon", [], float("nan")])
def test_what_is_no_time_is_refused(runtime: Runtime, timeout: object) -> None:
    """With the operation and the value, before anything RUNS."""

    @op(name="test/never", version=1)
    def never() -> None:
        raise AssertionError

    with pytest.raises(OptionError, match=r"test/never: rave_timeout="):
        never(rave_timeout=timeout)


def test_a_coroutine_goes_on_as_a_task(runtime: Runtime) -> None:
    """As long as its event loop RUNS."""

    @op(name="test/coroutine", version=1)
    async def coroutine(number: int) -> int:
        await asyncio.sleep(0.15)
        return number

    async def main() -> None:
        with pytest.raises(TimeLimitError):
            await coroutine(1, rave_timeout=0.01)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if await coroutine(1, rave_dry_run=True) == 1:
                break
        assert (await coroutine.resolve(1, rave_timeout=10)).status == "hit"

    asyncio.run(main())


def test_what_came_in_time_is_a_dependency(runtime: Runtime) -> None:
    """The entry of the outer operation records it, and a deep refresh reaches it."""

    outcome = outer.resolve()
    assert outcome.entry is not None
    key = inner.key()
    assert key is not None
    assert outcome.entry.children == (key.text,)
    outer(rave_deep_refresh=True)
    assert RUNS == ["inner", "inner"]


def test_many_callers_with_and_without_patience_share_one_run(runtime: Runtime) -> None:
    """Some give up; the others get the result of the same run."""

    @op(name="test/shared", version=1)
    def shared() -> int:
        RUNS.append(1)
        GOES_ON.wait(10)
        return 7

    with ThreadPool(8) as pool:
        hasty = [pool.submit(shared, rave_timeout=0.1) for _ in range(4)]
        patient = [pool.submit(shared) for _ in range(4)]
        for each in hasty:
            with pytest.raises(TimeLimitError):
                each.result(10)
        GOES_ON.set()
        assert [each.result(10) for each in patient] == [7] * 4
    assert RUNS == [1]

"""Callers that are cancelled: the others get their answer, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, op, progress, using
from rave_core.engine.context import Cancellation, ExecutionContext, entered
from tests.core.engine.gates import Gate, gated, in_thread

Ran = Callable[[], list[str]]
pytestmark = pytest.mark.usefixtures("runtime")


@op
async def double(x):
    """Quick."""
    await asyncio.sleep(0)
    return 2 * x


def test_when_the_leader_is_cancelled_a_follower_takes_over(gate: Gate, ran: Ran) -> None:
    """Cancelling one caller costs the others nothing but time."""

    async def main() -> list[int]:
        leader = asyncio.create_task(gated(1))
        while not gate.entered.is_set():
            await asyncio.sleep(0.002)
        follower = asyncio.create_task(gated(1))
        await asyncio.sleep(0.02)
        leader.cancel()
        gate.open.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        found: list[int] = await follower
        return found

    assert asyncio.run(asyncio.wait_for(main(), 20)) == [1]
    assert ran() == ["gated 1", "gated 1"]


def test_a_cancelled_follower_does_not_disturb_the_leader(gate: Gate, ran: Ran) -> None:
    """Not even when its event loop is closed by the time the leader lands."""
    leader, results = in_thread(lambda: gated(1))
    assert gate.entered.wait(10)
    other, patient = in_thread(lambda: gated(1))

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gated(1), 0.05)

    asyncio.run(impatient())
    gate.open.set()
    leader.join(10)
    other.join(10)
    assert results == patient == [[1]]
    assert ran() == ["gated 1"]


def test_a_call_cancelled_before_its_lease_is_there_leaves_no_lease(
    tmp_path: Path, make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that claims it can't be cancelled; what it brings must be given back all the same."""
    used = make_runtime(cache=[f"file://{tmp_path}/data"])
    claiming, go_on, claimed = threading.Event(), threading.Event(), threading.Event()
    backend: Any = used.cache.backend
    claim = backend.claim

    def slow_claim(*args: Any) -> Any:
        claiming.set()
        go_on.wait(10)
        try:
            return claim(*args)
        finally:
            claimed.set()

    monkeypatch.setattr(backend, "claim", slow_claim)

    async def main() -> None:
        task = asyncio.create_task(double(1))
        while not claiming.is_set():
            await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with using(used):
        key = double.key(1)
        asyncio.run(main())
        assert claimed.wait(10)
        deadline = time.monotonic() + 3
        while backend.lease(key.text) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert backend.lease(key.text) is None


@op
def shared_step(n):
    """Reports until it may end."""
    RAN.append("shared_step")
    while not MAY_END.wait(0.01):
        progress(len(RAN))
    return n


@op
def first_user(n):
    """Asks for the step, and hides no end of itself."""
    try:
        return shared_step(n)
    except Exception:
        RAN.append("hidden")
        raise


RAN: list[str] = []
MAY_END = threading.Event()


def test_a_cancelled_computation_ends_where_it_looks_and_others_take_over(runtime: Runtime) -> None:
    """The nested one ends at its next report, which handlers of exceptions do not catch; a caller that waits for it
    runs it anew and gets the answer."""
    RAN.clear()
    MAY_END.clear()
    cancellation = Cancellation()
    context = ExecutionContext(runtime, cancellation=cancellation)

    async def cancelled() -> int:
        with entered(context):
            return first_user(1)

    async def waiting() -> int:
        return shared_step(1)

    leader, ended = in_thread(cancelled)
    wait_for(lambda: RAN == ["shared_step"])
    assert cancellation.bodies == 2
    follower, results = in_thread(waiting)
    cancellation.ask()
    leader.join(10)
    assert [type(error) for error in ended] == [asyncio.CancelledError]
    assert cancellation.bodies == 0
    wait_for(lambda: RAN == ["shared_step", "shared_step"])
    MAY_END.set()
    follower.join(10)
    assert results == [1]
    assert first_user.resolve(1).status == "miss"


def test_a_cancelled_computation_starts_no_other(runtime: Runtime) -> None:
    """Kept results it still gets; what would have to run ends it."""
    MAY_END.set()
    shared_step(2)
    cancellation = Cancellation()
    cancellation.ask()
    with entered(ExecutionContext(runtime, cancellation=cancellation)):
        assert shared_step(2) == 2
        with pytest.raises(asyncio.CancelledError):
            shared_step(3)


def wait_for(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)

"""Callers that are cancelled: the others get their answer, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, op, using
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

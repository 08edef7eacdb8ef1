"""Bodies that are quicker than a lease run without one, if a setting says from when a lease pays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rave_core import Runtime, op, using
from rave_core.engine.body_times import BodyTimes
from rave_core.storage.leases import LeaseWait


@op(version=1)
def doubled(n):
    """A body that takes next to nothing."""
    return 2 * n


@op(version=1)
def held(n):
    """A body that waits until it may end."""
    ENTERED.append(n)
    GATE.wait()
    return n


ENTERED: list[int] = []
GATE = threading.Event()


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys for which a lease was asked."""
    asked: list[str] = []
    attempt = LeaseWait.attempt

    def counted(wait: LeaseWait) -> Any:
        asked.append(wait.key)
        return attempt(wait)

    monkeypatch.setattr(LeaseWait, "attempt", counted)
    return asked


def test_a_quick_body_runs_without_a_lease(make_runtime: Callable[..., Runtime], claims: list[str]) -> None:
    """From the 17th run in the process on; its results are kept as before."""
    with using(make_runtime(lease_from=60)):
        assert [doubled(n) for n in range(20)] == [2 * n for n in range(20)]
        assert claims == [doubled.key(n).text for n in range(16)]
        assert [doubled.resolve(n).status for n in range(20)] == ["hit"] * 20


def test_every_body_has_a_lease_by_default(make_runtime: Callable[..., Runtime], claims: list[str]) -> None:
    """Once among processes, however quick it is."""
    with using(make_runtime()):
        assert [doubled(n) for n in range(20)] == [2 * n for n in range(20)]
    assert len(claims) == 20


def test_without_a_lease_a_body_still_runs_once_in_a_process(
    make_runtime: Callable[..., Runtime], claims: list[str]
) -> None:
    """A second caller of the same key waits for the first."""
    answers: list[int] = []
    with using(make_runtime(lease_from=60)) as runtime:
        GATE.set()
        for n in range(16):
            held(n)
        GATE.clear()
        del ENTERED[:], claims[:]
        key = held.key(99).text

        def ask() -> None:
            with using(runtime):
                answers.append(held(99))

        callers = [threading.Thread(target=ask) for _ in range(2)]
        try:
            for caller in callers:
                caller.start()
            _wait_for_a_second(runtime, key)
        finally:
            GATE.set()
            for caller in callers:
                caller.join()
    assert (answers, ENTERED, claims) == ([99, 99], [99], [])


def _wait_for_a_second(runtime: Runtime, key: str) -> None:
    flights, deadline = runtime.container.engine.flights._flights, time.monotonic() + 60
    while not (key in flights and flights[key]._waiters):
        assert time.monotonic() < deadline, "nobody waits for the flight"
        time.sleep(0.001)


def test_one_slow_run_among_quick_ones_counts() -> None:
    """A body that takes long now and then is worth a lease, until many quick runs have passed."""
    times = BodyTimes(0.001)
    for _ in range(100):
        times.add("op", 0.0001)
    assert times.is_quick("op")
    times.add("op", 1.0)
    assert not times.is_quick("op")
    for _ in range(1000):
        times.add("op", 0.0001)
    assert times.is_quick("op")
    assert not times.is_quick("other")


def test_a_few_runs_say_nothing() -> None:
    """Sixteen are enough."""
    times = BodyTimes(1.0)
    for _ in range(15):
        times.add("op", 0.0)
    assert not times.is_quick("op")
    times.add("op", 0.0)
    assert times.is_quick("op")

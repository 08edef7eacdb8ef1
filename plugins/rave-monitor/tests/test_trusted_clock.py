"""A clock that jumps ahead: old samples stay until it is sure that they are old."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.configuration import MonitorConfig
from rave_monitor.term import Term
from rave_monitor.trusted_clock import TrustedClock

from rave_core import Runtime
from rave_core.testing import FakeClock

YEAR, DAY, NOW = 365 * 86400.0, 86400.0, 1_700_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    """A clock that is right."""
    return FakeClock(NOW)


@pytest.fixture
def runtime(place: Any, clock: FakeClock) -> Iterator[Runtime]:
    """A runtime with that clock."""
    with Runtime(place.settings, clock=clock) as made:
        yield made


def test_a_jump_ahead_counts_once_it_lasted_for_a_day(runtime: Runtime, clock: FakeClock) -> None:
    """Until then time goes on as before; also for the next term, whatever the clock says by then."""
    trusted = TrustedClock(runtime, [], NOW - 1.0, 1.0)
    clock.advance(10.0)
    clock.jump(YEAR)
    assert (trusted.look(), trusted.now) == (YEAR, NOW + 10.0)
    clock.advance(DAY / 2)
    assert (trusted.look(), trusted.now) == (0.0, NOW + 10.0 + DAY / 2)
    trusted = TrustedClock(runtime, trusted.doubts, clock.now() - 1.0, 1.0)
    assert trusted.now == NOW + 10.0 + DAY / 2
    clock.advance(DAY / 2)
    trusted.look()
    assert trusted.now == clock.now() == NOW + 10.0 + DAY + YEAR


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_goes_back_takes_back_its_jumps(runtime: Runtime, clock: FakeClock, restarts: bool) -> None:
    """The latest first, and as far as it goes; small steps are no jumps."""
    trusted = TrustedClock(runtime, [], NOW, 1.0)
    for jump in (YEAR, DAY, 30.0, -30.0):
        clock.jump(jump)
        trusted.look()
    assert trusted.now == NOW
    before = clock.now()
    clock.jump(-DAY - 3600.0)
    if restarts:
        trusted = TrustedClock(runtime, trusted.doubts, before, 1.0)
    trusted.look()
    assert [each.seconds for each in trusted.doubts] == [YEAR - 3600.0]
    clock.jump(-YEAR)
    trusted.look()
    assert (trusted.doubts, trusted.now) == ([], NOW - 3600.0)


def test_time_in_which_no_monitor_ran_is_doubted(runtime: Runtime) -> None:
    """But not what lies between two samples, nor the time before the first one."""
    assert TrustedClock(runtime, [], NOW - YEAR, 1.0).now == NOW - YEAR
    assert TrustedClock(runtime, [], NOW - 7000.0, 3600.0).now == NOW
    assert TrustedClock(runtime, [], 0.0, 1.0).now == NOW


def test_a_clock_that_is_wrong_for_a_moment_removes_no_sample(
    place: Any, runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones are removed meanwhile, and the jump is told."""
    place.configure('keep = "1h"\nthin_after = "1h"\nthin_to = "1h"\n' + place.counting, period="1s")
    place.store.claim(1)
    old = [Sample("count", NOW - age, {"n": 0}) for age in (7200.0, 1800.0, 1790.0)]
    place.store.commit(1, Checkpoint(), old, {})
    expire, expired = place.store.expire, list[float]()
    monkeypatch.setattr(place.store, "expire", lambda fence, before: expired.append(before) or expire(fence, before))
    term = Term(MonitorConfig.load(place.config), place.store, 1, runtime)
    course = iter((0.0, YEAR, 0.0, -YEAR, 0.0))
    rounds = 0

    def goes_on() -> bool:
        nonlocal rounds
        rounds += 1
        place.wait(lambda: len(expired) >= rounds, what="a round of retention")
        clock.advance(61.0)
        jump = next(course, None)
        clock.jump(jump or 0.0)
        return jump is not None

    term.run(goes_on, threading.Event(), threading.Event())
    assert len(expired) > 4
    assert NOW - 3600.0 <= min(expired) <= max(expired) <= NOW + 61.0 * rounds - 3600.0
    assert place.store.samples("count", 0, NOW) == old[:0:-1]
    assert "the clock went ahead by 31536000.0 s" in str(term.status()["notices"])

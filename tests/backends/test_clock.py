"""The fake clock."""

from __future__ import annotations

import threading
import time

import pytest

from rave_core.testing import FakeClock


def test_it_stands_still():
    """Nothing but the test moves it."""
    clock = FakeClock(100.0)
    assert [clock.now(), clock.now(), clock.monotonic(), clock.monotonic()] == [100.0, 100.0, 0.0, 0.0]


def test_advancing_moves_both_times():
    """Time passes for what is recorded and for what is measured."""
    clock = FakeClock(100.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (105.0, 5.0)


def test_jumping_moves_only_the_wall_clock():
    """As when the machine's clock is set, back or on."""
    clock = FakeClock(100.0)
    clock.jump(-50)
    assert (clock.now(), clock.monotonic()) == (50.0, 0.0)


def test_time_does_not_pass_backwards():
    """Only a jump can."""
    with pytest.raises(ValueError, match="jump"):
        FakeClock().advance(-1)


def test_who_waits_is_woken_when_the_clock_is_advanced():
    """An hour passes in an instant, and waiting alone does not move the clock."""
    clock = FakeClock(100.0)
    waited = []
    waiting = threading.Thread(target=lambda: waited.append(clock.wait(threading.Event(), 3600)))
    waiting.start()
    clock.advance(1800)
    waiting.join(0.05)
    assert waiting.is_alive()
    clock.advance(1800)
    waiting.join(10)
    assert waited == [False]
    assert clock.now() == 3700.0


def test_who_waits_is_woken_by_the_event():
    """At once if it is set, and when another thread sets it."""
    clock = FakeClock(100.0)
    event = threading.Event()
    threading.Timer(0.02, event.set).start()
    assert clock.wait(event, 3600) is True
    assert clock.wait(event, 3600) is True
    assert clock.now() == 100.0


def test_a_short_wait_ends_by_itself():
    """Who only lets a moment pass, as between two tries, does not wait for the test."""
    clock = FakeClock(100.0)
    assert clock.wait(threading.Event(), 0.01) is False
    assert clock.now() == 100.0


def test_it_starts_at_the_present():
    """So that ages of files made in the test are right."""
    assert abs(FakeClock().now() - time.time()) < 60

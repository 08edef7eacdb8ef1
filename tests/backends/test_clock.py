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


def test_waiting_takes_no_time():
    """It is the clock that moves, and only if the event is not set."""
    clock = FakeClock(100.0)
    event = threading.Event()
    assert clock.wait(event, 3600) is False
    assert clock.now() == 3700.0
    event.set()
    assert clock.wait(event, 3600) is True
    assert clock.now() == 3700.0


def test_it_starts_at_the_present():
    """So that ages of files made in the test are right."""
    assert abs(FakeClock().now() - time.time()) < 60

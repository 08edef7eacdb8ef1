"""Clocks that jump: leases do not look at the wall clock, and expiry goes by it alone."""

from __future__ import annotations

import threading
import time

import pytest

from rave_core import duration_strategy, op, using
from rave_core.backend import SupportsLease
from rave_core.clock import SystemClock
from rave_core.testing import FakeClock

HOURS = 3600.0


class Skewed(SystemClock):
    """The machine's clocks, with a wall clock that can be set."""

    def __init__(self):
        self.skew = 0.0

    def now(self):
        """Unix time as somebody set it."""
        return time.time() + self.skew


@pytest.fixture
def on_disk(tmp_path):
    """Settings of a runtime without a memory tier."""
    return {"cache": [f"file://{tmp_path}/data"]}


@pytest.mark.parametrize("jump", [-5 * HOURS, 5 * HOURS, 5000 * HOURS])
def test_a_wall_clock_that_jumps_takes_no_lease_from_the_living(make_runtime, on_disk, jump, tape, until):
    """Whether the holder's clock jumps or the watcher's: it runs once, and both get its value."""
    holding, watching = Skewed(), Skewed()
    tape.go = threading.Event()
    answers = []

    @op(name="fire/held")
    def held(n):
        tape.append(n)
        tape.go.wait(20)
        return [n]

    def ask(clock):
        with using(make_runtime(clock=clock, lease_time=0.4, **on_disk)):
            answers.append(held(1))

    holder = threading.Thread(target=ask, args=(holding,))
    holder.start()
    until(lambda: tape, "the holder is inside")
    watcher = threading.Thread(target=ask, args=(watching,))
    watcher.start()
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 0.5, "more than a lease time passes")
    watching.skew = jump
    until(lambda: time.monotonic() - began > 1.0, "more than a lease time passes again")
    holding.skew, watching.skew = jump, 0.0
    until(lambda: time.monotonic() - began > 1.5, "and again")
    assert (tape, answers) == ([1], [])
    tape.go.set()
    holder.join(20)
    watcher.join(20)
    assert (tape, answers) == ([1], [[1], [1]])


def test_a_purge_after_a_jump_takes_no_lease_from_the_living(make_runtime, on_disk, tape, until):
    """Some hours later, by the wall clock, the holder on this host still holds."""
    clock, tape.go = Skewed(), threading.Event()
    runtime = make_runtime(clock=clock, lease_time=0.3, **on_disk)

    @op(name="fire/purged")
    def held(n):
        tape.append(n)
        tape.go.wait(20)
        return [n]

    def ask():
        with using(runtime):
            held(1)

    key = []
    with using(runtime):
        key.append(held.key(1).text)
        holder = threading.Thread(target=ask)
        holder.start()
        until(lambda: runtime.cache.backend.capability(SupportsLease).lease(key[0]), "the lease is held")
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 0.3, "there was a heartbeat")
        for skew in (0.5 * HOURS, -5 * HOURS):
            clock.skew = skew
            runtime.purge()
            assert runtime.cache.backend.capability(SupportsLease).lease(key[0])
    tape.go.set()
    holder.join(20)
    assert tape == [1]


def test_a_fake_clock_stands_still_while_a_lease_is_held(make_runtime, on_disk):
    """Heartbeats, which go on behind the test, do not let its time pass."""
    clock = FakeClock(1000.0)
    held = op(name="fire/still", version=1)(_same)
    with using(make_runtime(clock=clock, **on_disk)):
        assert held(1) == 1
        began = time.monotonic()
        while time.monotonic() - began < 0.05:
            time.sleep(0.005)
    assert clock.now() == 1000.0


def _same(n):
    return n


@pytest.fixture(params=["memory in front", "disk alone"])
def timed(request, make_runtime, tmp_path, tape):
    """An operation whose results are valid for an hour, in use; ``tape.clock`` is its runtime's clock."""
    tape.clock = FakeClock(1_000_000.0)

    @op(name="fire/timed", expires=duration_strategy("1h"))
    def timed(n):
        tape.append(n)
        return (n, len(tape))

    front = ["memory://"] if request.param == "memory in front" else []
    with using(make_runtime(clock=tape.clock, cache=[*front, f"file://{tmp_path}/data"])):
        yield timed


@pytest.mark.parametrize("move", ["jump", "advance"])
def test_what_expired_by_the_wall_clock_is_made_anew(timed, tape, move):
    """To the second: valid until just before the hour is over, whether time passed or was set."""
    assert timed(1) == (1, 1)
    getattr(tape.clock, move)(HOURS - 1)
    assert timed(1) == (1, 1)
    getattr(tape.clock, move)(1)
    assert timed(1) == (1, 2)


def test_a_clock_set_back_makes_nothing_expire(timed, tape):
    """A result from the future is valid until it expires, by the clock that then is."""
    entry = timed.resolve(1).entry
    tape.clock.jump(-5 * HOURS)
    assert timed(1) == (1, 1)
    assert timed(2) == (2, 2)
    assert timed.resolve(2).entry.expires_at == entry.expires_at - 5 * HOURS
    tape.clock.jump(1.5 * HOURS)
    assert timed(1) == (1, 1)
    assert timed(2) == (2, 3)


def test_expiry_counts_from_when_the_result_was_there(make_runtime, on_disk, tape):
    """Not from when it was asked for: computing may take hours, or the clock be set meanwhile."""
    tape.clock = FakeClock(1_000_000.0)

    @op(name="fire/long", expires=duration_strategy("1h"))
    def long(n):
        tape.append(n)
        tape.clock.advance(2 * HOURS)
        tape.clock.jump(-10 * HOURS)
        return [n]

    with using(make_runtime(clock=tape.clock, **on_disk)):
        entry = long.resolve(1).entry
        assert entry.created_at == 1_000_000.0 - 8 * HOURS
        assert entry.expires_at == entry.created_at + HOURS
        assert entry.seconds == 2 * HOURS
        assert long.resolve(1).status == "hit"


def test_a_purge_goes_by_the_wall_clock_of_that_moment(timed, tape, make_runtime, tmp_path):
    """Set on, it removes what counts as expired; set back, it keeps what counts as valid."""
    runtime = make_runtime(clock=tape.clock, cache=[f"file://{tmp_path}/data"])
    timed(1)
    tape.clock.jump(-HOURS)
    assert runtime.purge().entries == 0
    tape.clock.jump(3 * HOURS)
    assert runtime.purge().entries == 1

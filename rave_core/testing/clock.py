"""Clocks for tests: one that moves only on request, and a machine's clock that is wrong."""

from __future__ import annotations

import threading
import time

from rave_core.clock import Clock, SystemClock

_LOOK = 0.005


class FakeClock(Clock):
    """A clock that stands still between ``advance`` and ``jump``. Thread-safe: one thread can wake another."""

    def __init__(self, now: float | None = None) -> None:
        """Starts at Unix time ``now``; by default at the present time, which agrees with the times of new files."""
        self._now = SystemClock().now() if now is None else now
        self._monotonic = 0.0
        self._changed = threading.Condition()

    def now(self) -> float:
        """Unix time in seconds, by this clock."""
        return self._now

    def monotonic(self) -> float:
        """The seconds that it was advanced by, which ``jump`` does not change."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets ``seconds`` pass.

        Raises:
            ValueError: ``seconds`` is negative; ``jump`` sets a clock back.
        """
        if seconds < 0:
            raise ValueError(f"time can't pass by {seconds} seconds: expected 0 or more; jump() sets the clock back")
        with self._changed:
            self._now += seconds
            self._monotonic += seconds
            self._changed.notify_all()

    def jump(self, seconds: float) -> None:
        """Sets ``now`` forward or back, as when somebody corrects the machine's clock."""
        with self._changed:
            self._now += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until ``event`` is set, ``seconds`` at most; returns whether it is set.

        The seconds pass through ``advance`` or in real time, whichever is sooner: waiting does not move the clock.
        """
        until, real = self._monotonic + seconds, SystemClock()
        really_until = real.monotonic() + seconds
        with self._changed:
            while not event.is_set() and self._monotonic < until and real.monotonic() < really_until:
                # An event does not notify the condition, so the loop checks it from time to time.
                self._changed.wait(min(_LOOK, seconds))
        return event.is_set()


def shift_time(seconds: float) -> None:
    """Sets the clock of this process, and of those that it forks, ``seconds`` ahead of the machine's."""
    real = time.time
    time.time = lambda: real() + seconds
    SystemClock.now = staticmethod(time.time)

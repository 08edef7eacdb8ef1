"""Clocks for tests: one that goes only when told to, and a machine's that is off."""

from __future__ import annotations

import threading
import time

from rave_core.clock import Clock, SystemClock

_LOOK = 0.005


class FakeClock(Clock):
    """Stands still between ``advance`` and ``jump``. Safe for threads: who waits in one is woken from another."""

    def __init__(self, now: float | None = None) -> None:
        """Starts at Unix time ``now``; without it at the present, which agrees with the times of new files."""
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
            raise ValueError(f"time can't pass by {seconds} seconds: 0 or more expected; jump() sets the clock back")
        with self._changed:
            self._now += seconds
            self._monotonic += seconds
            self._changed.notify_all()

    def jump(self, seconds: float) -> None:
        """Sets ``now`` on, or back, as when somebody corrects the machine's clock."""
        with self._changed:
            self._now += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until ``event`` is set, ``seconds`` at most; whether it is set.

        The seconds pass by ``advance``, or really, whichever is sooner: waiting itself does not move the clock.
        """
        until, real = self._monotonic + seconds, SystemClock()
        really_until = real.monotonic() + seconds
        with self._changed:
            while not event.is_set() and self._monotonic < until and real.monotonic() < really_until:
                # An event does not tell the condition, so it is looked at now and then.
                self._changed.wait(min(_LOOK, seconds))
        return event.is_set()


def shift_time(seconds: float) -> None:
    """Has the clock of this process, and of those that it forks, be ``seconds`` ahead of the machine's."""
    real = time.time
    time.time = lambda: real() + seconds
    SystemClock.now = staticmethod(time.time)

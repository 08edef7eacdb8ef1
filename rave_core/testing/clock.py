"""A clock that goes only when told to."""

from __future__ import annotations

import threading

from rave_core.clock import Clock, SystemClock


class FakeClock(Clock):
    """Stands still between ``advance`` and ``jump``. Safe for threads.

    ``wait`` never waits: it lets the time pass at once, so a loop around it spins as fast as it can.
    """

    def __init__(self, now: float | None = None) -> None:
        """Starts at Unix time ``now``; without it at the present, which agrees with the times of new files."""
        self._now = SystemClock().now() if now is None else now
        self._monotonic = 0.0
        self._lock = threading.Lock()

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
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Sets ``now`` on, or back, as when somebody corrects the machine's clock."""
        with self._lock:
            self._now += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Whether ``event`` is set: at once if it is, else after letting ``seconds`` pass, without really waiting."""
        if not event.is_set():
            self.advance(seconds)
        return event.is_set()

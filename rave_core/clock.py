"""The one source of time."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod


class Clock(ABC):
    """The time, passed in wherever it is needed so that a test can supply its own."""

    @abstractmethod
    def now(self) -> float:
        """Unix time in seconds: for what is recorded and shared. May jump."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds that only grow: for measuring durations. They have no meaning on another host."""

    @abstractmethod
    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until ``event`` is set, ``seconds`` at most; returns whether it was set."""


class SystemClock(Clock):
    """The machine's clocks."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits until ``event`` is set, ``seconds`` at most; returns whether it was set."""
        return event.wait(seconds)

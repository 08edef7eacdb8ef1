"""Deadlines: how long something may take. The client's one source of time."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by the monotonic clock; ``math.inf`` for never."""

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """The moment in so many seconds; ``None`` for never."""
        return NEVER if seconds is None else cls(time.monotonic() + max(seconds, 0.0))

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        return max(self.at - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left <= 0

    def earlier(self, other: Deadline) -> Deadline:
        """The earlier of two."""
        return self if self.at <= other.at else other

    def pause(self, seconds: float) -> None:
        """Sleeps for this many seconds, at most for those left."""
        time.sleep(min(max(seconds, 0.0), self.left))


NEVER = Deadline()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a product may take.

    Attributes:
        ready: until when it has to be ready.
        total: until when all of it has to be here; the earlier of the two limits the waiting.
    """

    ready: Deadline = NEVER
    total: Deadline = NEVER

    @classmethod
    def after(cls, ready: float | None, total: float | None) -> Limits:
        """The limits in so many seconds from now; ``None`` for none."""
        whole = Deadline.after(total)
        return cls(Deadline.after(ready).earlier(whole), whole)


def now() -> float:
    """Seconds that only grow: for measuring."""
    return time.monotonic()


def unix_time() -> float:
    """Unix time in seconds: for dates in headers."""
    return time.time()


def backoff(tries: int) -> float:
    """Seconds to pause after so many failures in a row: twice as long each time, with jitter, 5 s at most."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(tries, 16), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)  # noqa: S311  # spreads load, keeps no secret


def jittered(seconds: float) -> float:
    """A little more than ``seconds``, so that clients with the same delay do not come back together."""
    return seconds + random.uniform(0, 0.05 + seconds / 4)  # noqa: S311  # likewise

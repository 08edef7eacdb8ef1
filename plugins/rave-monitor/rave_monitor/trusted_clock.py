"""The time by which old samples are removed: a clock that jumps ahead for a moment removes none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rave_core import Runtime
from rave_monitor.checkpoint import ClockDoubt

BELIEF: Final = 86400.0
"""Seconds of running after which a jump of the clock is believed."""
_LEAST: Final = 60.0
"""Seconds; a smaller step of the clock is no jump."""


class TrustedClock:
    """The host's clock without its jumps ahead of the last day. One thread looks; others may ask for ``now``.

    Nobody can tell a clock that was wrong and is right now from one that was right. So the time goes on as it does in a
    process that runs, and a jump counts once it has lasted for a day. A clock that goes back takes back what it had
    jumped ahead by. Time during which no monitor ran counts as a jump, too: a host may start with a wrong clock.

    Attributes:
        now: the trusted time as of the latest look, in Unix seconds.
        doubts: the jumps that are not believed yet, the earliest first.
    """

    def __init__(self, runtime: Runtime, doubts: Sequence[ClockDoubt], sampled_at: float, period: float) -> None:
        """Goes on after an earlier term.

        Args:
            runtime: its clock counts.
            doubts: those of the term before.
            sampled_at: when that took its latest sample; 0 if there is none.
            period: seconds from one sample to the next.
        """
        self._clock = runtime.clock
        self._now, self._monotonic = self._clock.now(), self._clock.monotonic()
        ahead = self._now - sampled_at if sampled_at else 0.0
        self.doubts = _with_jump(doubts, ahead if ahead < 0 or ahead > 2 * period else 0.0)
        self.now = self._now - sum(each.seconds for each in self.doubts)

    def look(self) -> float:
        """Takes over the time; returns by how many seconds the clock jumped ahead since the last look, else 0."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        passed = monotonic - self._monotonic
        ahead = now - self._now - passed
        self._now, self._monotonic = now, monotonic
        older = [ClockDoubt(each.seconds, each.left - passed) for each in self.doubts if each.left > passed]
        self.doubts = _with_jump(older, ahead)
        self.now = now - sum(each.seconds for each in self.doubts)
        return ahead if ahead > _LEAST else 0.0


def _with_jump(doubts: Sequence[ClockDoubt], ahead: float) -> list[ClockDoubt]:
    """The doubts after a jump, which goes back if it is negative."""
    left = list(doubts)
    if abs(ahead) <= _LEAST:
        return left
    if ahead > 0:
        return [*left, ClockDoubt(ahead, BELIEF)]
    while ahead < 0 and left:
        latest = left.pop()
        ahead += latest.seconds
        if ahead > _LEAST:
            left.append(ClockDoubt(ahead, latest.left))
    return left

"""The editions of the namespace that is edited under load: which may be served when."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from soaking.asking import Answer

LATE: Final = 2.0
"""Seconds for which an old edition may be served after every worker has reported the new one."""


@dataclass
class Edition:
    """One edition.

    Attributes:
        written_at: when its file was there, in Unix seconds; ``None`` before.
        told_at: when every worker was known to serve it; ``None`` before.
    """

    number: int
    written_at: float | None = None
    told_at: float | None = None


class Editions:
    """All editions so far. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = [Edition(1, 0.0, 0.0)]
        self._broken: list[list[float]] = []

    @property
    def newest(self) -> Edition:
        """The latest one."""
        with self._lock:
            return self._all[-1]

    @property
    def delays(self) -> list[float]:
        """Seconds from each edit until every worker served it."""
        with self._lock:
            return [
                each.told_at - each.written_at
                for each in self._all[1:]
                if each.told_at is not None and each.written_at is not None
            ]

    @property
    def breaks(self) -> int:
        """How often the code was broken."""
        with self._lock:
            return len(self._broken)

    def begin(self) -> Edition:
        """A new edition, which is about to be written."""
        with self._lock:
            self._all.append(Edition(self._all[-1].number + 1))
            return self._all[-1]

    def broke(self, now: float) -> None:
        """Records that the code is broken from now on."""
        with self._lock:
            self._broken.append([now, float("inf")])

    def mended(self, now: float) -> None:
        """Records that the code works again."""
        with self._lock:
            self._broken[-1][1] = now

    def may_be_away(self, answer: Answer) -> bool:
        """Whether a worker may serve nothing of the namespace: one that started while its code was broken."""
        with self._lock:
            return any(start <= answer.seen_at and answer.asked_at <= end + 5.0 for start, end in self._broken)

    def check(self, answer: Answer, number: int) -> None:
        """Complains of an edition that was too old when it was asked for, or that nobody has written yet."""
        with self._lock:
            told = [each.number for each in self._all if each.told_at and each.told_at + LATE < answer.asked_at]
            newest = self._all[-1].number
        least = max(told, default=1)
        if not least <= number <= newest:
            raise answer.wrong(f"expected an edition from {least} to {newest}")

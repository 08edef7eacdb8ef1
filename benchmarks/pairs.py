"""Comparisons within one run: two sides take turns, and the median of their ratios counts."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Side = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """What RAVE costs beside a peer.

    Attributes:
        rave_us, peer_us: medians, in microseconds for each call.
        ratio: the median over all pairs of what RAVE took to what the peer took beside it.
        limit: over which ``ratio`` is too much.
        is_steady: whether only processor and memory count. What waits for a disk to write varies several times over.
    """

    name: str
    peer: str
    rave_us: float
    peer_us: float
    ratio: float
    limit: float
    is_steady: bool = True

    @property
    def row(self) -> str:
        """What is compared, and with what."""
        return f"{self.name} / {self.peer}"


def compare(
    name: str,
    peer: str,
    ours: Side,
    theirs: Side,
    *,
    limit: float,
    number: int = 1,
    pairs: int = 9,
    is_steady: bool = True,
) -> Comparison:
    """Calls each side ``number`` times in turns, ``pairs`` times; who begins a pair alternates.

    A noisy machine disturbs the two sides of a pair alike, and the median passes over the pairs that it does not.
    """
    ours(), theirs()
    taken = []
    for turn in range(pairs):
        first, second = (ours, theirs) if turn % 2 else (theirs, ours)
        one, two = _seconds(first, number), _seconds(second, number)
        taken.append((one, two) if turn % 2 else (two, one))
    return median_ratio(name, peer, taken, limit=limit, number=number, is_steady=is_steady)


def median_ratio(
    name: str,
    peer: str,
    taken: Sequence[tuple[float, float]],
    *,
    limit: float,
    number: int = 1,
    is_steady: bool = True,
) -> Comparison:
    """The comparison that pairs of seconds give, each for ``number`` calls: RAVE's, and the peer's beside it."""
    rave_us, peer_us = (statistics.median(side) / number * 1e6 for side in zip(*taken, strict=True))
    ratio = statistics.median(mine / its for mine, its in taken)
    return Comparison(name, peer, rave_us, peer_us, ratio, limit, is_steady)


def _seconds(side: Side, number: int) -> float:
    gc.collect()
    began = time.perf_counter()
    for _ in range(number):
        side()
    return time.perf_counter() - began

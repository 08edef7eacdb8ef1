"""Which entries go first when a budget is exceeded."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

from rave_backends.budget import Budget, Limit


class Ranking:
    """All entries of a store, with the worth of each; some 40 bytes per entry, so a million fit in memory.

    The caller numbers the places, and the entries in each place.
    """

    def __init__(self, budget: Budget, pins: Sequence[str], *, newest: str = "") -> None:
        """Ranks for ``budget``: keys that start with one of ``pins`` stay, and the key ``newest`` goes last."""
        self._budget = budget
        self._pins = tuple(pins)
        self._newest = newest
        self._parts = ["", *budget.parts]
        self._scores = array("d")
        self._sizes = array("Q")
        self._places = array("L")
        self._rows = array("Q")
        self._part = array("H")
        self._pinned = bytearray()

    def part_of(self, key: str) -> int:
        """The number of the part of the budget that ``key`` belongs to."""
        return self._parts.index(self._budget.part_of(key))

    def add(self, place: int, row: int, *, key: str, part: int, score: float, size: int) -> None:
        """Adds an entry; those of the lowest score go first."""
        self._scores.append(math.inf if key == self._newest else score)
        self._sizes.append(size)
        self._places.append(place)
        self._rows.append(row)
        self._part.append(part)
        self._pinned.append(key.startswith(self._pins))

    def victims(self) -> dict[int, set[int]]:
        """What has to go, by place: first the excess of single parts, then the excess of the whole."""
        order = sorted(range(len(self._scores)), key=self._scores.__getitem__)
        order = [index for index in order if not self._pinned[index]]
        gone: set[int] = set()
        for number, name in enumerate(self._parts[1:], 1):
            mine = (index for index in range(len(self._part)) if self._part[index] == number)
            self._choose(self._budget.limit_of(name), mine, [i for i in order if self._part[i] == number], gone)
        self._choose(self._budget.whole, range(len(self._scores)), order, gone)
        victims: dict[int, set[int]] = {}
        for index in gone:
            victims.setdefault(self._places[index], set()).add(self._rows[index])
        return victims

    def _choose(self, limit: Limit, among: Iterable[int], order: Iterable[int], gone: set[int]) -> None:
        used = entries = 0
        for index in among:
            if index not in gone:
                used, entries = used + self._sizes[index], entries + 1
        size, count = limit.excess(used, entries)
        for index in order:
            if size <= 0 and count <= 0:
                break
            if index not in gone:
                gone.add(index)
                size, count = size - self._sizes[index], count - 1

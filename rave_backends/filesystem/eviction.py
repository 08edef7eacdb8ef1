"""Chooses what a directory evicts when it exceeds its budget."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence

from rave_backends.budget import Budget, Policy
from rave_backends.filesystem.header_index import Inventory, Records
from rave_backends.filesystem.paths import Leaf, Tree
from rave_backends.ranking import Ranking

MOST_USES = 10**6 - 1
_CENTURY = 4e9  # seconds: more frequent use is worth more, however long ago
_NANO = 10**9


def uses(info: os.stat_result) -> int:
    """How often a frame was used, kept in the nanoseconds of its file time; 1 if those are not a count."""
    number = info.st_mtime_ns % _NANO
    return number if 1 <= number <= MOST_USES else 1


def stamp(file: int, now: float, number: int) -> None:
    """Notes that an open frame was used for the ``number``th time, now.

    Raises:
        OSError: the file's times can't be set.
    """
    moment = int(now) * _NANO + min(number, MOST_USES)
    os.utime(file, ns=(moment, moment))


class Eviction:
    """Ranks all frames of one cache. A chosen frame that is used or replaced before it goes is lost all the same."""

    def __init__(self, tree: Tree, inventory: Inventory) -> None:
        self._tree = tree
        self._inventory = inventory

    def victims(self, budget: Budget, pins: Sequence[str], newest: str = "") -> Iterator[str]:
        """The paths of the frames to evict so that ``budget`` holds, in no order; the key ``newest`` goes last."""
        ranking, leaves = Ranking(budget, pins, newest=newest), list[str]()
        for leaf in self._tree.leaves():
            self._rank(ranking, budget.policy, leaf, len(leaves))
            leaves.append(leaf.path)
        for place, numbers in ranking.victims().items():
            leaf, _ = self._tree.look_into(leaves[place])
            for name, number in leaf.frames.items():
                if number in numbers:
                    yield f"{leaf.path}/{name}"

    def _stats(self, leaf: Leaf, records: Records) -> Iterator[os.stat_result | None]:
        with self._tree.files.directory(leaf.path) as directory:
            for name in records.names:
                try:
                    yield os.stat(name, dir_fd=directory, follow_symlinks=False)
                except OSError:
                    yield None

    def _scores(self, policy: Policy, leaf: Leaf, records: Records) -> array[float]:
        if policy == "cost":
            pairs = zip(records.seconds, records.used, strict=True)
            return array("d", (seconds / max(used, 1) for seconds, used in pairs))
        worth = _last_use if policy == "lru" else _uses_first
        try:
            return array("d", (0.0 if info is None else worth(info) for info in self._stats(leaf, records)))
        except OSError:  # the directory is gone
            return array("d", bytes(8 * len(records.names)))

    def _rank(self, ranking: Ranking, policy: Policy, leaf: Leaf, place: int) -> None:
        records, part = self._inventory.records(leaf), None
        scores = self._scores(policy, leaf, records)
        for row, (name, score) in enumerate(zip(records.names, scores, strict=True)):
            key = self._tree.key(leaf.path, name)
            if key is None:
                continue
            part = ranking.part_of(key) if part is None else part  # all frames in a directory belong to one operation
            size = records.used[row]
            ranking.add(place, records.numbers[row], key=key, part=part, score=score, size=size)


def _last_use(info: os.stat_result) -> float:
    return info.st_mtime


def _uses_first(info: os.stat_result) -> float:
    return uses(info) * _CENTURY + info.st_mtime

"""Entries in memory, in the order in which they go."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from cachetools import Cache, LFUCache, LRUCache

from rave_backends.budget import Budget, Policy
from rave_core.backend import EVICTED, MemoryRef, peek
from rave_core.errors import EntryError

OVERHEAD = 512
"""Estimated bytes of an entry beside its frame and value: its key, and its places in the tables."""


class Item:
    """One entry in memory: its frame, and its decoded value if there is one.

    Attributes:
        since: when it was put, by the monotonic clock.
        worth: for ``cost``, seconds of computing per byte.
        size: bytes that count towards the budget.
    """

    __slots__ = ("frame", "ref", "since", "size", "worth")

    def __init__(self, frame: bytes, since: float, ref: MemoryRef | None = None, *, worth: float = 0.0) -> None:
        self.frame = frame
        self.since = since
        self.worth = worth
        self.ref = ref
        # Nothing measures quickly how much memory a decoded value takes. As much as its frame is a fair guess.
        self.size = OVERHEAD + len(frame) * (2 if ref is not None else 1)

    def let_go(self) -> None:
        """Notifies holders of a reference to the value that it is gone."""
        if self.ref is not None:
            self.ref.value = EVICTED


class EvictingMap(Cache[str, Item]):
    """Items up to a total size. A policy says which item goes first.

    Spares items read through their ``MemoryRef`` since they last faced eviction.

    Such readers take no lock; they only set a flag. At eviction the flag counts as one use. This is the CLOCK algorithm
    (Corbató 1968), on top of the order that the policy keeps.
    """

    _choosing = False

    def popitem(self) -> tuple[str, Item]:
        """Removes and returns the item that the policy ranks lowest.

        Raises:
            KeyError: there are no items.
        """
        for _ in range(len(self)):  # bounded, even if readers keep setting flags
            ref = self._candidate()[1].ref
            if ref is None or not ref.used:
                break
            ref.used = False
            self[self._candidate()[0]]
        key, item = super().popitem()
        item.let_go()
        return key, item

    def __delitem__(self, key: str) -> None:
        if not self._choosing:
            super().__delitem__(key)

    def peek(self, key: str) -> Item | None:
        """What is kept under ``key``. This does not count as use."""
        return Cache.__getitem__(self, key) if key in self else None

    def _candidate(self) -> tuple[str, Item]:
        # Only the policy knows its order: let it pick, and keep it from deleting.
        self._choosing = True
        try:
            return super().popitem()
        finally:
            self._choosing = False


class _LRU(EvictingMap, LRUCache[str, Item]):
    """Evicts what has been unused the longest."""


class _LFU(EvictingMap, LFUCache[str, Item]):
    """Evicts what was used the fewest times."""


class _Cost(EvictingMap):
    """Evicts what is cheapest to compute again for each byte."""

    def __init__(self, maxsize: int, getsizeof: Callable[[Item], int]) -> None:
        super().__init__(maxsize, getsizeof)
        self._heap: list[tuple[float, int, str, Item]] = []
        self._numbers = itertools.count()

    def __setitem__(self, key: str, item: Item) -> None:
        super().__setitem__(key, item)
        if len(self._heap) > 2 * len(self) + _SLACK:  # mostly of items that are gone
            self._heap = [line for line in self._heap if self.peek(line[2]) is line[3]]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (item.worth, next(self._numbers), key, item))

    def popitem(self) -> tuple[str, Item]:
        """Removes and returns the cheapest item."""
        while self._heap:
            _, _, key, item = heapq.heappop(self._heap)
            if self.peek(key) is item:
                del self[key]
                item.let_go()
                return key, item
        raise KeyError("nothing is kept")


_SLACK = 64
_SHELVES: dict[Policy, type[EvictingMap]] = {"lru": _LRU, "lfu": _LFU, "cost": _Cost}


class EvictingMaps:
    """A shelf for each part of a budget, and one for the rest. Not safe for threads: its owner holds a lock."""

    def __init__(self, budget: Budget, max_bytes: int) -> None:
        self._budget = budget
        self._max_bytes = max_bytes
        kind = _SHELVES[budget.policy]
        limits = {"": budget.whole, **budget.parts}
        self._shelves = {
            part: kind(min(limit.max_bytes or max_bytes, max_bytes), getsizeof=_size) for part, limit in limits.items()
        }
        self._most = {part: limit.max_entries for part, limit in limits.items() if part}
        self._rest = self._shelves[""]

    def __len__(self) -> int:
        return sum(map(len, self._shelves.values()))

    def __iter__(self) -> Iterator[str]:
        for shelf in self._shelves.values():
            yield from shelf

    @property
    def size(self) -> int:
        """The total size, in bytes."""
        return int(sum(shelf.currsize for shelf in self._shelves.values()))

    def get(self, key: str) -> Item | None:
        """What is kept under ``key``. This counts as use."""
        return self._shelf(key).get(key)

    def peek(self, key: str) -> Item | None:
        """What is kept under ``key``. This does not count as use."""
        return self._shelf(key).peek(key)

    def replace(self, key: str, item: Item) -> bool:
        """Keeps ``item`` in place of the old one, which it releases; whether it fits, with its value if any.

        An item that does not fit with its value is kept without the value, if that fits.
        """
        if (before := self.pop(key)) is not None:
            before.let_go()
        if self._put(key, item):
            return True
        if item.ref is not None:
            self._put(key, Item(item.frame, item.since, worth=item.worth))
        return False

    def _put(self, key: str, item: Item) -> bool:
        """Keeps ``item``, and evicts others to make room; whether it fits at all."""
        part = self._budget.part_of(key) if self._most else ""
        shelf = self._shelves[part]
        if item.size > shelf.maxsize:
            return False
        shelf[key] = item
        most = self._most.get(part)
        while most is not None and len(shelf) > most:
            shelf.popitem()
        self._keep_to_the_whole()
        return self.peek(key) is item

    def pop(self, key: str) -> Item | None:
        """Removes what is kept under ``key``."""
        item: Item | None = self._shelf(key).pop(key, None)
        return item

    def _keep_to_the_whole(self) -> None:
        most = self._budget.whole.max_entries
        while (most is not None and len(self) > most) or (len(self._shelves) > 1 and self.size > self._max_bytes):
            max(self._shelves.values(), key=lambda shelf: shelf.currsize).popitem()  # the fullest one gives way

    def _shelf(self, key: str) -> EvictingMap:
        return self._rest if len(self._shelves) == 1 else self._shelves[self._budget.part_of(key)]


def _size(item: Item) -> int:
    return item.size


def worth(frame: bytes) -> float:
    """Seconds of computing per byte of a frame; 0 for an invalid frame."""
    try:
        return peek(frame).seconds / max(len(frame), 1)
    except EntryError:
        return 0.0

"""Bags: how much there is of each key, as SiLK's bags count flows, packets or bytes by address, port or protocol."""

from __future__ import annotations

import csv
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from rave_flow.model.address_set import AddressSet, number_of_text

Key = str | int
ADDRESSES = ("sip", "dip")
"""Keys of bags that are addresses."""


def _place(key: Key) -> tuple[int, int, str]:
    """The sort key of a key: numbers and addresses by value, other texts as they are."""
    if isinstance(key, int):
        return 0, key, ""
    number = number_of_text(key)
    return (2, 0, key) if number is None else (1, number, "")


@dataclass(frozen=True, slots=True)
class Bag:
    """How much there is of each key: a value that can be compared, iterated over, saved and loaded.

    Immutable. A key that is not in it counts 0. Iterating gives the keys in order: addresses by their number.

    Attributes:
        key: what the keys are, a field: ``sip``, ``dport``, …
        counter: what is counted: ``records``, ``packets``, ``bytes``.
        entries: pairs of a key and a positive number, in order, each key once.
    """

    key: str
    counter: str
    entries: tuple[tuple[Key, int], ...] = ()

    @classmethod
    def of(cls, key: str, counter: str, counts: Mapping[Key, int] | Iterable[tuple[Key, int]]) -> Bag:
        """The bag of some counts. Adds up the counts of one key, and leaves out zeros.

        Raises:
            ValueError: a count is negative, or not a whole number.
        """
        sums: dict[Key, int] = {}
        for name, count in counts.items() if isinstance(counts, Mapping) else counts:
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(f"{count!r} of {name!r}: expected a whole number of 0 or more")
            sums[name] = sums.get(name, 0) + count
        found = sorted(((name, count) for name, count in sums.items() if count), key=lambda pair: _place(pair[0]))
        return cls(key, counter, tuple(found))

    def __getitem__(self, key: Key) -> int:
        """How much there is of a key; 0 for a missing key."""
        place = bisect_left(self.entries, _place(key), key=lambda pair: _place(pair[0]))
        found = self.entries[place] if place < len(self.entries) else None
        return found[1] if found is not None and found[0] == key else 0

    def __contains__(self, key: Key) -> bool:
        """Whether there is any of a key."""
        return self[key] > 0

    def __iter__(self) -> Iterator[Key]:
        """The keys, in order."""
        return (key for key, _ in self.entries)

    def __len__(self) -> int:
        """How many keys."""
        return len(self.entries)

    @property
    def total(self) -> int:
        """All counts together."""
        return sum(count for _, count in self.entries)

    def items(self) -> Iterator[tuple[Key, int]]:
        """Pairs of key and count, in order of the keys."""
        return iter(self.entries)

    def __add__(self, other: Bag) -> Bag:
        """Both together."""
        return self.merged(other, lambda one, two: one + two)

    def __sub__(self, other: Bag) -> Bag:
        """What remains after subtracting the other, at least 0."""
        return self.merged(other, lambda one, two: max(0, one - two))

    def merged(self, other: Bag, join: Callable[[int, int], int]) -> Bag:
        """What ``join`` makes of the counts of each key in either.

        Raises:
            ValueError: the keys of the two are different things.
        """
        kinds = {"address" if bag.key in ADDRESSES else bag.key for bag in (self, other)} - {"any"}
        if len(kinds) > 1:
            raise ValueError(f"a bag of {self.key} and one of {other.key} have no keys in common")
        mine, theirs = dict(self.entries), dict(other.entries)
        return Bag.of(
            self.key, self.counter, {key: join(mine.get(key, 0), theirs.get(key, 0)) for key in mine | theirs}
        )

    def where(self, test: Callable[[Key, int], bool]) -> Bag:
        """The entries for which ``test`` holds, of key and count."""
        return Bag(self.key, self.counter, tuple(pair for pair in self.entries if test(*pair)))

    def cover(self) -> AddressSet:
        """The set of its keys.

        Raises:
            ValueError: they are not addresses.
        """
        if self.key not in ADDRESSES:
            raise ValueError(f"expected a bag of addresses, not of {self.key}")
        return AddressSet.of([str(key) for key in self])

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the bag to a file: a line of the two names, then one of key and count each, as `load` reads it."""
        target = Path(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerows([(self.key, self.counter), *self.entries])
        draft.replace(target)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Bag:
        """The bag in a file that `save` wrote, or in one of lines ``key|count`` as SiLK's rwbagcat writes them.

        Raises:
            OSError: the file can't be read.
            ValueError: a line is wrong; the message names it.
        """
        text = [line for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        divider = "|" if text and "|" in text[0] else ","
        rows = [[cell.strip() for cell in line.split(divider) if cell.strip()] for line in text]
        names = rows.pop(0) if rows and not rows[0][-1].isdigit() else ["any", "records"]
        for number, row in enumerate(rows, len(text) - len(rows) + 1):
            if len(row) != 2 or not row[1].isdigit():
                raise ValueError(f"{path}, line {number}: expected a key and a number")
        return cls.of(names[0].lower(), names[1].lower(), [(_read(key), int(count)) for key, count in rows])


def _read(text: str) -> Key:
    return int(text) if text.isascii() and text.isdigit() else text


def read_counts(rows: Iterable[tuple[Any, int]], key: str, counter: str) -> Bag:
    """The bag of rows of a query; a key that is unset is left out."""
    return Bag.of(key, counter, [(name, count) for name, count in rows if name is not None])

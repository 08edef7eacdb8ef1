"""Prefix maps: a label for each address, by the narrowest network that it is in, as SiLK's rwpmapbuild makes them."""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from os import PathLike
from pathlib import Path

from rave_flow.model.address_set import AddressSet, number_of_text
from rave_flow.model.maxmind import labelled_networks
from rave_flow.model.ranges import Ranges, merged

Labelled = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class PrefixMap:
    """Labels of addresses. Immutable.

    Attributes:
        name: by which fields are called: ``src_NAME`` and ``dst_NAME``.
        entries: first and last number of addresses and their label; sorted, and apart from each other.
        digest: of the name and the entries, which represents them in a key.
    """

    name: str
    entries: tuple[Labelled, ...]
    digest: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"{self.name!r} is not a name of a prefix map: use lower-case letters, digits and _")
        object.__setattr__(
            self, "digest", blake2b(repr((self.name, self.entries)).encode(), digest_size=20).hexdigest()
        )

    def __rave_key__(self) -> str:
        """What represents the map in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def of(cls, name: str, rows: Iterable[tuple[str, str]]) -> PrefixMap:
        """The map of pairs of addresses, as `AddressSet.of` takes them, and a label; the narrowest counts.

        Raises:
            ValueError: something is not an address, or the name is not valid.
        """
        ranges = [(first, last, label) for nets, label in rows for first, last in AddressSet.of(nets).ranges]
        return cls(name, tuple(_flat(ranges)))

    @classmethod
    def load(cls, name: str, path: str | PathLike[str]) -> PrefixMap:
        """The map in a file: lines of ``network,label`` or ``network label``, or MaxMind's networks, CSV or ``.mmdb``.

        MaxMind's CSV refers to a file of locations beside it, ``…-Locations-en.csv``. The label is the ISO code of
        the country, or of the registered country where there is none; of autonomous systems it is the number.

        Raises:
            OSError: a file can't be read.
            ValueError: a line is wrong, or the package ``maxminddb`` is missing; the message names the file.
        """
        target = Path(path)
        if target.suffix == ".mmdb":
            return cls(name, tuple(labelled_networks(target)))
        text = target.read_text(encoding="utf-8-sig").splitlines()
        try:
            titles = set(text[0].split(",")) if text else set()
            return cls.of(name, _maxmind(target, text) if titles & _MAXMIND else _plain(text))
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from None

    def __getitem__(self, address: str) -> str | None:
        """The label of an address; ``None`` if it has none, or is not an address."""
        number = number_of_text(address)
        place = -1 if number is None else bisect_right(self.entries, number, key=lambda entry: entry[0]) - 1
        return (
            self.entries[place][2] if place >= 0 and number is not None and number <= self.entries[place][1] else None
        )

    def __len__(self) -> int:
        """How many ranges have labels."""
        return len(self.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({label for _, _, label in self.entries}))

    def ranges(self, labels: Iterable[str]) -> Ranges:
        """The numbers of all addresses with one of these labels, in any case.

        Raises:
            ValueError: there is no such label.
        """
        wanted = {label.casefold() for label in labels}
        unknown = wanted - {label.casefold() for label in self.labels}
        if unknown:
            raise ValueError(f"the prefix map {self.name} has no label {', '.join(sorted(unknown))}")
        return merged((first, last) for first, last, label in self.entries if label.casefold() in wanted)


_MAXMIND = {"geoname_id", "autonomous_system_number"}
"""Titles of MaxMind's columns, of which its files of networks have one."""

_DIRECTIVES = ("map-name", "mode", "default", "label")
"""Lines of SiLK's rwpmapbuild that are no networks."""


def _plain(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        words = re.split(r"[,|\t ]+", line.partition("#")[0].strip(" ,|\t"), maxsplit=1)
        if (
            words == [""]
            or words[0] in ("map-name", "mode", "default", "label")
            or (number == 1 and words[0].isalpha())
        ):
            continue
        if len(words) != 2:
            raise ValueError(f"line {number}: expected a network and a label")
        yield words[0], words[1].strip(' "')


def _maxmind(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    places: dict[str, str] = {}
    for beside in sorted(path.parent.glob("*-Locations-en.csv")):
        with beside.open(encoding="utf-8-sig", newline="") as rows:
            places |= {row["geoname_id"]: row.get("country_iso_code", "") for row in csv.DictReader(rows)}
    for row in csv.DictReader(lines):
        number = row.get("autonomous_system_number")
        place = row.get("geoname_id") or row.get("registered_country_geoname_id") or ""
        if label := number or places.get(place, place):
            yield row["network"], label


def _flat(ranges: Iterable[Labelled]) -> Iterator[Labelled]:
    """Disjoint ranges. If some overlap, the one that begins later counts: the narrowest network."""
    held: list[Labelled] = []
    cursor = 0
    for first, last, label in sorted(ranges, key=lambda entry: (entry[0], -entry[1])):
        while held and held[-1][1] < first:
            _, end, name = held.pop()
            if cursor <= end:
                yield cursor, end, name
                cursor = end + 1
        if held and cursor < first:
            yield cursor, first - 1, held[-1][2]
        cursor = first
        held.append((first, last, label))
    while held:
        _, end, name = held.pop()
        if cursor <= end:
            yield cursor, end, name
            cursor = end + 1

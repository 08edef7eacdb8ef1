"""Sets of addresses, as ranges of numbers: IPv4 lies within IPv6, at ``::ffff:0:0/96``, so both can be in one set."""

from __future__ import annotations

import ipaddress
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, starmap
from os import PathLike
from pathlib import Path
from random import Random
from typing import Any

from rave_flow.model.address_wildcards import is_wildcard, ranges_of, split_words
from rave_flow.model.ranges import Ranges, merged

V4 = 0xFFFF << 32
"""What an IPv4 address has on top of its number."""


def number_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """The number of an address, in which IPv4 and IPv6 do not overlap."""
    return int(address) + V4 if address.version == 4 else int(address)


def number_of_text(text: str) -> int | None:
    """The number of the address in a text; ``None`` if it is not an address."""
    try:
        return number_of(ipaddress.ip_address(text))
    except ValueError:
        return None


def address_of(number: int) -> str:
    """The address of a number."""
    return str(ipaddress.IPv4Address(number - V4) if V4 <= number < V4 + 2**32 else ipaddress.IPv6Address(number))


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Some addresses: a value that can be compared, iterated over, saved and loaded.

    Immutable; equal sets are equal, however they were made. ``<=`` asks whether one is within another.

    Attributes:
        ranges: of their numbers.
    """

    ranges: Ranges = ()

    @classmethod
    def of(cls, *values: Any) -> AddressSet:
        """The set of addresses, networks (``10.0.0.0/8``), ranges (``10.0.0.1-10.0.0.9``), wildcards (``10.x.1-5.x``),
        sets, and lists of these.

        Text may hold several, separated by commas or white space. A network's bits beyond its prefix must be 0.

        Raises:
            TypeError, ValueError: anything else; the message names it.
        """
        return cls(merged(pair for value in values for pair in _pairs(value)))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> AddressSet:
        """The set in a file: a text of what `of` takes, where what follows a ``#`` is a comment.

        Raises:
            OSError: the file can't be read.
            ValueError: a line is wrong; the message names it.
        """
        pairs: list[tuple[int, int]] = []
        for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), 1):
            try:
                pairs += _pairs(line.partition("#")[0]) if line.partition("#")[0].strip() else []
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
        return cls(merged(pairs))

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the set to a file, one network or address a line, as `load` and SiLK's rwsetbuild read it."""
        target = Path(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text("".join(f"{net}\n" for net in self.networks()), encoding="utf-8")
        draft.replace(target)

    def __or__(self, other: AddressSet) -> AddressSet:
        """What is in either."""
        return AddressSet(merged((*self.ranges, *other.ranges)))

    def __and__(self, other: AddressSet) -> AddressSet:
        """What is in both."""
        return AddressSet(tuple(_common(self.ranges, other.ranges)))

    def __sub__(self, other: AddressSet) -> AddressSet:
        """What is only in this one."""
        return AddressSet(tuple(_common(self.ranges, tuple(_gaps(other.ranges)))))

    def __xor__(self, other: AddressSet) -> AddressSet:
        """What is in only one of them."""
        return (self - other) | (other - self)

    def __le__(self, other: AddressSet) -> bool:
        """Whether all of it is in the other."""
        return (self & other) == self

    def __lt__(self, other: AddressSet) -> bool:
        """Whether all of it is in the other, which has more."""
        return self != other and self <= other

    def __ge__(self, other: AddressSet) -> bool:
        """Whether all of the other is in it."""
        return other <= self

    def __gt__(self, other: AddressSet) -> bool:
        """Whether all of the other is in it, and more."""
        return other < self

    def isdisjoint(self, other: AddressSet) -> bool:
        """Whether nothing is in both."""
        return not self & other

    def __contains__(self, address: object) -> bool:
        """Whether an address, or its text, is in it."""
        number = number_of(ipaddress.ip_address(str(address)))
        place = bisect_right(self.ranges, (number, 2**128))
        return place > 0 and number <= self.ranges[place - 1][1]

    def __iter__(self) -> Iterator[str]:
        """The addresses as texts, in order of their numbers: one by one, however many."""
        return (address_of(number) for first, last in self.ranges for number in range(first, last + 1))

    def __len__(self) -> int:
        """How many addresses; Python's ``len`` ends at 2**63, `count` does not."""
        return self.count

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.ranges)

    @property
    def count(self) -> int:
        """How many addresses."""
        return sum(last - first + 1 for first, last in self.ranges)

    def networks(self) -> Iterator[str]:
        """The fewest networks and addresses that make up the set, in order."""
        for first, last in self.ranges:
            for low, high in _within_one_version(first, last):
                ends = (ipaddress.ip_address(address_of(low)), ipaddress.ip_address(address_of(high)))
                nets: Iterator[Any] = ipaddress.summarize_address_range(*ends)
                yield from (str(net.network_address) if net.num_addresses == 1 else str(net) for net in nets)

    def sample(self, size: int, seed: int = 0) -> AddressSet:
        """This many of its addresses, or all if there are fewer; the same ones for the same ``seed``."""
        population = range(min(self.count, 2**62))
        chosen = Random(seed).sample(population, min(size, len(population)))  # noqa: S311  # nothing secret
        offsets = list(accumulate((last - first + 1 for first, last in self.ranges), initial=0))
        numbers = []
        for offset in chosen:
            place = bisect_right(offsets, offset) - 1
            numbers.append(self.ranges[place][0] + offset - offsets[place])
        return AddressSet(merged((number, number) for number in numbers))

    def __str__(self) -> str:
        return ",".join(
            address_of(first) if first == last else f"{address_of(first)}-{address_of(last)}"
            for first, last in self.ranges
        )


def _common(one: Ranges, two: Ranges) -> Iterator[tuple[int, int]]:
    """The ranges in both, in one pass over the two."""
    places = [0, 0]
    while places[0] < len(one) and places[1] < len(two):
        (first, last), (low, high) = one[places[0]], two[places[1]]
        if max(first, low) <= min(last, high):
            yield max(first, low), min(last, high)
        places[last > high] += 1


def _gaps(ranges: Ranges) -> Iterator[tuple[int, int]]:
    """What is in none of the ranges."""
    after = 0
    for first, last in ranges:
        if after < first:
            yield after, first - 1
        after = last + 1
    if after < 2**128:
        yield after, 2**128 - 1


def _within_one_version(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The parts of a range before, in and after IPv4."""
    yield from _common(((first, last),), ((0, V4 - 1), (V4, V4 + 2**32 - 1), (V4 + 2**32, 2**128 - 1)))


def _of_one_version(first: int, last: int) -> Iterable[tuple[int, int]]:
    """A range without the addresses of IPv4, if it reaches beyond these: ``::/0`` is IPv6 alone."""
    beyond = (part for part in _within_one_version(first, last) if part[0] // 2**32 != V4 // 2**32)
    return list(beyond) or [(first, last)]


def _pairs(value: Any) -> Iterable[tuple[int, int]]:
    if isinstance(value, AddressSet):
        return value.ranges
    if isinstance(value, str):
        words = split_words(value)
        if not words:
            raise ValueError("expected an address, such as 10.0.0.1 or 10.0.0.0/8; it is empty")
        return [pair for word in words for pair in _of_word(word)]
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return [(number_of(value), number_of(value))]
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return _of_one_version(number_of(value.network_address), number_of(value.broadcast_address))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [pair for item in value for pair in _pairs(item)]
    raise TypeError("expected addresses, networks or sets of them, such as 10.0.0.0/8,2001:db8::/32")


def _of_word(word: str) -> Iterable[tuple[int, int]]:
    if is_wildcard(word):
        return chain.from_iterable(starmap(_of_one_version, ranges_of(word)))
    if "-" in word:
        low, _, high = word.partition("-")
        first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
        if first.version != last.version:
            raise ValueError(f"{word!r} goes from IPv{first.version} to IPv{last.version}")
        if number_of(first) > number_of(last):
            raise ValueError(f"{word!r} ends before it starts")
        return _of_one_version(number_of(first), number_of(last))
    return _pairs(ipaddress.ip_network(word) if "/" in word else ipaddress.ip_address(word))

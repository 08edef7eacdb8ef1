"""Sets of addresses, as ranges of numbers: IPv4 lies within IPv6, at ``::ffff:0:0/96``, so both can be in one set."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rave_flow.model.ranges import Ranges, merged

V4 = 0xFFFF << 32
"""What an IPv4 address has on top of its number."""


def number_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """The number of an address, in which IPv4 and IPv6 do not overlap."""
    return int(address) + V4 if address.version == 4 else int(address)


def address_of(number: int) -> str:
    """The address of a number."""
    return str(ipaddress.IPv4Address(number - V4) if V4 <= number < V4 + 2**32 else ipaddress.IPv6Address(number))


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Some addresses. Immutable; equal sets are equal, however they were made.

    Attributes:
        ranges: of their numbers.
    """

    ranges: Ranges = ()

    @classmethod
    def of(cls, *values: Any) -> AddressSet:
        """The set of addresses, networks (``10.0.0.0/8``), ranges (``10.0.0.1-10.0.0.9``), sets, and lists of these.

        Text may have several, apart by commas or white space. A network's bits beyond its prefix must be 0.

        Raises:
            TypeError, ValueError: anything else; the message names it.
        """
        return cls(merged(pair for value in values for pair in _pairs(value)))

    def __or__(self, other: AddressSet) -> AddressSet:
        """What is in either."""
        return AddressSet(merged((*self.ranges, *other.ranges)))

    def __and__(self, other: AddressSet) -> AddressSet:
        """What is in both."""
        found = []
        for first, last in self.ranges:
            found += [(max(first, low), min(last, high)) for low, high in other.ranges if low <= last and first <= high]
        return AddressSet(merged(found))

    def __sub__(self, other: AddressSet) -> AddressSet:
        """What is in this one alone."""
        left = list(self.ranges)
        for low, high in other.ranges:
            left = [piece for first, last in left for piece in _without(first, last, low, high)]
        return AddressSet(merged(left))

    def __contains__(self, address: object) -> bool:
        """Whether an address, or its text, is in it."""
        number = number_of(ipaddress.ip_address(str(address)))
        return any(first <= number <= last for first, last in self.ranges)

    @property
    def count(self) -> int:
        """How many addresses."""
        return sum(last - first + 1 for first, last in self.ranges)

    def __str__(self) -> str:
        return ",".join(
            address_of(first) if first == last else f"{address_of(first)}-{address_of(last)}"
            for first, last in self.ranges
        )


def _without(first: int, last: int, low: int, high: int) -> Iterable[tuple[int, int]]:
    if high < first or last < low:
        yield first, last
        return
    if first < low:
        yield first, low - 1
    if high < last:
        yield high + 1, last


def _pairs(value: Any) -> Iterable[tuple[int, int]]:
    if isinstance(value, AddressSet):
        return value.ranges
    if isinstance(value, str):
        words = value.replace(",", " ").split()
        if not words:
            raise ValueError("an address expected, as 10.0.0.1 or 10.0.0.0/8; it is empty")
        return [pair for word in words for pair in _of_word(word)]
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return [(number_of(value), number_of(value))]
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return [(number_of(value.network_address), number_of(value.broadcast_address))]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [pair for item in value for pair in _pairs(item)]
    raise TypeError("addresses, networks or sets of them expected, as 10.0.0.0/8,2001:db8::/32")


def _of_word(word: str) -> Iterable[tuple[int, int]]:
    if "-" in word:
        low, _, high = word.partition("-")
        first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
        if first.version != last.version:
            raise ValueError(f"{word!r} goes from IPv{first.version} to IPv{last.version}")
        if number_of(first) > number_of(last):
            raise ValueError(f"{word!r} ends before it starts")
        return [(number_of(first), number_of(last))]
    return _pairs(ipaddress.ip_network(word) if "/" in word else ipaddress.ip_address(word))

"""Whether the address at an end of a flow is in a set, as SQL over the halves of its number.

A few ranges are compared one by one. Many are looked up: the addresses that are seen, each once, are joined to the
range that begins last before them, which takes half a second for a hundred thousand ranges and millions of flows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rave_flow.model.ranges import Ranges
from rave_flow.sql.literals import numbers

HALF = 2**64
FEW = 24
"""The most ranges to compare one by one."""


def within(end: str, ranges: Ranges, source: str) -> str:
    """The SQL condition that the address at ``end``, ``src`` or ``dst``, is in ``ranges``; NULL without an address.

    Args:
        end: of the flow.
        ranges: of numbers of addresses.
        source: the SQL of a relation that has at least the flows that are asked about.
    """
    if not ranges:
        return f"({end}_high IS NULL AND NULL)"
    if len(ranges) <= FEW:
        return f"({' OR '.join(_between(end, *pair) for pair in ranges)})"
    parts = _Parts.of(ranges)
    tests = [_looked_up(end, parts, source)] if parts.rows else []
    if parts.halves:
        tests.append(_halves_looked_up(end, parts, source))
    return f"CASE WHEN {end}_high IS NOT NULL THEN {' OR '.join(tests)} END"


def _between(end: str, first: int, last: int) -> str:
    (high, low), (highest, lowest) = divmod(first, HALF), divmod(last, HALF)
    if high == highest:
        return f"({end}_high = {high} AND {end}_low BETWEEN {low} AND {lowest})"
    after = f"({end}_high > {high} OR ({end}_high = {high} AND {end}_low >= {low}))"
    before = f"({end}_high < {highest} OR ({end}_high = {highest} AND {end}_low <= {lowest}))"
    return f"({after} AND {before})"


@dataclass(frozen=True, slots=True)
class _Parts:
    """Ranges, cut where the high half changes.

    Attributes:
        rows: high half, first and last low half.
        halves: first and last of high halves that are in as a whole.
    """

    rows: tuple[tuple[int, int, int], ...]
    halves: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, ranges: Ranges) -> _Parts:
        rows: list[tuple[int, int, int]] = []
        halves: list[tuple[int, int]] = []
        for first, last in ranges:
            (high, low), (highest, lowest) = divmod(first, HALF), divmod(last, HALF)
            rows += _ends(high, low, highest, lowest)
            if highest - high > 1:
                halves.append((high + 1, highest - 1))
        return cls(tuple(rows), tuple(halves))


def _ends(high: int, low: int, highest: int, lowest: int) -> Iterator[tuple[int, int, int]]:
    if high == highest:
        yield high, low, lowest
    else:
        yield high, low, HALF - 1
        yield highest, 0, lowest


def _looked_up(end: str, parts: _Parts, source: str) -> str:
    columns = [f"unnest({numbers(row[place] for row in parts.rows)})" for place in range(3)]
    return (
        f"({end}_high, {end}_low) IN (SELECT ({end}_high, {end}_low) FROM "  # noqa: S608  # numbers
        f"(SELECT DISTINCT {end}_high, {end}_low FROM {source}) ASOF JOIN "
        f"(SELECT {columns[0]} AS half, {columns[1]} AS first, {columns[2]} AS last) "
        f"ON {end}_high = half AND {end}_low >= first WHERE {end}_low <= last)"
    )


def _halves_looked_up(end: str, parts: _Parts, source: str) -> str:
    columns = [f"unnest({numbers(pair[place] for pair in parts.halves)})" for place in range(2)]
    return (
        f"{end}_high IN (SELECT {end}_high FROM (SELECT DISTINCT {end}_high FROM {source}) ASOF JOIN "  # noqa: S608  # numbers
        f"(SELECT {columns[0]} AS first, {columns[1]} AS last) ON {end}_high >= first WHERE {end}_high <= last)"
    )

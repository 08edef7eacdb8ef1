"""Conditions on flows, by the names of rwfilter's options, and the SQL that tests them. They never hold SQL text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rave_flow.model.ranges import Ranges
from rave_flow.sql.literals import listed


@dataclass(frozen=True, slots=True)
class Condition:
    """One option with its values.

    Attributes:
        option: one of `OPTIONS`.
        ranges: of numbers: ports, bytes, packets, milliseconds, addresses (of types, those inside); of flags, pairs of
            high ones and mask.
        names: of protocols, or of types.
    """

    option: str
    ranges: Ranges = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.option not in OPTIONS:
            raise ValueError(f"{self.option!r} is no condition; {', '.join(OPTIONS)} are known")

    def sql(self) -> str:
        """The SQL condition; of a flow that lacks the column it is NULL."""
        return f"({OPTIONS[self.option](self)})"


def _between(*columns: str) -> Callable[[Condition], str]:
    def sql(condition: Condition) -> str:
        tests = [
            f"{column} = {first}" if first == last else f"{column} BETWEEN {first} AND {last}"
            for column in columns
            for first, last in condition.ranges
        ]
        return " OR ".join(tests) or "false"

    return sql


_HALF = 2**64


def _address(*ends: str) -> Callable[[Condition], str]:
    def sql(condition: Condition) -> str:
        return " OR ".join(_within(end, *pair) for end in ends for pair in condition.ranges) or "false"

    return sql


def _within(end: str, first: int, last: int) -> str:
    (high, low), (highest, lowest) = divmod(first, _HALF), divmod(last, _HALF)
    if high == highest:
        return f"({end}_high = {high} AND {end}_low BETWEEN {low} AND {lowest})"
    after = f"({end}_high > {high} OR ({end}_high = {high} AND {end}_low >= {low}))"
    before = f"({end}_high < {highest} OR ({end}_high = {highest} AND {end}_low <= {lowest}))"
    return f"({after} AND {before})"


def _not(sql: Callable[[Condition], str]) -> Callable[[Condition], str]:
    return lambda condition: f"NOT ({sql(condition)})"


def _protocol(condition: Condition) -> str:
    return f"proto IN ({listed(condition.names)})" if condition.names else "false"


def _flags(condition: Condition) -> str:
    return " OR ".join(f"(flags & {mask}) = {high}" for high, mask in condition.ranges) or "false"


_KINDS = {
    "web": "coalesce(proto = 'tcp' AND (src_port IN (80, 443, 8080) OR dst_port IN (80, 443, 8080)), false)",
    "icmp": "proto IN ('icmp', 'icmp6')",
}
"""What SiLK's site ``twoway`` tells apart from the rest of what comes in and goes out."""


def _type(condition: Condition) -> str:
    inside = {end: f"({_address(end)(condition)})" for end in ("src", "dst")}
    ways = {
        "in": f"NOT {inside['src']} AND {inside['dst']}",
        "out": f"{inside['src']} AND NOT {inside['dst']}",
        "int2int": f"{inside['src']} AND {inside['dst']}",
        "ext2ext": f"NOT {inside['src']} AND NOT {inside['dst']}",
    }
    return " OR ".join(f"({ways[way]} AND {kind})" for way, kind in map(_way, condition.names)) or "false"


def _way(name: str) -> tuple[str, str]:
    way = name.removesuffix("web").removesuffix("icmp")
    if way in ("in", "out"):
        rest = " AND ".join(f"NOT {kind}" for kind in _KINDS.values())
        return way, f"({_KINDS.get(name.removeprefix(way), rest)})"
    return name, "src_high IS NOT NULL AND dst_high IS NOT NULL"


OPTIONS: dict[str, Callable[[Condition], str]] = {
    "protocol": _protocol,
    "sport": _between("src_port"),
    "dport": _between("dst_port"),
    "aport": _between("src_port", "dst_port"),
    "saddress": _address("src"),
    "daddress": _address("dst"),
    "any_address": _address("src", "dst"),
    "not_saddress": _not(_address("src")),
    "not_daddress": _not(_address("dst")),
    "not_any_address": _not(_address("src", "dst")),
    "bytes": _between("bytes"),
    "packets": _between("packets"),
    "duration": _between("CAST(round(duration * 1000) AS BIGINT)"),
    "flags_all": _flags,
    "type": _type,
    "stime": _between("epoch_us(ts)"),
}
"""The SQL of each option. Several values of one option are alternatives; several options must all hold."""

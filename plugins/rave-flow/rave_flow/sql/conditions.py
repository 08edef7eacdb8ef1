"""Conditions on flows, by the names of rwfilter's options, and the SQL that tests them. They never hold SQL text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from rave_flow.model.columns import EXTRA
from rave_flow.model.flags import sql_of
from rave_flow.model.protocols import PROTOCOLS
from rave_flow.model.ranges import Ranges
from rave_flow.sql.address_tests import within
from rave_flow.sql.literals import listed, literal
from rave_flow.sql.silk_fields import DURATION_US, FIELDS

SCALE = 10**6
"""Ranges of fractions are in millionths, so that they are compared exactly."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One option with its values.

    Attributes:
        option: one of `OPTIONS`, or of these with ``not_``.
        ranges: of numbers: ports, bytes, packets, milliseconds, microseconds since 1970, millionths, addresses (of
            types, those inside); of flags, pairs of high ones and mask.
        names: of protocols, of types, of services, of states; of tuples, their columns.
        rows: of tuples, what the columns are.
    """

    option: str
    ranges: Ranges = ()
    names: tuple[str, ...] = ()
    rows: tuple[tuple[str | int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.option.removeprefix("not_") not in OPTIONS:
            raise ValueError(f"{self.option!r} is not a condition; {', '.join(OPTIONS)} are known")

    @property
    def extras(self) -> tuple[str, ...]:
        """The stored columns of the source's own that the condition looks at; files may lack them."""
        column = OWN_FLAGS.get(self.option.removeprefix("not_"))
        return () if column is None else (column,)

    def sql(self, source: str) -> str:
        """The SQL condition; of a flow that lacks the column it is NULL.

        Args:
            source: the SQL of a relation that has at least the flows that are asked about, with `extras`.
        """
        test = OPTIONS[self.option.removeprefix("not_")](self, source)
        return f"(NOT ({test}))" if self.option.startswith("not_") else f"({test})"


Sql: TypeAlias = Callable[[Condition, str], str]


def _either(tests: Iterable[str]) -> str:
    return " OR ".join(tests) or "false"


def _between(*columns: str) -> Sql:
    def sql(condition: Condition, _source: str) -> str:
        return _either(
            f"{column} = {first}" if first == last else f"{column} BETWEEN {first} AND {last}"
            for column in columns
            for first, last in condition.ranges
        )

    return sql


def _ratio(amount: str, of: str) -> Sql:
    """A quotient in ranges of millionths. What is divided by 0, or by what is unset, has none."""

    def sql(condition: Condition, _source: str) -> str:
        whole, part = f"CAST({amount} AS HUGEINT) * {SCALE}", f"nullif(CAST({of} AS HUGEINT), 0)"
        return _either(
            f"{whole} BETWEEN {part} * {first} AND {part} * {min(last, 2**63)}" for first, last in condition.ranges
        )

    return sql


def _address(*ends: str) -> Sql:
    return lambda condition, source: _either(within(end, condition.ranges, source) for end in ends)


def _among(column: str) -> Sql:
    return lambda condition, _source: f"{column} IN ({listed(condition.names)})" if condition.names else "false"


def _protocol(condition: Condition, source: str) -> str:
    # All protocols, as SiLK's users write for all flows: those too of which a source names no number.
    return "true" if {*PROTOCOLS.values()} <= {*condition.names} else _among("proto")(condition, source)


def _flags(column: str) -> Sql:
    return lambda condition, _source: _either(f"({column} & {mask}) = {high}" for high, mask in condition.ranges)


def _active(condition: Condition, _source: str) -> str:
    return _either(f"({START} <= {last} AND {END} >= {first})" for first, last in condition.ranges)


def _tuples(condition: Condition, _source: str) -> str:
    if not condition.rows:
        return "false"
    rows = ", ".join(f"({', '.join(map(literal, row))})" for row in condition.rows)
    columns = ", ".join(FIELDS[name] for name in condition.names)
    whole = " AND ".join(f"{FIELDS[name]} IS NOT NULL" for name in condition.names)
    return f"CASE WHEN {whole} THEN ({columns}) IN ({rows}) END"


_KINDS = {
    "web": "coalesce(proto = 'tcp' AND (src_port IN (80, 443, 8080) OR dst_port IN (80, 443, 8080)), false)",
    "icmp": "proto IN ('icmp', 'icmp6')",
}
"""What SiLK's site ``twoway`` tells apart from the rest of what comes in and goes out."""


def _type(condition: Condition, source: str) -> str:
    inside = {end: f"coalesce({within(end, condition.ranges, source)}, false)" for end in ("src", "dst")}
    ways = {
        "in": f"NOT {inside['src']} AND {inside['dst']}",
        "out": f"{inside['src']} AND NOT {inside['dst']}",
        "int2int": f"{inside['src']} AND {inside['dst']}",
        "ext2ext": f"NOT {inside['src']} AND NOT {inside['dst']}",
    }
    known = "src_high IS NOT NULL AND dst_high IS NOT NULL"
    return _either(f"({known} AND {ways[way]} AND {kind})" for way, kind in map(_way, condition.names))


def _way(name: str) -> tuple[str, str]:
    way = name.removesuffix("web").removesuffix("icmp")
    if way in ("in", "out"):
        rest = " AND ".join(f"NOT {kind}" for kind in _KINDS.values())
        return way, f"({_KINDS.get(name.removeprefix(way), rest)})"
    return name, "true"


START = "epoch_us(ts)"
END = f"(epoch_us(ts) + coalesce({DURATION_US}, 0))"
OWN_FLAGS = {"flags_initial": f"{EXTRA}initialflags", "flags_session": f"{EXTRA}sessionflags"}
"""Where YAF and SiLK have the flags of the first packet, and of all later ones."""

HISTORY = (
    "CASE left(regexp_replace(history, '[^A-Z]', '', 'g'), 1) WHEN 'S' THEN 2 WHEN 'H' THEN 18 WHEN 'A' THEN 16 END"
)
"""The flags of the originator's first packet, where Zeek's history is sure of all of them."""

INITIAL, SESSION = (sql_of(column, is_history=False) for column in OWN_FLAGS.values())

FLAG_BITS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
OPTIONS: dict[str, Sql] = {
    "protocol": _protocol,
    "sport": _between("src_port"),
    "dport": _between("dst_port"),
    "aport": _between("src_port", "dst_port"),
    "icmp_type": _between("icmp_type"),
    "icmp_code": _between("icmp_code"),
    "ip_version": _between("ip_version"),
    "saddress": _address("src"),
    "daddress": _address("dst"),
    "any_address": _address("src", "dst"),
    "sipset": _address("src"),
    "dipset": _address("dst"),
    "anyset": _address("src", "dst"),
    "pmap_src": _address("src"),
    "pmap_dst": _address("dst"),
    "pmap_any": _address("src", "dst"),
    "scc": _address("src"),
    "dcc": _address("dst"),
    "any_cc": _address("src", "dst"),
    "bytes": _between("bytes"),
    "packets": _between("packets"),
    "bytes_per_packet": _ratio("bytes", "packets"),
    "bytes_per_second": _ratio("bytes * 1000000", DURATION_US),
    "packets_per_second": _ratio("packets * 1000000", DURATION_US),
    "duration": _between("CAST(round(duration * 1000) AS BIGINT)"),
    "stime": _between(START),
    "etime": _between(END),
    "active_time": _active,
    "flags_all": _flags("flags"),
    "flags_initial": _flags(f"coalesce({INITIAL}, {HISTORY})"),
    "flags_session": _flags(f"({SESSION})"),
    **{f"{name}_flag": _between(f"((flags >> {bit.bit_length() - 1}) & 1)") for name, bit in FLAG_BITS.items()},
    "tuple_file": _tuples,
    "type": _type,
    "service": _among("service"),
    "state": _among("state"),
}
"""The SQL of each option. Several values of one option are alternatives; several options must all hold."""

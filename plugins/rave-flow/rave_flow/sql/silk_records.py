"""What rwgroup, rwmatch, rwaddrcount and rwbag make of flows, as SQL over views of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rave_flow.model.ranges import MOST, Ranges
from rave_flow.sql.literals import literal
from rave_flow.sql.silk_fields import DURATION_US, FIELDS, VALUES, named_as, ordering, shown, sql_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_START = "epoch_us(ts)"
_END = f"(epoch_us(ts) + coalesce({DURATION_US}, 0))"
_TIES = "ts, src_high, src_low, dst_high, dst_low, src_port, dst_port, proto, bytes, packets, duration"
_AMOUNTS = ("bytes", "packets", "records")


@dataclass(frozen=True, slots=True)
class Delta:
    """The greatest distance between neighbours in a group: microseconds for times, else the field's own unit."""

    field: str
    most: int

    @property
    def sql(self) -> str:
        """The SQL of what is compared."""
        times = {"stime": _START, "etime": _END, "duration": f"coalesce({DURATION_US}, 0)"}
        return times.get(self.field, FIELDS[self.field])


@dataclass(frozen=True, slots=True)
class Group:
    """What makes a group of flows.

    Attributes:
        keys: fields that are equal in a group; may be empty if there is a delta.
        delta: what else; ``None`` for nothing.
        least: how many flows a group has at least.
    """

    keys: tuple[str, ...]
    delta: Delta | None
    least: int

    def sql(self) -> str:
        """The beginning of a query: a relation ``numbered`` of the flows, with ``group`` and ``_place``."""
        delta = self.delta
        order = [column for name in self.keys for column in ordering(name)] + ([delta.sql] if delta else [])
        far = f"{delta.sql} - lag({delta.sql}) OVER one > {literal(delta.most)}" if delta else "false"
        return _GROUPS.format(
            partition=", ".join(sql_of(name) for name in self.keys) or "1",
            order=", ".join([*order, _TIES]),
            far=far,
            least=literal(self.least),
        )


_GROUPS = """
WITH started AS (
    SELECT *, row_number() OVER every AS _place, row_number() OVER one = 1 OR coalesce({far}, false) AS _starts
    FROM flows WINDOW one AS (PARTITION BY {partition} ORDER BY {order}), every AS (ORDER BY {order})
), grouped AS (SELECT *, sum(CAST(_starts AS BIGINT)) OVER (ORDER BY _place) AS _number FROM started
), large AS (SELECT * FROM grouped QUALIFY count(*) OVER (PARTITION BY _number) >= {least}
), numbered AS (SELECT *, CAST(dense_rank() OVER (ORDER BY _number) - 1 AS BIGINT) AS "group" FROM large)
"""


def group(connection: duckdb.DuckDBPyConnection, fields: tuple[str, ...], grouping: Group) -> pyarrow.Table:
    """The flows with the number of their group in front, from 0, in order of the keys and then of the delta's field."""
    columns = ", ".join(f"{shown(name)} AS {named_as(name)}" for name in fields)
    query = f'SELECT "group", {columns} FROM numbered ORDER BY _place'  # noqa: S608  # ours
    return connection.sql(grouping.sql() + query).to_arrow_table()


def groups(connection: duckdb.DuckDBPyConnection, grouping: Group) -> pyarrow.Table:
    """A row for each group: group, the keys, records, packets, bytes, stime (the first start), etime (the last end)."""
    whole = ", ".join(f"{VALUES[name]} AS {name}" for name in ("records", "packets", "bytes"))
    named = "".join(f"any_value({sql_of(name)}) AS {named_as(name)}, " for name in grouping.keys)
    times = f"{VALUES['stime_earliest']} AS stime, {VALUES['etime_latest']} AS etime"
    query = f'SELECT "group", {named}{whole}, {times} FROM numbered GROUP BY "group" ORDER BY "group"'  # noqa: S608  # ours
    return connection.sql(grouping.sql() + query).to_arrow_table()


@dataclass(frozen=True, slots=True)
class Matching:
    """How rwmatch finds what belongs together.

    Attributes:
        pairs: a field of a query, and the field of a response that is equal.
        within: how many microseconds after the end of what came before a flow starts, at most.
        symmetric: whether a response may come first.
        unmatched: which of those without a counterpart are given too: ``q``, ``r``, ``b`` (both) or nothing.
    """

    pairs: tuple[tuple[str, str], ...]
    within: int
    symmetric: bool
    unmatched: str


_EVENTS = """
WITH both_sides AS (
    SELECT *, 'query' AS side, {queries} FROM queries
    UNION ALL SELECT *, 'response' AS side, {responses} FROM responses
), timed AS (SELECT *, {start} AS _start, {end} AS _end FROM both_sides
), seen AS (
    SELECT *, max(_end) OVER (PARTITION BY {keys} ORDER BY _start, side, {ties}
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS _before
    FROM timed
), chained AS (
    SELECT *, count_if(_before IS NULL OR _start > _before + {within})
        OVER (PARTITION BY {keys} ORDER BY _start, side, {ties} ROWS UNBOUNDED PRECEDING) AS _chain
    FROM seen
), opened AS (
    SELECT *, min(_start) FILTER (side IN ({first})) OVER (PARTITION BY {keys}, _chain) AS _opens FROM chained
), judged AS (
    SELECT *, coalesce(_start >= _opens
        AND count(*) FILTER (side = 'query' AND _start >= _opens) OVER event > 0
        AND count(*) FILTER (side = 'response' AND _start >= _opens) OVER event > 0, false) AS _matched
    FROM opened WINDOW event AS (PARTITION BY {keys}, _chain)
)
SELECT CASE WHEN _matched THEN CAST(dense_rank() OVER (PARTITION BY _matched ORDER BY _opens, {keys}, _chain) AS BIGINT)
       ELSE 0 END AS match, side, {columns}
FROM judged WHERE _matched OR {asked} ORDER BY match, _start, side, {ties}
"""
"""An event is a chain of flows of one dialogue: each starts before what came before has ended, or soon after."""


def match(connection: duckdb.DuckDBPyConnection, fields: tuple[str, ...], matching: Matching) -> pyarrow.Table:
    """The flows of each event, numbered from 1 in order of their first start; those unmatched are numbered 0.

    Columns: match, side (``query`` or ``response``), and the fields. Within an event the order is by time.

    Args:
        connection: with the views ``queries`` and ``responses``.
        fields: of each flow.
        matching: what belongs together.
    """
    keys = [f"_key{number}" for number in range(len(matching.pairs))]
    sides = [
        ", ".join(f"{sql_of(pair[place])} AS {key}" for key, pair in zip(keys, matching.pairs, strict=True))
        for place in (0, 1)
    ]
    query = _EVENTS.format(
        queries=sides[0], responses=sides[1], start=_START, end=_END, keys=", ".join(keys), ties=_TIES,
        within=literal(matching.within), first="'query', 'response'" if matching.symmetric else "'query'",
        asked={"q": "side = 'query'", "r": "side = 'response'", "b": "true"}.get(matching.unmatched, "false"),
        columns=", ".join(f"{shown(name)} AS {named_as(name)}" for name in fields),
    )  # fmt: skip
    return connection.sql(query).to_arrow_table()


def address_counts(
    connection: duckdb.DuckDBPyConnection, end: str, limits: tuple[tuple[str, Ranges], ...]
) -> pyarrow.Table:
    """Bytes, packets, records and the time of each address at ``end``, in order of its number.

    Columns: ``sip`` or ``dip``, bytes, packets, records, start_time (the first start), end_time (the last end).

    Args:
        connection: with the view ``flows``.
        end: ``src`` or ``dst``.
        limits: values, and the range that they must be in.
    """
    tests = [
        f"{VALUES[name]} BETWEEN {literal(low)} AND {literal(high)}" for name, ranges in limits for low, high in ranges
    ]
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in _AMOUNTS)
    times = f"{VALUES['stime_earliest']} AS start_time, {VALUES['etime_latest']} AS end_time"
    keys = f"{end}_high, {end}_low, {end}"
    query = (
        f"SELECT {end} AS {'sip' if end == 'src' else 'dip'}, {sums}, {times} FROM flows WHERE {end}_high IS NOT NULL"  # noqa: S608  # ours
    )
    having = " AND ".join(tests) or "true"
    return connection.sql(f"{query} GROUP BY {keys} HAVING {having} ORDER BY {keys}").to_arrow_table()


def bag(connection: duckdb.DuckDBPyConnection, key: str, counter: str) -> list[tuple[Any, int]]:
    """Pairs of key and count; those of which nothing is counted are left out."""
    query = f"SELECT {sql_of(key)} AS key, {VALUES[counter]} AS number FROM flows GROUP BY 1 HAVING number > 0"  # noqa: S608  # ours
    return [(name, int(number)) for name, number in connection.execute(query).fetchall()]


def between(least: int | None, most: int | None) -> Ranges:
    """The range between two numbers, of which either may be open."""
    return ((least or 0, MOST if most is None else most),)

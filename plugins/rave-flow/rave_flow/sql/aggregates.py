"""The questions, as SQL over Parquet files with the columns of a flow. Nothing here knows about caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.model.columns import literal
from rave_flow.model.duckdb_connection import asking
from rave_flow.model.windows import Bins, Window
from rave_flow.sql.relations import relation

if TYPE_CHECKING:
    import duckdb
    import pyarrow

MEASURES = {"bytes": "sum(bytes)", "packets": "sum(packets)", "flows": "count(*)"}
"""What can be measured: the SQL over a group of flows."""

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "src": ("src",),
    "dst": ("dst",),
    "address": ("src", "dst"),
    "src_port": ("src_port",),
    "dst_port": ("dst_port",),
    "port": ("src_port", "dst_port"),
    "proto": ("proto",),
    "service": ("coalesce(service, '(unknown)')",),
}
"""What flows can be grouped over. Of two columns, a flow counts for the value in each, once if they are equal."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TOTALS = ", ".join(f"CAST({sql} AS BIGINT) AS {name}" for name, sql in MEASURES.items())


@contextmanager
def flows(parquet: Sequence[Path], window: Window) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view ``flows`` of the files' flows in ``window``."""
    conditions = bounds(window) or ["true"]
    with asking() as connection:
        connection.execute(f"CREATE TEMP VIEW flows AS FROM {relation(parquet)} WHERE {' AND '.join(conditions)}")
        yield connection


def bounds(window: Window) -> list[str]:
    """The SQL conditions that flows are in a window; none for its open sides."""
    since = [f"ts >= {_timestamp(window.start)}"] if window.start else []
    return since + ([f"ts < {_timestamp(window.end)}"] if window.end else [])


def _timestamp(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


def top(
    parquet: Sequence[Path], window: Window, n: int, by: str, over: str, known: Sequence[pyarrow.Table] = ()
) -> pyarrow.Table:
    """The ``n`` values of ``over`` with the greatest ``by``, equals in order of the value.

    Columns: the value (named as ``over``), bytes, packets, flows, and share: of ``by`` over the sum of all values, so
    over two columns a caller puts the sum of all flows in its place.

    Args:
        known: what `totals` gave of other flows, which count too.
    """
    import pyarrow

    parts = [f"SELECT thing, bytes, packets, 1 AS flows FROM ({_things(over)})"] if parquet or not known else []  # noqa: S608  # ours
    with flows(parquet, window) as connection:
        if known:
            connection.register("known", pyarrow.concat_tables(known))
            parts.append("SELECT * FROM known")
        return connection.sql(
            f"WITH groups AS (SELECT thing, {_ADDED} FROM ({' UNION ALL '.join(parts)}) GROUP BY thing) "  # noqa: S608  # all from our tables
            f"SELECT thing AS {over}, bytes, packets, flows, "
            f"coalesce(CAST({by} AS DOUBLE) / nullif(sum({by}) OVER (), 0), 0.0) AS share "
            f"FROM groups ORDER BY {by} DESC, thing ASC NULLS LAST LIMIT {int(n)}"
        ).to_arrow_table()


_ADDED = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in MEASURES)
MOST_TOTALS = 1_000_000
"""Totals are kept of at most so many values."""


def totals(parquet: Sequence[Path], window: Window, over: str, *, sharing: int = 4) -> pyarrow.Table | None:
    """The sums for each value of ``over``: thing, bytes, packets, flows; ``None`` if there are too many to keep.

    Args:
        sharing: how many flows have to share a value on average.
    """
    with flows(parquet, window) as connection:
        things = _things(over)
        # An estimate takes a small part of the time of the sums.
        estimate = f"SELECT count(*), approx_count_distinct(thing) FROM ({things})"  # noqa: S608  # ours
        ((number, different),) = connection.execute(estimate).fetchall()
        if different > min(number / sharing, MOST_TOTALS):
            return None
        return connection.sql(f"SELECT thing, {_TOTALS} FROM ({things}) GROUP BY thing").to_arrow_table()  # noqa: S608  # ours


def added(parts: Sequence[pyarrow.Table]) -> pyarrow.Table | None:
    """What `totals` gave of several parts, added up; ``None`` if there are too many values to keep."""
    import pyarrow

    with asking() as connection:
        connection.register("parts", pyarrow.concat_tables(parts))
        found = connection.sql(f"SELECT thing, {_ADDED} FROM parts GROUP BY thing").to_arrow_table()  # noqa: S608  # ours
    return found if found.num_rows <= MOST_TOTALS else None


def amount(parquet: Sequence[Path], window: Window, by: str) -> int:
    """The ``by`` of all flows in ``window``."""
    with flows(parquet, window) as connection:
        ((found,),) = connection.execute(f"SELECT coalesce({MEASURES[by]}, 0) FROM flows").fetchall()  # noqa: S608  # ours
    return int(found)


def shared(table: pyarrow.Table, by: str, whole: int) -> pyarrow.Table:
    """What `top` gave, with shares of ``whole``."""
    import pyarrow

    shares = [value / whole if whole else 0.0 for value in table[by].to_pylist()]
    return table.set_column(table.column_names.index("share"), "share", pyarrow.array(shares, pyarrow.float64()))


def _things(over: str) -> str:
    first, *others = DIMENSIONS[over]
    query = "SELECT {} AS thing, bytes, packets FROM flows"
    parts = [query.format(first)]
    parts += [f"{query.format(other)} WHERE {other} IS DISTINCT FROM {first}" for other in others]
    return " UNION ALL ".join(parts)


@dataclass(frozen=True, slots=True)
class Extent:
    """What flows there are: how many, and when the first and the last of them started."""

    flows: int
    first: datetime
    last: datetime
    protocols: tuple[str, ...]


def extent(parquet: Sequence[Path], window: Window) -> Extent | None:
    """The extent of the flows in ``window``, or ``None`` when there are none."""
    with flows(parquet, window) as connection:
        row: Any = connection.execute(
            "SELECT count(*), epoch_us(min(ts)), epoch_us(max(ts)), list_sort(list(DISTINCT proto)) FROM flows"
        ).fetchone()
    if not row[0]:
        return None
    first, last = (
        datetime.fromtimestamp(micros // 10**6, UTC).replace(microsecond=micros % 10**6) for micros in row[1:3]
    )
    return Extent(row[0], first, last, tuple(row[3]))


def together(parts: Sequence[Extent]) -> Extent | None:
    """The extent of all flows of several parts; ``None`` if there are no parts."""
    if not parts:
        return None
    protocols = {name for part in parts for name in part.protocols}
    first, last = min(part.first for part in parts), max(part.last for part in parts)
    return Extent(sum(part.flows for part in parts), first, last, tuple(sorted(protocols)))


def series(parquet: Sequence[Path], window: Window, bins: Bins) -> pyarrow.Table:
    """Bytes, packets and flows for each protocol and bin (numbered from 0) in which there are any, in that order."""
    with flows(parquet, window) as connection:
        return connection.sql(
            f"SELECT proto, {_bin_number(bins)} AS bin, {_TOTALS} FROM flows GROUP BY ALL ORDER BY proto, bin"  # noqa: S608  # ours
        ).to_arrow_table()


def _bin_number(bins: Bins) -> str:
    return f"CAST((epoch_us(ts) - {bins.origin_us}) // {bins.width_us} AS BIGINT)"


def count(parquet: Sequence[Path], window: Window, bins: Bins, proto: str | None = None) -> pyarrow.Table:
    """One row for each bin, those without flows too: ts (its start), bytes, packets, flows."""
    where = f"WHERE proto = {literal(proto)}" if proto is not None else ""
    sums = ", ".join(f"coalesce({name}, 0) AS {name}" for name in MEASURES)
    with flows(parquet, window) as connection:
        return connection.sql(
            f"WITH full_bins AS (SELECT {_bin_number(bins)} AS bin, {_TOTALS} FROM flows {where} GROUP BY ALL) "  # noqa: S608  # quoted
            f"SELECT CAST(make_timestamp({bins.origin_us} + range * {bins.width_us}) AS TIMESTAMPTZ) AS ts, {sums} "
            f"FROM range({bins.number}) LEFT JOIN full_bins ON bin = range ORDER BY range"
        ).to_arrow_table()


def hour(parquet: Sequence[Path], window: Window) -> pyarrow.Table:
    """Totals by protocol and the port of the responder: proto, port, bytes, packets, flows, in that order."""
    with flows(parquet, window) as connection:
        return connection.sql(
            f"SELECT proto, dst_port AS port, {_TOTALS} FROM flows GROUP BY ALL ORDER BY proto, port NULLS LAST"  # noqa: S608  # all from our tables
        ).to_arrow_table()

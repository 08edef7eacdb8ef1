"""Records of one connection: which of them count, and which do not.

A connection has one record in Zeek's log, but others in logs of long connections, in reduced copies, and in rotations
that overlap. They share its ``uid`` and its two ends. Of these the last one counts: the one that has gone on for
longest, and of equals the last by file and line. Their starts should be equal, so records are looked for hour by hour,
and then among all hours of two days.

Flows without a ``uid`` that are in several files are copies if they are equal in all values and their start has a
fraction of a second: no two flows of one pair of ports begin in one microsecond. They count as often as in the file
that has them most often. Where times are whole seconds, or a protocol has no ports, equal flows may be different ones:
they count, and are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.columns import literal
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.windows import HOUR, Window, instant
from rave_flow.sql.aggregates import bounds
from rave_flow.sql.uid_keys import OF_UID

if TYPE_CHECKING:
    import duckdb
    import numpy
    import pyarrow

_EQUAL = "ts, duration, src_high, src_low, dst_high, dst_low, src_port, dst_port, protocol, bytes, packets"
_IS_CERTAIN = "epoch_us(ts) % 1000000 <> 0 AND src_port IS NOT NULL"
_SAME = "uid, src_high, src_low, dst_high, dst_low, src_port, dst_port, protocol"


def duplicates(
    parquet: Sequence[Path],
    sources: Sequence[int],
    hours: Sequence[int],
    copies: Sequence[tuple[int, int]],
) -> pyarrow.Table:
    """Which rows of some files do not count: columns part (place of the file) and row, both from 0, and certain.

    Rows that are not certain count, but may be copies.

    Args:
        parquet: the files, the last of which wins where records are equal.
        sources: for each, the number of the file that it was read from.
        hours: the starts of the hours that are looked at, in Unix seconds and in order.
        copies: places of files, each with an hour of which the file holds the same flows as an earlier one; those
            without a uid do not count.
    """
    import pyarrow

    with connected() as connection:
        # Hour by hour: all uids of a day at once would take much memory.
        found = [
            _of_hour(connection, parquet, sources, start, [place for place, hour in copies if hour == start])
            for start in hours
        ]
    return pyarrow.concat_tables(found)


def _of_hour(
    connection: duckdb.DuckDBPyConnection,
    parquet: Sequence[Path],
    sources: Sequence[int],
    start: int,
    copies: Sequence[int],
) -> pyarrow.Table:
    _view(connection, parquet, sources, Window(instant(start), instant(start + HOUR)))
    found = [_by_uid(connection), _by_value(connection, copies)]
    if copies:
        places = ", ".join(map(str, copies))
        found.append(f"SELECT part, row, true AS certain FROM records WHERE uid IS NULL AND part IN ({places})")  # noqa: S608  # numbers
    return _rows(connection, found)


def scattered(parquet: Sequence[Path], uids: numpy.ndarray, hours: Sequence[int]) -> pyarrow.Table:
    """Which rows do not count, as `duplicates` gives them, of connections that have records in several hours.

    Args:
        parquet: the files, the last of which wins where records are equal; none gives no rows.
        uids: `rave_flow.sql.uid_keys.OF_UID` of those that may be such.
        hours: the starts of the first and the last hour, and of others between, in order.
    """
    import pyarrow

    with connected() as connection:
        if not parquet:
            return _rows(connection, [])
        connection.register("wanted", pyarrow.table({"key": uids}))
        _view(connection, parquet, [0] * len(parquet), Window(instant(hours[0]), instant(hours[-1] + HOUR)))
        return _rows(connection, [_but_one(f"uid IS NOT NULL AND {OF_UID} IN (FROM wanted)")])


def _view(
    connection: duckdb.DuckDBPyConnection, parquet: Sequence[Path], sources: Sequence[int], window: Window
) -> None:
    where = " AND ".join(bounds(window))
    parts = " UNION ALL ".join(
        f"SELECT {place} AS part, {sources[place]} AS source, file_row_number AS row, uid, {_EQUAL} "  # noqa: S608  # quoted
        f"FROM read_parquet({literal(str(path))}, file_row_number=true) WHERE {where}"
        for place, path in enumerate(parquet)
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {parts}")


def _rows(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> pyarrow.Table:
    columns = "CAST(part AS INTEGER) AS part, CAST(row AS BIGINT) AS row, certain"
    union = " UNION ALL ".join(f"({query})" for query in queries if query)
    return connection.sql(f"SELECT {columns} FROM ({union or _NONE}) ORDER BY part, row").to_arrow_table()  # noqa: S608  # ours


_NONE = "SELECT 0 AS part, 0 AS row, true AS certain WHERE false"


def _by_value(connection: duckdb.DuckDBPyConnection, copies: Sequence[int]) -> str:
    """The query for rows without a uid that equal some of another source; ``""`` if there are none."""
    others = f"uid IS NULL AND part NOT IN ({', '.join(map(str, (*copies, -1)))})"
    several = (
        f"SELECT hash({_EQUAL}) AS same FROM records WHERE {others} "  # noqa: S608  # ours
        "GROUP BY same HAVING min(source) < max(source)"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE equal AS {several}")
    ((number,),) = connection.execute("SELECT count(*) FROM equal").fetchall()
    if not number:
        return ""
    return f"""
        WITH alike AS (
            SELECT *, count(*) OVER (PARTITION BY source, {_EQUAL}) AS often, min(source) OVER one AS _first,
                   max(source) OVER one AS _last
            FROM records WHERE {others} AND hash({_EQUAL}) IN (FROM equal) WINDOW one AS (PARTITION BY {_EQUAL})
        )
        SELECT part, row, {_IS_CERTAIN} AS certain FROM alike WHERE _first < _last
        QUALIFY source <> first(source) OVER (PARTITION BY {_EQUAL} ORDER BY often DESC, source)
    """  # noqa: S608  # ours


def _by_uid(connection: duckdb.DuckDBPyConnection) -> str:
    """The query for rows with another record by uid; ``""`` if there are none, which is quick to see."""
    several = "SELECT uid FROM records WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE several AS {several}")
    ((number,),) = connection.execute("SELECT count(*) FROM several").fetchall()
    if not number:
        return ""
    return _but_one("uid IN (FROM several)")


def _but_one(condition: str) -> str:
    """The query for records that do not count, of those that meet a condition, because one of the same uid does."""
    order = "duration DESC NULLS LAST, part DESC, row DESC"
    place = f"row_number() OVER (PARTITION BY {_SAME} ORDER BY {order})"
    return f"SELECT part, row, true AS certain FROM records WHERE {condition} QUALIFY {place} > 1"  # noqa: S608  # ours

"""Records of one connection: which of them count, and which do not.

A connection has one record in Zeek's log, but others in logs of long connections, in reduced copies, and in rotations
that overlap. They share its ``uid`` and its two ends. Of these the last one counts: the one that has gone on for
longest, and of equals the last by file and line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.columns import literal
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.windows import HOUR, Window, instant
from rave_flow.sql.aggregates import bounds

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_SAME = "uid, src_high, src_low, dst_high, dst_low, src_port, dst_port, protocol"


def duplicates(parquet: Sequence[Path], hours: Sequence[int], copies: Sequence[tuple[int, int]]) -> pyarrow.Table:
    """Which rows of some files do not count: columns part (place of the file) and row, both from 0.

    Args:
        parquet: the files, the last of which wins where records are equal.
        hours: the starts of the hours that are looked at, in Unix seconds and in order.
        copies: places of files, each with an hour of which the file holds the same flows as an earlier one; those
            without a uid do not count.
    """
    import pyarrow

    with connected() as connection:
        # Hour by hour: all uids of a day at once would take much memory.
        found = [
            _of_hour(connection, parquet, start, [place for place, hour in copies if hour == start]) for start in hours
        ]
    return pyarrow.concat_tables(found)


def _of_hour(
    connection: duckdb.DuckDBPyConnection, parquet: Sequence[Path], start: int, copies: Sequence[int]
) -> pyarrow.Table:
    where = " AND ".join(bounds(Window(instant(start), instant(start + HOUR))))
    parts = " UNION ALL ".join(
        f"SELECT {place} AS part, file_row_number AS row, uid, duration, src_high, src_low, dst_high, dst_low, "  # noqa: S608  # quoted
        f"src_port, dst_port, protocol FROM read_parquet({literal(str(path))}, file_row_number=true) WHERE {where}"
        for place, path in enumerate(parquet)
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {parts}")
    found = _by_uid(connection)
    if copies:
        places = ", ".join(map(str, copies))
        more = f"SELECT part, row FROM records WHERE uid IS NULL AND part IN ({places})"  # noqa: S608  # numbers
        found = f"{found} UNION ALL {more}" if found else more
    columns = "CAST(part AS INTEGER) AS part, CAST(row AS BIGINT) AS row"
    query = f"SELECT {columns} FROM ({found or _NONE}) ORDER BY part, row"  # noqa: S608  # ours
    return connection.sql(query).to_arrow_table()


_NONE = "SELECT 0 AS part, 0 AS row WHERE false"


def _by_uid(connection: duckdb.DuckDBPyConnection) -> str:
    """The query for rows with another record by uid; ``""`` if there are none, which is quick to see."""
    several = "SELECT uid FROM records WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE several AS {several}")
    ((number,),) = connection.execute("SELECT count(*) FROM several").fetchall()
    if not number:
        return ""
    order = "duration DESC NULLS LAST, part DESC, row DESC"
    place = f"row_number() OVER (PARTITION BY {_SAME} ORDER BY {order})"
    return f"SELECT part, row FROM records WHERE uid IN (FROM several) QUALIFY {place} > 1"  # noqa: S608  # ours

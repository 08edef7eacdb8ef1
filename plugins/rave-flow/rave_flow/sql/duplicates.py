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
    with connected() as connection:
        span = Window(instant(hours[0]), instant(hours[-1] + HOUR))
        chosen = f"epoch_us(ts) // {HOUR * 10**6} IN ({', '.join(str(start // HOUR) for start in hours)})"
        where = " AND ".join([*bounds(span), chosen])
        parts = " UNION ALL ".join(
            f"SELECT {place} AS part, file_row_number AS row, ts, uid, duration, src_high, src_low, dst_high, dst_low, "  # noqa: S608  # quoted
            f"src_port, dst_port, protocol FROM read_parquet({literal(str(path))}, file_row_number=true) WHERE {where}"
            for place, path in enumerate(parquet)
        )
        connection.execute(f"CREATE TEMP VIEW records AS {parts}")
        found = _by_uid(connection)
        if copies:
            test = f"(part, epoch_us(ts) // {HOUR * 10**6})"
            pairs = ", ".join(f"({place}, {start // HOUR})" for place, start in copies)
            more = f"SELECT part, row FROM records WHERE uid IS NULL AND {test} IN ({pairs})"  # noqa: S608  # numbers
            found = f"{found} UNION ALL {more}" if found else more
        columns = "CAST(part AS INTEGER) AS part, CAST(row AS BIGINT) AS row"
        query = f"SELECT {columns} FROM ({found or _NONE}) ORDER BY part, row"  # noqa: S608  # ours
        return connection.sql(query).to_arrow_table()


_NONE = "SELECT 0 AS part, 0 AS row WHERE false"


def _by_uid(connection: duckdb.DuckDBPyConnection) -> str:
    """The query for what has another record by its uid; ``""`` where nothing has, which is quick to see."""
    several = "SELECT uid FROM records WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1"
    connection.execute(f"CREATE TEMP TABLE several AS {several}")
    ((number,),) = connection.execute("SELECT count(*) FROM several").fetchall()
    if not number:
        return ""
    order = "duration DESC NULLS LAST, part DESC, row DESC"
    place = f"row_number() OVER (PARTITION BY {_SAME} ORDER BY {order})"
    return f"SELECT part, row FROM records WHERE uid IN (FROM several) QUALIFY {place} > 1"  # noqa: S608  # ours

"""A day's report, put together from its hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rave_flow.model.duckdb_connection import connected

if TYPE_CHECKING:
    import pyarrow

_REPORT = """
WITH levels AS (
    SELECT hour, proto, port, bytes, packets, flows, 'port' AS level FROM hours
    UNION ALL SELECT hour, proto, NULL, bytes, packets, flows, 'protocol' FROM hours
    UNION ALL SELECT hour, NULL, NULL, bytes, packets, flows, 'day' FROM hours
), by_hour AS (
    SELECT level, proto, port, hour, sum(bytes) AS bytes, sum(packets) AS packets, sum(flows) AS flows
    FROM levels GROUP BY ALL
), totals AS (
    SELECT level, proto, port, sum(bytes) AS bytes, sum(packets) AS packets, sum(flows) AS flows,
           first(hour ORDER BY bytes DESC, hour) AS busiest_hour
    FROM by_hour GROUP BY level, proto, port
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY level, proto ORDER BY bytes DESC, port NULLS LAST) AS rank,
           max(bytes) OVER (PARTITION BY proto) AS weight
    FROM totals
)
SELECT level, proto, port, CAST(bytes AS BIGINT) AS bytes, CAST(packets AS BIGINT) AS packets,
       CAST(flows AS BIGINT) AS flows,
       coalesce(CAST(bytes AS DOUBLE) / nullif(sum(CASE WHEN level = 'day' THEN bytes END) OVER (), 0), 0.0) AS share,
       CAST(busiest_hour AS BIGINT) AS busiest_hour
FROM ranked WHERE rank <= ? OR level <> 'port'
ORDER BY level <> 'day', weight DESC, proto, level = 'port', bytes DESC, port NULLS LAST
"""


def daily(hours: Sequence[pyarrow.Table], n: int) -> pyarrow.Table:
    """The report of a day: a row for all of it, then for each protocol a row and rows for its ``n`` largest ports.

    Columns: level (``day``, ``protocol`` or ``port``), proto, port (of the responder), bytes, packets, flows,
    share (of the day's bytes), busiest_hour (0 to 23, by bytes). The largest come first.

    Args:
        hours: what `rave_flow.sql.aggregates.hour` gave, for each hour of the day in order.
        n: how many ports of each protocol.
    """
    import pyarrow

    numbered = [
        table.append_column("hour", pyarrow.repeat(number, table.num_rows)) for number, table in enumerate(hours)
    ]
    with connected() as connection:
        connection.register("hours", pyarrow.concat_tables(numbered))
        return connection.sql(_REPORT, params=[n]).to_arrow_table()


def hourly(hour: pyarrow.Table, n: int) -> pyarrow.Table:
    """The report of an hour, from what `rave_flow.sql.aggregates.hour` gave: as `daily`, without the busiest hour.

    Columns: level (``hour``, ``protocol`` or ``port``), proto, port (of the responder), bytes, packets, flows,
    share (of the hour's bytes). The largest come first.
    """
    import pyarrow.compute

    report = daily([hour], n).drop_columns(["busiest_hour"])
    levels = report.column("level")
    renamed = pyarrow.compute.if_else(pyarrow.compute.equal(levels, "day"), "hour", levels)
    return report.set_column(0, "level", renamed)

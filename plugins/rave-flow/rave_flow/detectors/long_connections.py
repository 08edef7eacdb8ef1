"""Connections that stay open for long, as SQL over flows: beacons that never hang up look like this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.ranges import Ranges
from rave_flow.model.windows import Window
from rave_flow.sql.aggregates import flows
from rave_flow.sql.contacts import create_contacts
from rave_flow.sql.flow_ways import rank, way

if TYPE_CHECKING:
    import pyarrow

_LONG = """
WITH asked AS (SELECT *, {way} AS direction FROM contacts WHERE duration >= $least
), summed AS (
    SELECT src, dst, dst_port, proto, any_value(direction) AS direction, max(duration) AS longest,
           sum(duration) AS duration, count(*) AS connections, CAST(sum(bytes) AS BIGINT) AS bytes, min(ts) AS first_at
    FROM asked GROUP BY src, dst, dst_port, proto
)
SELECT src, dst, dst_port, proto, direction, longest, duration, connections, bytes,
       CAST(first_at AS TIMESTAMPTZ) AS first_at,
       format('open for {{:.4g}} h at the longest, {{}} times for at least {{:.4g}} s, {{}} B in all', longest / 3600,
              connections, CAST($least AS DOUBLE), bytes) AS why
FROM summed ORDER BY {rank}, longest DESC, src, dst, dst_port NULLS LAST, proto LIMIT $n
"""


def long_connections(parquet: Sequence[Path], window: Window, least: float, n: int, internal: Ranges) -> pyarrow.Table:
    """Whose connections stayed open for at least ``least`` seconds: the ``n`` longest, those to outside first.

    Columns: src, dst, dst_port, proto, direction (``out int in ext``), longest and duration (of all of them; seconds),
    connections, bytes, first_at, why.
    """
    with flows(parquet, window) as connection:
        create_contacts(connection)
        query = _LONG.format(way=way(internal, "contacts"), rank=rank("direction"))
        return connection.sql(query, params={"least": least, "n": n}).to_arrow_table()

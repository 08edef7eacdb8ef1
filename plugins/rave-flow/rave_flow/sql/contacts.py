"""Who asked whom, and whether it was answered: flows of any source as contacts, in the relation ``contacts``.

Zeek's state says how a connection ended, and a flow of both directions how much came back. NetFlow of one direction has
neither: there a flow is put together with the one that goes the other way between the same ports, begins no earlier,
and no later than a minute after its end. Of the two the first is the contact, and the other its answer; of two that
begin in one microsecond, the one to the lower port. A flow without a counterpart is unanswered if other flows have
answers. It is unknown if none has: the exporter may then see only one direction.

Columns: ts, src, dst, dst_port, proto, service, state, sent and received (bytes; NULL where unknown), bytes, duration,
outcome: true if it was accepted, false if it was not, NULL if nothing shows that; and src_high, src_low,
dst_high, dst_low.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_flow.sql.silk_fields import DURATION_US
from rave_flow.sql.zeek_states import FAILED, SUCCEEDED, among

if TYPE_CHECKING:
    import duckdb

_SHOWN = "ts, src, dst, dst_port, proto, service, state, bytes, duration, src_high, src_low, dst_high, dst_low"
_ONE_WAY = "state IS NULL AND dst_bytes IS NULL AND proto IN ('tcp', 'udp', 'sctp')"
_STATED = f"CASE WHEN {among(SUCCEEDED)} THEN true WHEN {among(FAILED)} THEN false END"
_BY_FLAGS = "WHEN proto = 'tcp' AND flags & 2 > 0 THEN flags & 16 > 0"
"""The originator of an accepted TCP connection acknowledges; one that only ever asked does not."""

_TWO_WAYS = f"""
SELECT {_SHOWN}, src_bytes AS sent, dst_bytes AS received,
       CASE WHEN state IS NOT NULL THEN {_STATED} {_BY_FLAGS}
            WHEN proto IN ('tcp', 'udp', 'sctp') THEN dst_bytes > 0 END AS outcome
FROM flows WHERE NOT ({_ONE_WAY})
"""  # noqa: S608  # all from this file
_MINUTE = 60 * 10**6
_PAIRED = f"""
WITH one_way AS (
    SELECT *, epoch_us(ts) AS _start, epoch_us(ts) + coalesce({DURATION_US}, 0) + {_MINUTE} AS _until,
           row_number() OVER () AS _number
    FROM flows WHERE {_ONE_WAY}
), later AS (
    SELECT one._number, other._start AS _answered_at, other.bytes AS received, other.flags AS _flags
    FROM one_way AS one ASOF JOIN one_way AS other ON one.src = other.dst AND one.dst = other.src
        AND one.src_port = other.dst_port AND one.dst_port = other.src_port AND one.proto = other.proto
        AND one._start <= other._start
    WHERE other._start <= one._until
), earlier AS (
    SELECT one._number
    FROM one_way AS one ASOF JOIN one_way AS other ON one.src = other.dst AND one.dst = other.src
        AND one.src_port = other.dst_port AND one.dst_port = other.src_port AND one.proto = other.proto
        AND one._start >= other._start
    WHERE one._start <= other._until
        AND (other._start < one._start OR one.dst_port > one.src_port
             OR (one.dst_port = one.src_port AND one.src > other.src))
), paired AS (
    SELECT one_way.*, later.received AS _received, later._flags AS _flags,
           count(later._number) OVER () > 0 AS _both_ways
    FROM one_way LEFT JOIN later USING (_number) ANTI JOIN earlier USING (_number)
)
SELECT {_SHOWN}, bytes AS sent, CASE WHEN _both_ways THEN coalesce(_received, 0) END AS received,
       CASE WHEN _received IS NOT NULL THEN NOT coalesce(proto = 'tcp' AND _flags & 6 = 4, false)
            {_BY_FLAGS}
            WHEN _both_ways THEN false END AS outcome
FROM paired
"""  # noqa: S608  # all from this file
"""An answer that only resets the connection refuses it."""


def create_contacts(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the relation ``contacts`` of the view ``flows`` on a connection."""
    query = f"SELECT count(*) FROM flows WHERE {_ONE_WAY}"  # noqa: S608  # from this file
    ((one_way,),) = connection.execute(query).fetchall()
    if not one_way:
        connection.execute(f"CREATE TEMP VIEW contacts AS {_TWO_WAYS}")
        return
    # Pairs are found once, however many queries need them.
    connection.execute(f"CREATE TEMP TABLE contacts AS {_TWO_WAYS} UNION ALL ({_PAIRED})")

"""Services that answer in a window and did not before it, as SQL over flows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.errors import NoStateError
from rave_flow.model.windows import Window
from rave_flow.sql.aggregates import flows
from rave_flow.sql.contacts import create_contacts

if TYPE_CHECKING:
    import pyarrow

_UNKNOWN = "SELECT count(*) FROM contacts WHERE proto IN ('tcp', 'udp', 'sctp') AND {answered} IS NULL"
_ANSWERED = "CASE WHEN state IS NOT NULL THEN coalesce(outcome, false) ELSE coalesce(outcome, received > 0) END"

_ANSWERING = f"""
SELECT dst AS host, dst_port AS port, proto, min(service) AS service, CAST(min(ts) AS TIMESTAMPTZ) AS first_at,
       count(*) AS flows, count(DISTINCT src) AS clients, CAST(sum(bytes) AS BIGINT) AS bytes
FROM contacts WHERE proto IN ('tcp', 'udp', 'sctp') AND {_ANSWERED} GROUP BY dst, dst_port, proto ORDER BY ALL
"""  # noqa: S608  # all from our constants
_NEW = """
SELECT host, port, proto, service, first_at, flows, clients, bytes,
       format('{}:{}/{} first answered at {} UTC: {} to {}, and never in the {} before', host, port, proto,
              strftime(first_at, '%Y-%m-%d %H:%M:%S'), CASE flows WHEN 1 THEN 'once' ELSE format('{} times', flows) END,
              CASE clients WHEN 1 THEN '1 client' ELSE format('{} clients', clients) END, $baseline) AS why
FROM now ANTI JOIN before USING (host, port, proto) ORDER BY first_at, host, port, proto
"""


def answering(parquet: Sequence[Path], window: Window) -> pyarrow.Table:
    """Who answers on which port: host, port, proto, service, first_at, flows, clients, bytes.

    A flow is answered if its state says that the connection was accepted. Without a state, it is answered if the
    responder sent bytes, possibly in a flow of its own: see `rave_flow.sql.contacts`. ICMP has no services.

    Raises:
        NoStateError: nothing says whether a flow was answered, so a service could be missed.
    """
    with flows(parquet, window) as connection:
        create_contacts(connection)
        ((unknown,),) = connection.execute(_UNKNOWN.format(answered=_ANSWERED)).fetchall()
        if unknown:
            raise NoStateError(
                f"{unknown} flows {window} have no state, no bytes of the responder and no flow the other way, so "
                "whether they were answered is unknown; expected a column state (conn_state) or dst_bytes, or flows "
                "of both directions"
            )
        return connection.sql(_ANSWERING).to_arrow_table()


def new_services(now: pyarrow.Table, before: pyarrow.Table, baseline: str) -> pyarrow.Table:
    """What is in ``now`` and not in ``before``, both of `answering`, in the order of first_at, and why.

    Args:
        now: of the window.
        before: of the baseline.
        baseline: how long the baseline is, in words.
    """
    from rave_flow.model.duckdb_connection import connected

    with connected() as connection:
        connection.register("now", now)
        connection.register("before", before)
        return connection.sql(_NEW, params={"baseline": baseline}).to_arrow_table()

"""Scan detection after SiLK's rwscan: Threshold Random Walk over the existence of targets, as SQL over flows.

The test is that of `rave_flow.detectors.scans`. The difference is what counts as a success: there, that a connection
was accepted; here, as in rwscan, that its target exists. So a port that is closed on a host that exists does not count
against its source, and no state or flag is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_flow.detectors.scans import WALK, SequentialTest
from rave_flow.model.ranges import Ranges
from rave_flow.sql.address_tests import within
from rave_flow.sql.contacts import create_contacts
from rave_flow.sql.silk_fields import VALUES

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_TARGET = "dst_high, dst_low"
_SENDERS = """
CREATE TEMP TABLE senders AS
SELECT src_high AS high, src_low AS low FROM flows WHERE packets > 0 AND src_high IS NOT NULL
UNION SELECT dst_high, dst_low FROM flows WHERE dst_bytes > 0 AND dst_high IS NOT NULL
"""
_IS_SENDER = "(dst_high, dst_low) IN (SELECT (high, low) FROM senders)"
_SCANS = """
SELECT decided.src AS sip, 'tcp' AS protocol, stime, etime, flows, packets, bytes, 1 AS scan_model,
       exp(walk) / (1 + exp(walk)) AS scan_prob,
       format('{{}} of the first {{}} addresses do not exist, so the likelihood ratio is {{:.3g}}: at least {{:.3g}}',
              failures, observations, exp(walk), exp($upper)) AS why
FROM decided JOIN totals USING (src) WHERE verdict = 'scanner' ORDER BY src_high, src_low
"""


def silk_scans(connection: duckdb.DuckDBPyConnection, internal: Ranges | None, test: SequentialTest) -> pyarrow.Table:
    """A row for each source of TCP that scans, in order of the addresses' numbers.

    Columns: sip, protocol, stime (of its first flow), etime (of its last), flows, packets, bytes (all of TCP),
    scan_model (1, SiLK's number of Threshold Random Walk), scan_prob (the likelihood ratio as a probability), why.

    Args:
        connection: with the view ``flows``.
        internal: the numbers of the addresses that exist; ``None`` for those that send something in these flows.
        test: the parameters.
    """
    create_contacts(connection)
    if internal is None:
        connection.execute(_SENDERS)
    exists = _IS_SENDER if internal is None else within("dst", internal, "contacts")
    attempts = (
        f"SELECT ts, src, {_TARGET}, {exists} AS success FROM contacts WHERE proto = 'tcp' AND dst_high IS NOT NULL"  # noqa: S608  # ours
    )
    sums = ", ".join(f"{VALUES[name]} AS {title}" for name, title in _SUMS.items())
    totals = f", totals AS (SELECT src, src_high, src_low, {sums} FROM flows WHERE proto = 'tcp' GROUP BY ALL)"  # noqa: S608  # ours
    query = WALK.format(target=_TARGET, attempts=attempts) + totals + _SCANS.format()
    steps = test.steps
    return connection.sql(query, params=steps).to_arrow_table()


_SUMS = {
    "stime_earliest": "stime", "etime_latest": "etime", "records": "flows", "packets": "packets", "bytes": "bytes",
}  # fmt: skip

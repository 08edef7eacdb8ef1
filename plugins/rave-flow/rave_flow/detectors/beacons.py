"""Beacons: connections at regular intervals with similar amounts, as SQL over flows.

The measures are those of RITA (Active Countermeasures, https://github.com/activecm/rita): Bowley's skewness (A. L.
Bowley, "Elements of Statistics", 1920) and the median absolute deviation about the median (MADM), of the intervals
between the starts of connections and of the bytes sent. Dividing the MADM by the median, and the plain mean of
four, are our choice, so scores differ from RITA's:

    skew       = (Q1 + Q3 - 2 Q2) / (Q3 - Q1), 0 where Q3 = Q1      symmetry   = 1 - |skew|
    deviation  = MADM / median, 0 where the MADM is 0               steadiness = max(0, 1 - deviation)
    regularity = mean of symmetry and steadiness, of intervals and of bytes
    score      = regularity * (1 - failed / connections)

Quartiles are interpolated linearly. Connections that start in one microsecond count once, with all their bytes.
Unanswered ones (see `rave_flow.sql.contacts`) lower the score: sixty failed attempts are no channel. As in RITA, three
more measures accompany the score and are not part of it: how much of the time with data lies between the first and the
last connection (duration_score), how evenly the connections are spread over 24 equal parts of that time
(histogram_score: 1 - deviation / mean, at least 0), and which share of all sources contacts the destination
(prevalence).
"""

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

SYMMETRY = "1 - abs(CASE WHEN {0}_q3 > {0}_q1 THEN ({0}_q1 + {0}_q3 - 2 * {0}_q2) / ({0}_q3 - {0}_q1) ELSE 0 END)"
STEADINESS = "CASE WHEN {0}_madm = 0 THEN 1 ELSE greatest(0, 1 - {0}_madm / nullif({0}_q2, 0)) END"
QUARTILES = ", ".join(
    f"quantile_cont({name}, {number / 4}) AS {name}_q{number}" for name in ("gap", "sent") for number in (1, 2, 3)
)

_KEY = "src, dst, dst_port, proto"
_NUMBERS = ", ".join(
    f"CAST({name} AS DOUBLE)"
    for name in (
        "gap_madm", "gap_q2", "sent_q2", "sent_madm",
        "gap_symmetry", "sent_symmetry", "gap_steadiness", "sent_steadiness",
    )
)  # fmt: skip
_WHY = f"""
format('{{{{}}}} connections, half of them within {{{{:.3g}}}} s of every {{{{:.4g}}}} s, sending {{{{:.4g}}}} B, '
    'half within {{{{:.3g}}}} B: symmetry {{{{:.2f}}}} and {{{{:.2f}}}}, steadiness {{{{:.2f}}}} and {{{{:.2f}}}}; ',
    connections, {_NUMBERS})
|| CASE WHEN failed = 0 THEN '' ELSE format('{{{{}}}} of {{{{}}}} were never answered; ', failed, flows) END
|| format('{{{{}}}} of {{{{}}}} sources contact {{{{}}}}, first at {{{{}}}} UTC', sources, _sources, dst,
    strftime(first_seen, '%Y-%m-%d %H:%M:%S'))
"""
_BEACONS = f"""
WITH spanned AS (SELECT min(epoch_us(ts)) AS _first, greatest(max(epoch_us(ts)) - min(epoch_us(ts)), 1) AS _span,
    count(DISTINCT src) AS _sources FROM contacts
), known AS (SELECT dst, count(DISTINCT src) AS sources, min(ts) AS first_seen FROM contacts GROUP BY dst
), asked AS (SELECT *, {{way}} AS direction FROM contacts
), starts AS (
    SELECT {_KEY}, ts, CAST(sum(coalesce(sent, bytes)) AS DOUBLE) AS sent, count(*) AS flows,
           count_if(outcome = false) AS failed, max(duration) AS longest, any_value(direction) AS direction
    FROM asked GROUP BY {_KEY}, ts
), gaps AS (
    SELECT *, (epoch_us(ts) - lag(epoch_us(ts)) OVER (PARTITION BY {_KEY} ORDER BY ts)) / 1e6 AS gap
    FROM starts QUALIFY count(*) OVER (PARTITION BY {_KEY}) >= $least
), parts AS (
    SELECT {_KEY}, count(*) AS part FROM gaps, spanned
    GROUP BY {_KEY}, least(23, (epoch_us(ts) - _first) * 24 // _span)
), spread AS (
    SELECT {_KEY}, greatest(0, 1 - sqrt(greatest(0, sum(part * part) / 24 - pow(sum(part) / 24, 2))) / (sum(part) / 24))
        AS histogram_score FROM parts GROUP BY ALL
), measured AS (
    SELECT {_KEY}, count(*) AS connections, min(ts) AS first_at, max(ts) AS last_at,
           CAST(sum(flows) AS BIGINT) AS flows, CAST(sum(failed) AS BIGINT) AS failed, max(longest) AS longest,
           any_value(direction) AS direction,
           {QUARTILES}, mad(gap) AS gap_madm, mad(sent) AS sent_madm
    FROM gaps GROUP BY {_KEY}
), scored AS (
    SELECT *, {SYMMETRY.format("gap")} AS gap_symmetry, {STEADINESS.format("gap")} AS gap_steadiness,
           {SYMMETRY.format("sent")} AS sent_symmetry, coalesce({STEADINESS.format("sent")}, 0) AS sent_steadiness
    FROM measured
), summed AS (
    SELECT *, CAST((gap_symmetry + gap_steadiness + sent_symmetry + sent_steadiness) / 4 * (1 - failed / flows)
        AS DOUBLE) AS score FROM scored
)
SELECT {_KEY}, direction, score, connections, failed, CAST(gap_q2 AS DOUBLE) AS interval,
       CAST(gap_madm AS DOUBLE) AS interval_madm, CAST(sent_q2 AS DOUBLE) AS sent,
       CAST(sent_madm AS DOUBLE) AS sent_madm, longest,
       CAST((epoch_us(last_at) - epoch_us(first_at)) / _span AS DOUBLE) AS duration_score,
       CAST(histogram_score AS DOUBLE) AS histogram_score, CAST(sources / _sources AS DOUBLE) AS prevalence,
       CAST(first_seen AS TIMESTAMPTZ) AS first_seen,
       CAST(first_at AS TIMESTAMPTZ) AS first_at, CAST(last_at AS TIMESTAMPTZ) AS last_at,
       {_WHY} AS why
FROM summed JOIN known USING (dst) JOIN spread USING ({_KEY}), spanned
WHERE score >= $score ORDER BY {rank("direction")}, score DESC, src, dst, dst_port NULLS LAST, proto
"""  # noqa: S608  # all from this file


def beacons(parquet: Sequence[Path], window: Window, least: int, score: float, internal: Ranges = ()) -> pyarrow.Table:
    """Who calls whom how regularly: those from inside to outside first, then the greatest score; see the module.

    Columns: src, dst, dst_port, proto, direction (``out int in ext``), score (0 to 1), connections, failed (never
    answered), interval and interval_madm (median, in seconds), sent and sent_madm (median bytes of the source; of both
    directions if a file does not have each), longest (seconds; ``None`` where unknown), duration_score,
    histogram_score, prevalence, first_seen (of the destination, by any source), first_at, last_at, why. Ties are in
    order of the addresses and the port.

    Args:
        parquet: files with the columns of a flow.
        window: of the starts of the flows.
        least: how many connections there must be; at least 4, because fewer have no quartiles.
        score: the least score of a row.
        internal: the numbers of the addresses that are inside.
    """
    with flows(parquet, window) as connection:
        create_contacts(connection)
        query = _BEACONS.format(way=way(internal, "contacts"))
        return connection.sql(query, params={"least": least, "score": score}).to_arrow_table()

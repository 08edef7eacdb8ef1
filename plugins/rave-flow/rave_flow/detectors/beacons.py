"""Beacons: connections at regular intervals with like amounts, as SQL over flows.

The measures are those of RITA (Active Countermeasures, https://github.com/activecm/rita): Bowley's skewness (A. L.
Bowley, "Elements of Statistics", 1920) and the median absolute deviation about the median (MADM), of the intervals
between the starts of connections and of the bytes sent. Dividing the MADM by the median, and the plain mean of
four, are our choice, so that scores differ from RITA's:

    skew       = (Q1 + Q3 - 2 Q2) / (Q3 - Q1), 0 where Q3 = Q1      symmetry   = 1 - |skew|
    deviation  = MADM / median, 0 where the MADM is 0               steadiness = max(0, 1 - deviation)
    score      = mean of symmetry and steadiness, of intervals and of bytes

Quartiles are interpolated linearly. Connections that start in one microsecond count once, with all their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.model.windows import Window
from rave_flow.sql.aggregates import flows

if TYPE_CHECKING:
    import pyarrow

_SYMMETRY = "1 - abs(CASE WHEN {0}_q3 > {0}_q1 THEN ({0}_q1 + {0}_q3 - 2 * {0}_q2) / ({0}_q3 - {0}_q1) ELSE 0 END)"
_STEADINESS = "CASE WHEN {0}_madm = 0 THEN 1 ELSE greatest(0, 1 - {0}_madm / nullif({0}_q2, 0)) END"
_QUARTILES = ", ".join(
    f"quantile_cont({name}, {number / 4}) AS {name}_q{number}" for name in ("gap", "sent") for number in (1, 2, 3)
)

_BEACONS = f"""
WITH starts AS (
    SELECT src, dst, dst_port, proto, ts, CAST(sum(coalesce(src_bytes, bytes)) AS DOUBLE) AS sent
    FROM flows GROUP BY ALL
), gaps AS (
    SELECT *, (epoch_us(ts) - lag(epoch_us(ts)) OVER (PARTITION BY src, dst, dst_port, proto ORDER BY ts)) / 1e6 AS gap
    FROM starts
    QUALIFY count(*) OVER (PARTITION BY src, dst, dst_port, proto) >= $least
), measured AS (
    SELECT src, dst, dst_port, proto, count(*) AS connections, min(ts) AS first_at, max(ts) AS last_at,
           {_QUARTILES}, mad(gap) AS gap_madm, mad(sent) AS sent_madm
    FROM gaps GROUP BY ALL
), scored AS (
    SELECT *, {_SYMMETRY.format("gap")} AS gap_symmetry, {_STEADINESS.format("gap")} AS gap_steadiness,
           {_SYMMETRY.format("sent")} AS sent_symmetry, {_STEADINESS.format("sent")} AS sent_steadiness
    FROM measured
), summed AS (
    SELECT *, CAST((gap_symmetry + gap_steadiness + sent_symmetry + coalesce(sent_steadiness, 0)) / 4 AS DOUBLE)
        AS score FROM scored
)
SELECT src, dst, dst_port, proto, score, connections, CAST(gap_q2 AS DOUBLE) AS interval,
       CAST(gap_madm AS DOUBLE) AS interval_madm, CAST(sent_q2 AS DOUBLE) AS sent,
       CAST(sent_madm AS DOUBLE) AS sent_madm,
       CAST(first_at AS TIMESTAMPTZ) AS first_at, CAST(last_at AS TIMESTAMPTZ) AS last_at,
       format('{{}} connections, half of them within {{:.3g}} s of every {{:.4g}} s, sending {{:.4g}} B, half within '
              '{{:.3g}} B: symmetry {{:.2f}} and {{:.2f}}, steadiness {{:.2f}} and {{:.2f}}', connections,
              CAST(gap_madm AS DOUBLE), CAST(gap_q2 AS DOUBLE), CAST(sent_q2 AS DOUBLE), CAST(sent_madm AS DOUBLE),
              CAST(gap_symmetry AS DOUBLE), CAST(sent_symmetry AS DOUBLE),
              CAST(gap_steadiness AS DOUBLE), CAST(coalesce(sent_steadiness, 0) AS DOUBLE)) AS why
FROM summed WHERE score >= $score ORDER BY score DESC, src, dst, dst_port NULLS LAST, proto
"""  # noqa: S608  # all from this file


def beacons(parquet: Sequence[Path], window: Window, least: int, score: float) -> pyarrow.Table:
    """Who calls whom how regularly, the greatest score first; see the module for the formula.

    Columns: src, dst, dst_port, proto, score (0 to 1), connections, interval and interval_madm (median, in seconds),
    sent and sent_madm (median bytes of the source; of both directions where a file has not each), first_at, last_at,
    why. Equal scores are in order of the addresses and the port.

    Args:
        parquet: files with the columns of a flow.
        window: of the starts of the flows.
        least: how many connections there must be; at least 4, since fewer have no quartiles.
        score: the least score of a row.
    """
    with flows(parquet, window) as connection:
        return connection.sql(_BEACONS, params={"least": least, "score": score}).to_arrow_table()

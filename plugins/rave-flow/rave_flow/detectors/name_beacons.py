"""Beacons by name: hosts that ask for a name (DNS), or connect to one (SNI of TLS), at regular intervals.

The measures are those of `rave_flow.detectors.beacons`, by source and name in place of source, destination and port, so
a channel that moves between addresses is still one. Requests less than a second after the one before, such as those for
A and AAAA, are one request. Bytes come from the connection with the same ``uid``; where they are unknown, as for DNS,
the score is the mean of the two measures of intervals alone:

    score = mean of symmetry and steadiness, of intervals and, where they are known for all requests, of bytes
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.detectors.beacons import QUARTILES, STEADINESS, SYMMETRY
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.windows import Window
from rave_flow.sql.aggregates import bounds
from rave_flow.sql.literals import literal
from rave_flow.sql.relations import relation

if TYPE_CHECKING:
    import pyarrow

_SECOND = 10**6
_BEACONS = f"""
WITH spanned AS (SELECT min(epoch_us(ts)) AS _first, greatest(max(epoch_us(ts)) - min(epoch_us(ts)), 1) AS _span,
    count(DISTINCT src) AS _sources FROM requests
), known AS (
    SELECT name, count(DISTINCT src) AS sources, count(DISTINCT dst) AS destinations FROM requests GROUP BY name
), begun AS (
    SELECT *, coalesce(epoch_us(ts) - lag(epoch_us(ts)) OVER one >= {_SECOND}, true) AS _begins
    FROM requests WINDOW one AS (PARTITION BY src, name ORDER BY ts)
), numbered AS (
    SELECT *, sum(CAST(_begins AS BIGINT)) OVER (PARTITION BY src, name ORDER BY ts) AS _number FROM begun
), starts AS (
    SELECT src, name, _number, min(ts) AS ts,
           CASE WHEN count(sent) = count(*) THEN CAST(sum(sent) AS DOUBLE) END AS sent
    FROM numbered GROUP BY src, name, _number
), gaps AS (
    SELECT *, (epoch_us(ts) - lag(epoch_us(ts)) OVER (PARTITION BY src, name ORDER BY ts)) / 1e6 AS gap
    FROM starts QUALIFY count(*) OVER (PARTITION BY src, name) >= $least
), parts AS (
    SELECT src, name, count(*) AS part FROM gaps, spanned
    GROUP BY src, name, least(23, (epoch_us(ts) - _first) * 24 // _span)
), spread AS (
    SELECT src, name, greatest(0, 1 - sqrt(greatest(0, sum(part * part) / 24 - pow(sum(part) / 24, 2)))
        / (sum(part) / 24)) AS histogram_score FROM parts GROUP BY ALL
), measured AS (
    SELECT src, name, count(*) AS connections, min(ts) AS first_at, max(ts) AS last_at,
           count(sent) = count(*) AS has_sent, {QUARTILES}, mad(gap) AS gap_madm, mad(sent) AS sent_madm
    FROM gaps GROUP BY src, name
), scored AS (
    SELECT *, {SYMMETRY.format("gap")} AS gap_symmetry, {STEADINESS.format("gap")} AS gap_steadiness,
           {SYMMETRY.format("sent")} AS sent_symmetry, coalesce({STEADINESS.format("sent")}, 0) AS sent_steadiness
    FROM measured
), summed AS (
    SELECT *, CAST(CASE WHEN has_sent THEN (gap_symmetry + gap_steadiness + sent_symmetry + sent_steadiness) / 4
                        ELSE (gap_symmetry + gap_steadiness) / 2 END AS DOUBLE) AS score FROM scored
)
SELECT src, name, score, connections AS requests, CAST(gap_q2 AS DOUBLE) AS interval,
       CAST(gap_madm AS DOUBLE) AS interval_madm,
       CASE WHEN has_sent THEN CAST(sent_q2 AS DOUBLE) END AS sent,
       CASE WHEN has_sent THEN CAST(sent_madm AS DOUBLE) END AS sent_madm, destinations,
       CAST((epoch_us(last_at) - epoch_us(first_at)) / _span AS DOUBLE) AS duration_score,
       CAST(histogram_score AS DOUBLE) AS histogram_score, CAST(sources / _sources AS DOUBLE) AS prevalence,
       CAST(first_at AS TIMESTAMPTZ) AS first_at, CAST(last_at AS TIMESTAMPTZ) AS last_at,
       format('{{}} requests, half of them within {{:.3g}} s of every {{:.4g}} s', connections,
              CAST(gap_madm AS DOUBLE), CAST(gap_q2 AS DOUBLE))
       || CASE WHEN has_sent THEN format(', sending {{:.4g}} B, half within {{:.3g}} B', CAST(sent_q2 AS DOUBLE),
              CAST(sent_madm AS DOUBLE)) ELSE '' END
       || format('; {{}} of {{}} sources ask for {{}}', sources, _sources, name) AS why
FROM summed JOIN known USING (name) JOIN spread USING (src, name), spanned
WHERE score >= $score ORDER BY score DESC, src, name
"""  # noqa: S608  # all from this file


def name_beacons(
    logs: Sequence[Path], flows: Sequence[Path], window: Window, least: int, score: float
) -> pyarrow.Table:
    """Who asks for which name how regularly, the greatest score first; see the module.

    Columns: src, name, score (0 to 1), requests, interval and interval_madm (median, in seconds), sent and sent_madm
    (median bytes of the source; ``None`` where unknown), destinations (addresses that were asked), duration_score,
    histogram_score, prevalence (the share of the sources in the logs that ask for the name), first_at, last_at, why.

    Args:
        logs: what `rave_flow.formats.name_logs` wrote.
        flows: files of flows that may have the connections of the requests.
        window: of the requests.
        least: how many requests there must be, at least 4.
        score: the least score of a row.
    """
    files = ", ".join(literal(str(path)) for path in logs)
    when = " AND ".join(bounds(window)) or "true"
    sizes = f"SELECT uid, max(src_bytes) AS sent FROM {relation(flows)} WHERE uid IS NOT NULL GROUP BY uid"  # noqa: S608  # quoted
    asked = (
        f"SELECT DISTINCT ts, uid, src, dst, name FROM read_parquet([{files}], hive_partitioning=false) WHERE {when}"  # noqa: S608  # quoted
    )
    with connected() as connection:
        query = f"SELECT asked.*, sent FROM ({asked}) AS asked LEFT JOIN ({sizes}) USING (uid)"  # noqa: S608  # ours
        connection.execute(f"CREATE TEMP TABLE requests AS {query}")
        return connection.sql(_BEACONS, params={"least": least, "score": score}).to_arrow_table()

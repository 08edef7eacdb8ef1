"""Scan detection by Threshold Random Walk, as SQL over flows.

The algorithm is that of J. Jung, V. Paxson, A. W. Berger and H. Balakrishnan, "Fast Portscan Detection Using
Sequential Hypothesis Testing", IEEE Symposium on Security and Privacy, 2004: a sequential likelihood ratio test
(Wald) on whether the first contacts of a source succeed. A success multiplies the ratio by theta1 / theta0, a failure
by (1 - theta1) / (1 - theta0). At beta / alpha or more the source is a scanner, at (1 - beta) / (1 - alpha) or less
it is benign; the first verdict stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.errors import NoStateError, ParameterError
from rave_flow.model.windows import Window
from rave_flow.sql.aggregates import flows
from rave_flow.sql.contacts import create_contacts

if TYPE_CHECKING:
    import pyarrow

CONTACTS = {"host": "dst", "port": "dst, dst_port"}
"""What counts as a first contact of a source: an address, as in the paper, or a port of an address."""

WALK = """
WITH attempts AS ({attempts}
), firsts AS (
    SELECT src, {target}, min(ts) AS ts, arg_max(success, (-epoch_us(ts), success)) AS success
    FROM attempts GROUP BY src, {target}
), counted AS (
    SELECT src, ts, row_number() OVER walk AS observations,
           CAST(count(*) FILTER (success) OVER walk AS BIGINT) AS successes
    FROM firsts WINDOW walk AS (PARTITION BY src ORDER BY ts, {target} ROWS UNBOUNDED PRECEDING)
), walked AS (
    SELECT *, observations - successes AS failures,
           successes * $success + (observations - successes) * $failure AS walk FROM counted
), judged AS (
    SELECT *, CASE WHEN walk >= $upper THEN 'scanner' WHEN walk <= $lower THEN 'benign' END AS verdict,
           count(*) OVER (PARTITION BY src) AS contacts
    FROM walked
), decided AS (
    SELECT * FROM judged
    QUALIFY row_number() OVER (PARTITION BY src ORDER BY verdict IS NULL,
        CASE WHEN verdict IS NULL THEN -observations ELSE observations END) = 1
)
"""
"""The beginning of a query: a relation ``decided`` of sources, of ``attempts`` with ts, src, success and the target."""

_ATTEMPTS = "SELECT ts, src, {target}, outcome AS success FROM contacts WHERE proto = 'tcp' AND outcome IS NOT NULL"
_VERDICTS = """
SELECT src, coalesce(verdict, 'pending') AS verdict, exp(walk) AS ratio, observations, successes, failures,
       CASE WHEN verdict IS NOT NULL THEN CAST(ts AS TIMESTAMPTZ) END AS decided_at, contacts,
       format('{{}} of {{}} first contacts failed, so the likelihood ratio is {{:.3g}}: ', failures, observations,
              exp(walk))
       || CASE verdict WHEN 'scanner' THEN format('at least {{:.3g}}, a scanner', exp($upper))
                       WHEN 'benign' THEN format('at most {{:.3g}}, benign', exp($lower))
                       ELSE format('between {{:.3g}} and {{:.3g}}, undecided', exp($lower), exp($upper)) END AS why
FROM decided
ORDER BY CASE verdict WHEN 'scanner' THEN 0 WHEN 'benign' THEN 2 ELSE 1 END, failures DESC, src
"""


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """The parameters of the test; the defaults are the paper's.

    Attributes:
        theta0: the probability that a first contact of a benign source succeeds.
        theta1: the same probability for a scanner; less than ``theta0``.
        alpha: the greatest probability with which a benign source may be called a scanner.
        beta: the least probability with which a scanner must be found; more than ``alpha``.
    """

    theta0: float = 0.8
    theta1: float = 0.2
    alpha: float = 0.01
    beta: float = 0.99

    def __post_init__(self) -> None:
        for name in ("theta0", "theta1", "alpha", "beta"):
            if not 0 < getattr(self, name) < 1:
                raise ParameterError(f"{name}={getattr(self, name)}: expected a number between 0 and 1, both excluded")
        if self.theta1 >= self.theta0:
            raise ParameterError(
                f"theta1={self.theta1} is not less than theta0={self.theta0}: scanners fail more often than others"
            )
        if self.alpha >= self.beta:
            raise ParameterError(f"alpha={self.alpha} is not less than beta={self.beta}: the test could not decide")

    @property
    def steps(self) -> dict[str, float]:
        """Logarithms of the factors of a success and a failure, and of the two thresholds."""
        return {
            "success": log(self.theta1 / self.theta0),
            "failure": log((1 - self.theta1) / (1 - self.theta0)),
            "upper": log(self.beta / self.alpha),
            "lower": log((1 - self.beta) / (1 - self.alpha)),
        }


def scans(parquet: Sequence[Path], window: Window, test: SequentialTest, contact: str) -> pyarrow.Table:
    """A row for each source of TCP attempts: scanners first, then the pending, then the benign; see the module.

    Columns: src, verdict (``scanner``, ``pending``, ``benign``), ratio (when decided, or at the end), observations,
    successes and failures (up to then), decided_at (the start of the deciding flow; ``None`` while pending), contacts
    (first contacts in all), why. First contacts that start in one microsecond are in order of their targets. If several
    attempts on one target start in one microsecond, a success counts.

    Raises:
        NoStateError: there are TCP flows, but none has a state.
    """
    with flows(parquet, window) as connection:
        create_contacts(connection)
        _require_states(connection.execute(_STATED).fetchall()[0], window)
        target = CONTACTS[contact]
        query = WALK.format(target=target, attempts=_ATTEMPTS.format(target=target)) + _VERDICTS.format()
        return connection.sql(query, params=test.steps).to_arrow_table()


_STATED = "SELECT count(*), count(outcome) + count(state) FROM (FROM contacts WHERE proto = 'tcp')"


def _require_states(counts: tuple[int, ...], window: Window) -> None:
    if counts[0] and not counts[1]:
        raise NoStateError(
            f"none of the {counts[0]} TCP flows {window} has a state, and neither flags nor flows the other "
            "way tell whether a connection failed; expected a column state (or conn_state) with the states of Zeek"
        )

"""What rwcount counts: records, bytes and packets in bins of time, as SQL over the view ``flows``.

The load schemes are those of SiLK's manual. Bins are bounded: one record of 1970 or 2100, or a flow that seems to last
for weeks since a counter wrapped, does not take the answer about all others away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.errors import ParameterError
from rave_flow.model.windows import MOST_BINS
from rave_flow.sql.silk_fields import DURATION_US, floored

if TYPE_CHECKING:
    import duckdb
    import pyarrow

SCHEMES = (
    "bin_uniform", "start_spike", "end_spike", "middle_spike", "time_proportional", "maximum_volume", "minimum_volume"
)  # fmt: skip
"""The load schemes, by their numbers: how a flow that touches several bins is spread. 0 evenly over all of them; 1 in
the first; 2 in the last; 3 in that of its middle; 4 in proportion to the time it spends in each; 5 all of it in each; 6
all of it, and only if there is one."""

WIDEST = 10_000
"""How many bins a flow may touch. Flows that touch more are counted apart."""


@dataclass(frozen=True, slots=True)
class Counting:
    """What bins there are.

    Attributes:
        width: of a bin, in seconds.
        scheme: the load scheme's number.
        start: when the first bin begins, in microseconds since 1970; ``None`` for whole multiples of the width, from
            the first flow.
        end: a time in the last bin, likewise; ``None`` for that of the last flow.
        skip_zeroes: whether bins without flows are left out.
    """

    width: int
    scheme: int
    start: int | None = None
    end: int | None = None
    skip_zeroes: bool = False

    @property
    def origin(self) -> int:
        """Where bin 0 begins, in microseconds since 1970."""
        return 0 if self.start is None else self.start

    def bin_of(self, micros: str) -> str:
        """The SQL of the number of the bin in which a time is."""
        return floored(f"({micros}) - {self.origin}", self.width * 10**6)

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """The numbers of the first and the last bin, as far as they are given."""
        last = None if self.end is None else (self.end - self.origin) // (self.width * 10**6)
        return None if self.start is None else 0, last


def count(connection: duckdb.DuckDBPyConnection, counting: Counting) -> pyarrow.Table:
    """Records, bytes and packets of each bin from the first to the last that has any.

    Columns: date (when the bin begins), records, bytes, packets; these are fractions if a flow is spread. Flows
    that would be spread over more than `WIDEST` bins are counted apart, in a last row without a date. Where there would
    be more than `MOST_BINS` bins, those without flows are left out. The metadata ``rave.flow.bins`` says so.

    Args:
        connection: with the view ``flows``.
        counting: the bins.

    Raises:
        ParameterError: more than `MOST_BINS` bins have flows.
    """
    found = connection.sql(_query(counting)).to_arrow_table()
    connection.register("found", found)
    first, last, apart = _span(connection, counting)
    is_sparse = counting.skip_zeroes or last - first >= MOST_BINS
    table = connection.sql((_SPARSE if is_sparse else _DENSE).format(**_names(counting, first, last))).to_arrow_table()
    if table.num_rows > MOST_BINS + 1:
        message = f"bin_size={counting.width}: {table.num_rows} bins have flows; expected at most {MOST_BINS}"
        raise ParameterError(f"{message}; use wider ones", parameter="bin_size")
    return table.replace_schema_metadata(_notes(is_sparse and not counting.skip_zeroes, bool(apart)))


def _span(connection: duckdb.DuckDBPyConnection, counting: Counting) -> tuple[int, int, int | None]:
    """The first and the last bin, and how many rows are apart; ``None`` if there are no flows."""
    ((low, high, apart),) = connection.execute("SELECT min(low), max(high), count_if(apart) FROM found").fetchall()
    first, last = counting.bounds
    first = first if first is not None else low if low is not None else 0
    return first, last if last is not None else high if high is not None else first - 1, apart


def _notes(left_out: bool, apart: bool) -> dict[str, str]:
    words = ["bins without flows are left out, since there are too many"] if left_out else []
    words += [f"flows that touch more than {WIDEST} bins are in the row without a date"] if apart else []
    return {"rave.flow.bins": "; ".join(words)} if words else {}


def _names(counting: Counting, first: int, last: int) -> dict[str, object]:
    micros = counting.width * 10**6
    date = f"CAST(make_timestamp({counting.origin} + CAST({{}} AS BIGINT) * {micros}) AS TIMESTAMPTZ) AS date"
    return {
        "first": first, "last": last, "date_of_bin": date.format("bin"), "date_of_range": date.format("range"),
        "sums": ", ".join(f"CAST(coalesce({name}, 0) AS DOUBLE) AS {name}" for name in ("records", "bytes", "packets")),
    }  # fmt: skip


_APART = "SELECT NULL::TIMESTAMPTZ AS date, {sums}, NULL AS place FROM found WHERE apart"
_SPARSE = f"""
SELECT * EXCLUDE (place) FROM (
    SELECT {{date_of_bin}}, {{sums}}, bin AS place FROM found WHERE bin BETWEEN {{first}} AND {{last}} AND NOT apart
    UNION ALL {_APART}
) ORDER BY place NULLS LAST
"""  # noqa: S608  # from this file
_DENSE = f"""
SELECT * EXCLUDE (place) FROM (
    SELECT {{date_of_range}}, {{sums}}, range AS place
    FROM range({{first}}, {{last}} + 1) LEFT JOIN found ON bin = range AND NOT apart
    UNION ALL {_APART}
) ORDER BY place NULLS LAST
"""  # noqa: S608  # from this file

_SPREAD = "unnest(range(lo, hi + 1)) AS bin"
_LOADS = {
    0: "SELECT {spread}, bytes, packets, 1.0 / (hi - lo + 1) AS load FROM narrow",
    4: "SELECT bin, bytes, packets, CASE WHEN e = s THEN 1.0 ELSE "
       "CAST(least(e, (bin + 1) * {micros}) - greatest(s, bin * {micros}) AS DOUBLE) / (e - s) END AS load "
       "FROM (SELECT *, {spread} FROM narrow)",
    5: "SELECT {spread}, bytes, packets, 1.0 AS load FROM narrow",
    6: "SELECT lo AS bin, bytes, packets, 1.0 AS load FROM narrow WHERE lo = hi",
}  # fmt: skip
_SPREADING = """
WITH spans AS (
    SELECT s, e, {low} AS lo, {high} AS hi, bytes, packets
    FROM (SELECT {start} - {origin} AS s, {end} - {origin} AS e, bytes, packets FROM flows)
), narrow AS (SELECT * FROM spans WHERE hi - lo < {widest} OR {one_bin}
), loads AS ({loads}
), sums AS (SELECT bin, sum(load) AS records, sum(bytes * load) AS bytes, sum(packets * load) AS packets
    FROM loads GROUP BY bin
), ends AS (SELECT min(lo) AS low, max(hi) AS high FROM narrow
), wide AS (SELECT count(*) AS records, sum(bytes) AS bytes, sum(packets) AS packets
    FROM spans WHERE NOT (hi - lo < {widest} OR {one_bin})
)
SELECT low, high, bin, records, bytes, packets, false AS apart FROM ends LEFT JOIN sums ON true WHERE low IS NOT NULL
UNION ALL SELECT NULL, NULL, NULL, records, bytes, packets, true FROM wide WHERE records > 0
"""
_SPIKE = """
SELECT {bin} AS bin, count(*) AS records, sum(bytes) AS bytes, sum(packets) AS packets,
       {low} AS low, {high} AS high, false AS apart
FROM flows GROUP BY bin
"""
_START = "epoch_us(ts)"
_END = f"(epoch_us(ts) + coalesce({DURATION_US}, 0))"
_SPIKES = {1: _START, 2: _END, 3: f"({_START} + ({_END} - {_START}) // 2)"}
"""Schemes by which all of a flow is in one bin: one pass, and no flow is taken apart."""


def _query(counting: Counting) -> str:
    if counting.scheme in _SPIKES:
        place = counting.bin_of(_SPIKES[counting.scheme])
        # A bin of the least time is the least bin: this way it is looked for once and not for every flow.
        low, high = counting.bin_of(f"min({_START})"), counting.bin_of(f"max({_END})")
        return _SPIKE.format(bin=place, low=low, high=high)
    micros = counting.width * 10**6
    return _SPREADING.format(
        low=floored("s", micros), high=floored("e", micros), start=_START, end=_END, origin=counting.origin,
        widest=WIDEST, one_bin="true" if counting.scheme == 6 else "false",
        loads=_LOADS[counting.scheme].format(spread=_SPREAD, micros=micros),
    )  # fmt: skip

"""What SiLK's tools count, as SQL over the view ``flows``. Nothing here knows of caches.

The meaning of options and load schemes is that of SiLK's manual (rwcount, rwuniq, rwstats, rwtotal); a flow here may
count both directions, as its source has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.errors import ParameterError
from rave_flow.model.windows import MOST_BINS

if TYPE_CHECKING:
    import duckdb
    import pyarrow

FIELDS: dict[str, str] = {
    "sip": "src", "dip": "dst", "sport": "src_port", "dport": "dst_port", "protocol": "proto", "packets": "packets",
    "bytes": "bytes", "flags": "flags", "stime": "ts", "duration": "duration",
    "etime": "ts + to_microseconds(CAST(round(coalesce(duration, 0) * 1000000) AS BIGINT))",
    "service": "service", "state": "state",
}  # fmt: skip
"""The SQL of each field, by the names that SiLK's tools give them."""

VALUES: dict[str, str] = {
    "records": "count(*)", "packets": "CAST(sum(packets) AS BIGINT)", "bytes": "CAST(sum(bytes) AS BIGINT)",
    "sip_distinct": "count(DISTINCT src)", "dip_distinct": "count(DISTINCT dst)",
    "stime_earliest": "CAST(min(ts) AS TIMESTAMPTZ)",
    "etime_latest": f"CAST(max({FIELDS['etime']}) AS TIMESTAMPTZ)",
}  # fmt: skip
"""The SQL of each value that flows can be counted by."""

ADDED = ("records", "packets", "bytes")
"""Values that add up over groups."""

TOTALS: dict[str, str] = {
    "sip_first_8": "_octets(src, 1)", "sip_first_16": "_octets(src, 2)", "sip_first_24": "_octets(src, 3)",
    "dip_first_8": "_octets(dst, 1)", "dip_first_16": "_octets(dst, 2)", "dip_first_24": "_octets(dst, 3)",
    "sport": "src_port", "dport": "dst_port", "protocol": "proto", "packets": "packets", "bytes": "bytes",
    "duration": "CAST(floor(coalesce(duration, 0)) AS BIGINT)",
}  # fmt: skip
"""What rwtotal counts by. Beginnings of addresses are those of IPv4; IPv6 is NULL."""

_OCTETS = (
    "CREATE TEMP MACRO _octets(address, n) AS CASE WHEN NOT contains(address, ':') "
    "THEN array_to_string(list_slice(string_split(address, '.'), 1, n), '.') END"
)
SCHEMES = range(7)


def cut(connection: duckdb.DuckDBPyConnection, fields: tuple[str, ...], order: str, limit: int | None) -> pyarrow.Table:
    """Rows with some fields, in order; times are in UTC, flags are letters."""
    columns = ", ".join(f"{_shown(name)} AS {name}" for name in fields)
    most = "" if limit is None else f" LIMIT {int(limit)}"
    return connection.sql(f"SELECT {columns} FROM flows ORDER BY {order}{most}").to_arrow_table()  # noqa: S608 -- ours


def _shown(name: str) -> str:
    if name in ("stime", "etime"):
        return f"CAST({FIELDS[name]} AS TIMESTAMPTZ)"
    if name == "flags":
        letters = " || ".join(
            f"CASE WHEN flags & {1 << place} > 0 THEN '{letter}' ELSE '' END" for place, letter in enumerate("FSRPAUEC")
        )
        return f"CASE WHEN flags IS NOT NULL THEN {letters} END"
    return FIELDS[name]


def count(connection: duckdb.DuckDBPyConnection, width: int, scheme: int) -> pyarrow.Table:
    """Records, bytes and packets of each bin from the first to the last that has any.

    Columns: date (when the bin begins), records, bytes, packets; these are fractions where a flow is spread.

    Args:
        connection: with the view ``flows``.
        width: of a bin, in seconds; bins are at whole multiples of it.
        scheme: how a flow that touches several bins is spread: 0 evenly over all of them; 1 in the first; 2 in the
            last; 3 in that of its middle; 4 in proportion to the time it spends in each; 5 all of it in each; 6 all of
            it, and only if there is one.

    Raises:
        ParameterError: there would be too many bins.
    """
    micros = width * 10**6
    query = _SPIKES.get(scheme) or _COUNT.replace("{loads}", _LOADS.get(scheme, ""))
    found = connection.sql(query.format(micros=micros, start=_START, end=_END, spread=_SPREAD)).to_arrow_table()
    return _filled(connection, found, micros)


def _filled(connection: duckdb.DuckDBPyConnection, found: pyarrow.Table, micros: int) -> pyarrow.Table:
    """The bins from the first to the last, those without flows as well."""
    connection.register("found", found)
    ((first, last),) = connection.execute("SELECT min(low), max(high) FROM found").fetchall()
    if first is not None and last - first >= MOST_BINS:
        raise ParameterError(
            f"{last - first + 1} bins of {micros // 10**6} s: at most {MOST_BINS} expected; use wider ones"
        )
    span = f"range({first}, {last + 1})" if first is not None else "range(0, 0)"
    return connection.sql(
        f"SELECT CAST(make_timestamp(range * {micros}) AS TIMESTAMPTZ) AS date, "  # noqa: S608 -- numbers
        "CAST(coalesce(records, 0) AS DOUBLE) AS records, CAST(coalesce(bytes, 0) AS DOUBLE) AS bytes, "
        f"CAST(coalesce(packets, 0) AS DOUBLE) AS packets FROM {span} LEFT JOIN found ON bin = range ORDER BY range"
    ).to_arrow_table()


_START = "epoch_us(ts)"
_END = "(epoch_us(ts) + CAST(round(coalesce(duration, 0) * 1000000) AS BIGINT))"
_SPIKE = """
SELECT {where} AS bin, count(*) AS records, sum(bytes) AS bytes, sum(packets) AS packets,
       min({{start}}) // {{micros}} AS low, max({{end}}) // {{micros}} AS high
FROM flows GROUP BY bin
"""
_SPIKES = {
    1: _SPIKE.format(where="{start} // {micros}"),
    2: _SPIKE.format(where="{end} // {micros}"),
    3: _SPIKE.format(where="(({start} + {end}) // 2) // {micros}"),
}
"""Schemes by which all of a flow is in one bin: one pass, and no flow is taken apart."""

_SPREAD = "unnest(range(lo, hi + 1)) AS bin"
_LOADS = {
    0: "SELECT {spread}, bytes, packets, 1.0 / (hi - lo + 1) AS load FROM spans",
    4: "SELECT bin, bytes, packets, CASE WHEN e = s THEN 1.0 ELSE "
       "CAST(least(e, (bin + 1) * {micros}) - greatest(s, bin * {micros}) AS DOUBLE) / (e - s) END AS load "
       "FROM (SELECT *, {spread} FROM spans)",
    5: "SELECT {spread}, bytes, packets, 1.0 AS load FROM spans",
    6: "SELECT lo AS bin, bytes, packets, 1.0 AS load FROM spans WHERE lo = hi",
}  # fmt: skip
_COUNT = """
WITH spans AS (
    SELECT s, e, s // {micros} AS lo, e // {micros} AS hi, bytes, packets
    FROM (SELECT {start} AS s, {end} AS e, bytes, packets FROM flows)
), loads AS ({loads}
), sums AS (SELECT bin, sum(load) AS records, sum(bytes * load) AS bytes, sum(packets * load) AS packets
    FROM loads GROUP BY bin
), ends AS (SELECT min(lo) AS low, max(hi) AS high FROM spans)
SELECT * FROM ends LEFT JOIN sums ON true WHERE low IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Groups whose ``value`` is not within these bounds are left out."""

    value: str
    least: int
    most: int

    def sql(self) -> str:
        """The SQL condition."""
        return f"{VALUES[self.value]} BETWEEN {self.least} AND {self.most}"


def unique(
    connection: duckdb.DuckDBPyConnection,
    fields: tuple[str, ...],
    values: tuple[str, ...],
    thresholds: tuple[Threshold, ...],
) -> pyarrow.Table:
    """One row for each combination of the fields, with values; in order of the fields."""
    keys = ", ".join(f"{FIELDS[name]} AS {name}" for name in fields)
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in values)
    having = " AND ".join(each.sql() for each in thresholds) or "true"
    query = (
        f"SELECT {keys}, {sums} FROM flows GROUP BY {', '.join(FIELDS[name] for name in fields)} HAVING {having} "  # noqa: S608 -- ours
        f"ORDER BY {', '.join(f'{name} NULLS LAST' for name in fields)}"
    )
    return connection.sql(query).to_arrow_table()


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of a ranking is given: so many rows, those of at least a value, or of at least a share in percent."""

    count: int | None = None
    threshold: int | None = None
    percentage: float | None = None


def stats(
    connection: duckdb.DuckDBPyConnection,
    fields: tuple[str, ...],
    values: tuple[str, ...],
    cut: Cut,
    bottom: bool,
) -> pyarrow.Table:
    """The combinations with the most (or least) of the first value, each with its share and the sum of shares so far.

    Columns: the fields, the values, percentage (of the first value over all flows) and cumulative, both in percent.
    Equal ones are in order of the fields.
    """
    primary, direction = values[0], "ASC" if bottom else "DESC"
    keys = ", ".join(f"{FIELDS[name]} AS {name}" for name in fields)
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in values)
    ties = ", ".join(f"{name} NULLS LAST" for name in fields)
    test = {"count": f"place <= {cut.count}", "threshold": f"{primary} {'<=' if bottom else '>='} {cut.threshold}"}
    which = "count" if cut.count is not None else "threshold" if cut.threshold is not None else "percentage"
    share = f"percentage {'<=' if bottom else '>='} {cut.percentage}"
    groups = f"SELECT {keys}, {sums} FROM flows GROUP BY {', '.join(FIELDS[name] for name in fields)}"  # noqa: S608 -- ours
    # What adds up is added up once more; how many are distinct has to be counted anew.
    whole = f"sum({primary}) OVER ()" if primary in ADDED else f"(SELECT {VALUES[primary]} FROM flows)"  # noqa: S608 -- ours
    query = f"""
        WITH groups AS ({groups}),
        ranked AS (SELECT *, coalesce(100.0 * {primary} / nullif({whole}, 0), 0.0) AS percentage,
            row_number() OVER (ORDER BY {primary} {direction}, {ties}) AS place FROM groups)
        SELECT * EXCLUDE (place), sum(percentage) OVER (ORDER BY place) AS cumulative FROM ranked
        WHERE {test.get(which, share)} ORDER BY place
    """  # noqa: S608 -- all from our tables and numbers
    return connection.sql(query).to_arrow_table()


def total(connection: duckdb.DuckDBPyConnection, key: str) -> pyarrow.Table:
    """Records, bytes and packets of each value of one key, in its order; columns key, records, bytes, packets."""
    connection.execute(_OCTETS)
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in ("records", "bytes", "packets"))
    query = f"SELECT {TOTALS[key]} AS key, {sums}"
    return connection.sql(f"{query} FROM flows GROUP BY key ORDER BY key NULLS LAST").to_arrow_table()


def addresses(connection: duckdb.DuckDBPyConnection, ends: tuple[str, ...]) -> list[str]:
    """The distinct addresses at these ends of flows, ``src`` and ``dst``, that are ones."""
    parts = " UNION ".join(f"SELECT {end} AS address FROM flows WHERE {end}_high IS NOT NULL" for end in ends)  # noqa: S608 -- ours
    return [str(row[0]) for row in connection.execute(f"{parts} ORDER BY address").fetchall()]

"""What SiLK's tools rwcut, rwuniq, rwstats, rwtotal and rwset give, as SQL over the view ``flows``.

Nothing here knows of caches. The meaning of options is that of SiLK's manual; a flow here may count both directions, as
its source has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.model.ranges import Ranges
from rave_flow.sql.literals import literal
from rave_flow.sql.silk_fields import ADDED, OCTETS, TOTALS, VALUES, binned, shown

if TYPE_CHECKING:
    import duckdb
    import pyarrow


def cut(connection: duckdb.DuckDBPyConnection, fields: tuple[str, ...], order: str, limit: int | None) -> pyarrow.Table:
    """Rows with some fields, in order; times are in UTC, flags are letters."""
    columns = ", ".join(f"{shown(name)} AS {name}" for name in fields)
    most = "" if limit is None else f" LIMIT {literal(limit)}"
    return connection.sql(f"SELECT {columns} FROM flows ORDER BY {order}{most}").to_arrow_table()  # noqa: S608  # ours


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rwuniq and rwstats group flows by, and count of each group.

    Attributes:
        fields: the key.
        values: what is counted.
        bin_seconds: how wide the bins of times among the fields are; ``None`` for the times themselves.
    """

    fields: tuple[str, ...]
    values: tuple[str, ...]
    bin_seconds: int | None = None

    def sql(self) -> str:
        """The groups as a query, without an order."""
        keys = ", ".join(f"{self._key(name)} AS {name}" for name in self.fields)
        sums = ", ".join(f"{VALUES[name]} AS {name}" for name in self.values)
        return f"SELECT {keys}, {sums} FROM flows GROUP BY {', '.join(map(self._key, self.fields))}"  # noqa: S608  # ours

    def _key(self, name: str) -> str:
        return binned(name, self.bin_seconds)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Groups whose ``value`` is in none of the ranges are left out."""

    value: str
    ranges: Ranges

    def sql(self) -> str:
        """The SQL condition."""
        tests = [f"{VALUES[self.value]} BETWEEN {literal(low)} AND {literal(high)}" for low, high in self.ranges]
        return f"({' OR '.join(tests)})"


def unique(
    connection: duckdb.DuckDBPyConnection, grouping: Grouping, thresholds: tuple[Threshold, ...]
) -> pyarrow.Table:
    """One row for each combination of the fields, with values; in order of the fields."""
    having = " AND ".join(each.sql() for each in thresholds) or "true"
    order = ", ".join(f"{name} NULLS LAST" for name in grouping.fields)
    return connection.sql(f"{grouping.sql()} HAVING {having} ORDER BY {order}").to_arrow_table()


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of a ranking is given: so many rows, those of at least a value, or of at least a share in percent."""

    count: int | None = None
    threshold: int | None = None
    percentage: float | None = None

    def sql(self, primary: str, bottom: bool) -> str:
        """The SQL condition on rows with ``place``, ``percentage`` and the primary value."""
        compares = "<=" if bottom else ">="
        if self.count is not None:
            return f"place <= {literal(self.count)}"
        if self.threshold is not None:
            return f"{primary} {compares} {literal(self.threshold)}"
        assert self.percentage is not None
        return f"percentage {compares} {literal(self.percentage)}"


def stats(connection: duckdb.DuckDBPyConnection, grouping: Grouping, cut: Cut, bottom: bool) -> pyarrow.Table:
    """The combinations with the most (or least) of the first value, each with its share and the sum of shares so far.

    Columns: the fields, the values, percentage (of the first value over all flows) and cumulative, both in percent.
    Equal ones are in order of the fields.
    """
    primary, direction = grouping.values[0], "ASC" if bottom else "DESC"
    ties = ", ".join(f"{name} NULLS LAST" for name in grouping.fields)
    # What adds up is added up once more; how many are distinct has to be counted anew.
    whole = f"sum({primary}) OVER ()" if primary in ADDED else f"(SELECT {VALUES[primary]} FROM flows)"  # noqa: S608  # ours
    query = f"""
        WITH groups AS ({grouping.sql()}),
        ranked AS (SELECT *, coalesce(100.0 * {primary} / nullif({whole}, 0), 0.0) AS percentage,
            row_number() OVER (ORDER BY {primary} {direction}, {ties}) AS place FROM groups)
        SELECT * EXCLUDE (place), sum(percentage) OVER (ORDER BY place) AS cumulative FROM ranked
        WHERE {cut.sql(primary, bottom)} ORDER BY place
    """  # noqa: S608  # all from our tables and literals
    return connection.sql(query).to_arrow_table()


def total(connection: duckdb.DuckDBPyConnection, key: str) -> pyarrow.Table:
    """Records, bytes and packets of each value of one key, in its order; columns key, records, bytes, packets."""
    connection.execute(OCTETS)
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in ("records", "bytes", "packets"))
    query = f"SELECT {TOTALS[key]} AS key, {sums}"
    return connection.sql(f"{query} FROM flows GROUP BY key ORDER BY key NULLS LAST").to_arrow_table()


def addresses(connection: duckdb.DuckDBPyConnection, ends: tuple[str, ...]) -> list[str]:
    """The distinct addresses at these ends of flows, ``src`` and ``dst``, that are ones."""
    parts = " UNION ".join(f"SELECT {end} AS address FROM flows WHERE {end}_high IS NOT NULL" for end in ends)  # noqa: S608  # ours
    return [str(row[0]) for row in connection.execute(f"{parts} ORDER BY address").fetchall()]

"""What SiLK's tools rwcut, rwuniq, rwstats, rwtotal and rwset give, as SQL over the view ``flows``.

Nothing here knows about caches. The meaning of options is that of SiLK's manual; a flow here may count both directions,
as its source has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.model.address_numbers import texts_of
from rave_flow.model.ranges import Ranges
from rave_flow.sql.literals import literal
from rave_flow.sql.silk_fields import ADDED, NUMBERED, OCTETS, TOTALS, VALUES, binned, named_as, shown

if TYPE_CHECKING:
    import duckdb
    import pyarrow


def cut(connection: duckdb.DuckDBPyConnection, fields: tuple[str, ...], order: str, limit: int | None) -> pyarrow.Table:
    """Rows with some fields, in order; times are in UTC, flags are letters."""
    columns = ", ".join(f"{shown(name)} AS {named_as(name)}" for name in fields)
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
        """The groups as a query, without an order. Addresses are numbers, which takes less time than their texts."""
        keys = ", ".join(f"{column} AS {name}" for name, column in self._keys.items())
        sums = ", ".join(f"{VALUES[name]} AS {name}" for name in self.values)
        return f"SELECT {keys}, {sums} FROM flows GROUP BY {', '.join(self._keys.values())}"  # noqa: S608  # ours

    @property
    def order(self) -> str:
        """The SQL to sort groups by their key: addresses by their numbers."""
        return ", ".join(f"{name} NULLS LAST" for name in self._keys)

    def shown(self, groups: pyarrow.Table) -> pyarrow.Table:
        """Rows of `sql` and more columns, with addresses as texts."""
        for name in self.fields:
            if name in NUMBERED:
                halves = [_half(column) for column in NUMBERED[name]]
                place = groups.column_names.index(halves[0])
                texts = texts_of(*(groups[half].combine_chunks() for half in halves))
                groups = groups.drop_columns(halves).add_column(place, name, texts)
        return groups

    @property
    def _keys(self) -> dict[str, str]:
        """The SQL to group by, by the name of its column."""
        found: dict[str, str] = {}
        for name in self.fields:
            halves = NUMBERED.get(name)
            found |= {_half(column): column for column in halves or ()}
            found |= {} if halves else {named_as(name): binned(name, self.bin_seconds)}
        return found


def _half(column: str) -> str:
    return f"_{column}"


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
    query = f"SELECT * FROM ({grouping.sql()} HAVING {having}) ORDER BY {grouping.order}"  # noqa: S608  # ours
    return grouping.shown(connection.sql(query).to_arrow_table())


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of a ranking to return: a number of rows, or those with at least a value or a share in percent."""

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
    # Sums are summed once more; distinct values need a new count.
    whole = f"sum({primary}) OVER ()" if primary in ADDED else f"(SELECT {VALUES[primary]} FROM flows)"  # noqa: S608  # ours
    query = f"""
        WITH groups AS ({grouping.sql()}),
        ranked AS (SELECT *, coalesce(100.0 * {primary} / nullif({whole}, 0), 0.0) AS percentage,
            row_number() OVER (ORDER BY {primary} {direction}, {grouping.order}) AS place FROM groups)
        SELECT * EXCLUDE (place), sum(percentage) OVER (ORDER BY place) AS cumulative FROM ranked
        WHERE {cut.sql(primary, bottom)} ORDER BY place
    """  # noqa: S608  # all from our tables and literals
    return grouping.shown(connection.sql(query).to_arrow_table())


def total(connection: duckdb.DuckDBPyConnection, key: str) -> pyarrow.Table:
    """Records, bytes and packets of each value of one key, in its order; columns key, records, bytes, packets."""
    connection.execute(OCTETS)
    sums = ", ".join(f"{VALUES[name]} AS {name}" for name in ("records", "bytes", "packets"))
    query = f"SELECT {TOTALS[key]} AS key, {sums}"
    return connection.sql(f"{query} FROM flows GROUP BY key ORDER BY key NULLS LAST").to_arrow_table()


def addresses(connection: duckdb.DuckDBPyConnection, ends: tuple[str, ...]) -> list[str]:
    """The distinct addresses at these ends of flows, ``src`` and ``dst``, that are ones, in order of their numbers."""
    parts = [
        f"SELECT {end} AS address, {end}_high AS high, {end}_low AS low FROM flows WHERE {end}_high IS NOT NULL"  # noqa: S608  # ours
        for end in ends
    ]
    query = f"SELECT address FROM ({' UNION '.join(parts)}) ORDER BY high, low, address"  # noqa: S608  # ours
    return [str(row[0]) for row in connection.execute(query).fetchall()]

"""References to flows: which files, which window, which filters, in which order.

A reference is a small immutable value. Each tool takes some and gives another, so a chain of tools becomes one SQL
query over Parquet when its rows are asked for; before that no flow is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rave_core import op
from rave_flow.model.duckdb_connection import asking
from rave_flow.model.left_out import LeftOut, merged
from rave_flow.model.windows import Window
from rave_flow.sql import silk_tools
from rave_flow.sql.aggregates import bounds
from rave_flow.sql.conditions import Condition
from rave_flow.sql.extra_fields import ExtraField, check_there
from rave_flow.sql.literals import literal
from rave_flow.sql.map_fields import MapField, with_labels
from rave_flow.sql.relations import extras_in, relation
from rave_flow.sql.silk_fields import FIELDS
from rave_flow.steps import Slice, parquet_of

if TYPE_CHECKING:
    import duckdb
    import pandas
    import pyarrow


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that must all hold; or, where ``passes`` is false, of which one does not."""

    conditions: tuple[Condition, ...]
    passes: bool = True

    def sql(self, source: str) -> str:
        """The SQL condition on flows of the relation ``source``. A flow that lacks a column fails."""
        every = " AND ".join(condition.sql(source) for condition in self.conditions) or "true"
        test = f"coalesce({every}, false)"
        return test if self.passes else f"NOT {test}"


@dataclass(frozen=True, slots=True)
class Sameness:
    """How to recognize duplicate flows.

    Attributes:
        columns: whose values are equal.
        within: how many microseconds after the one before a duplicate starts, at most; ``None`` for at any time.
    """

    columns: tuple[str, ...]
    within: int | None = None

    def sql(self) -> str:
        """The SQL condition, for ``QUALIFY``, that a flow is the first of those that are the same."""
        order = ", ".join(["ts", *(column for column in TIES if column != "ts")])
        window = f"(PARTITION BY {', '.join(self.columns) or '1'} ORDER BY {order})"
        if self.within is None:
            return f"row_number() OVER {window} = 1"
        since = f"(epoch_us(ts) - lag(epoch_us(ts)) OVER {window})"
        return f"coalesce({since} > {literal(self.within)}, true)"


@dataclass(frozen=True, slots=True)
class Flows:
    """Some flows.

    Attributes:
        slices: the files' parts that hold them; they count by content.
        window: of the starts of the flows.
        filters: in the order in which they were applied.
        order: columns to sort by, and whether the largest come first. Without one the order is by time, then by all
            columns, so it is the same every time.
        parts: references whose flows come one after the other in place of ``slices``.
        labels: fields that prefix maps give.
        extras: fields that are columns of the source's own.
        distinct: how to recognize duplicates; ``None`` if all flows count.
        left_out: what is missing from them, for each selection of files that they come from; it does not count.
    """

    slices: tuple[Slice, ...] = ()
    window: Window = field(default_factory=Window)
    filters: tuple[Filter, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    parts: tuple[Flows, ...] = ()
    labels: tuple[MapField, ...] = ()
    extras: tuple[ExtraField, ...] = ()
    distinct: Sameness | None = None
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)

    def __rave_key__(self) -> object:
        """What represents them in a key."""
        return self.slices, self.window, self.filters, self.order, self.parts, self.labels, self.extras, self.distinct

    def filtered(self, conditions: tuple[Condition, ...], *, passes: bool = True) -> Flows:
        """Those for which all conditions hold, or do not."""
        chosen = Flows(parts=(self,), order=self.order, left_out=self.left_out) if self.distinct is not None else self
        return replace(chosen, filters=(*chosen.filters, Filter(conditions, passes)))

    def deduplicated(self, distinct: Sameness) -> Flows:
        """Only the first of equal flows."""
        return Flows(parts=(self,), order=self.order, distinct=distinct, left_out=self.left_out)

    def labelled(self, fields: tuple[str, ...]) -> Flows:
        """The same, with columns for those of ``fields`` that prefix maps or the source's files give."""
        labels = tuple(field for field in fields if isinstance(field, MapField) and field not in self.labels)
        extras = tuple(field for field in fields if isinstance(field, ExtraField) and field not in self.extras)
        if not labels and not extras:
            return self
        return replace(self, labels=(*self.labels, *labels), extras=(*self.extras, *extras))

    def _all_labels(self) -> tuple[MapField, ...]:
        inner = [field for part in self.parts for field in part._all_labels()]
        return tuple(dict.fromkeys([*self.labels, *inner]))

    def _all_extras(self) -> tuple[ExtraField, ...]:
        inner = [field for part in self.parts for field in part._all_extras()]
        return tuple(dict.fromkeys([*self.extras, *inner]))

    def _tested(self) -> tuple[str, ...]:
        """The stored columns of the source's own that conditions look at."""
        own = [column for each in self.filters for condition in each.conditions for column in condition.extras]
        return tuple(dict.fromkeys([*own, *(column for part in self.parts for column in part._tested())]))

    def _stored(self) -> set[str]:
        """The columns of the source's own that some of their files have."""
        return extras_in(parquet_of(self.slices)).union(*(part._stored() for part in self.parts))

    def ordered(self, columns: tuple[str, ...], *, reverse: bool) -> Flows:
        """The same, in another order; among equals the one that was."""
        return replace(self, order=(*((column, reverse) for column in columns), *self.order))

    def get_data(self) -> pyarrow.Table:
        """All of them as a table, in order, kept like the result of every operation; see `rave_flow.silk.rwcut`."""
        return self.to_arrow()

    def to_arrow(self, *, limit: int | None = None) -> pyarrow.Table:
        """The same, or the first ``limit``."""
        return noted(rows(self, CUT_FIELDS, limit), self)

    def to_pandas(self, *, limit: int | None = None) -> pandas.DataFrame:
        """The same, as a pandas DataFrame. Needs pandas."""
        return self.to_arrow(limit=limit).to_pandas()

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with a view ``flows`` of them."""
        with asking() as connection:
            self.create(connection, "flows")
            yield connection

    def create(self, connection: duckdb.DuckDBPyConnection, view: str) -> None:
        """Makes a view of them on a connection.

        Raises:
            ParameterError: no file has a column that is asked for.
        """
        labels, extras = self._all_labels(), self._all_extras()
        if extras and (self.slices or self.parts):
            check_there(extras, self._stored(), FIELDS)
        plain = f"{view}_plain" if labels else view
        columns = dict.fromkeys([*(field.column for field in extras), *self._tested()])
        connection.execute(f"CREATE TEMP VIEW {plain} AS {self._sql(tuple(columns))}")
        if labels:
            connection.execute(f"CREATE TEMP VIEW {view} AS {with_labels(plain, labels)}")

    def order_sql(self) -> str:
        """The SQL to sort by."""
        named = [f"{column} {'DESC' if reverse else 'ASC'} NULLS LAST" for column, reverse in self.order]
        return ", ".join([*named, *TIES])

    def _sql(self, extras: Sequence[str]) -> str:
        bounded: list[str] = []
        if self.parts:
            source = "(" + " UNION ALL ".join(f"({part._sql(extras)})" for part in self.parts) + ")"
        else:
            source = relation(parquet_of(self.slices), extras)
            bounded = bounds(self.window) if self.slices else []
        tests = [*bounded, *(each.sql(source) for each in self.filters)] or ["true"]
        first = f" QUALIFY {self.distinct.sql()}" if self.distinct is not None else ""
        return f"SELECT * FROM {source} WHERE {' AND '.join(tests)}{first}"  # noqa: S608  # numbers and quoted names


CUT_FIELDS = ("sip", "dip", "sport", "dport", "protocol", "packets", "bytes", "flags", "stime", "duration", "etime")
"""What `rave_flow.silk.rwcut` shows by default."""

TIES = ("ts", "src", "dst", "src_port", "dst_port", "proto", "bytes", "packets", "duration")


def reference_of(value: Any) -> Flows:
    """The reference that a tool got.

    Raises:
        TypeError: it is not a reference.
    """
    if not isinstance(value, Flows):
        raise TypeError("expected a reference to flows, as rwfilter returns it")
    return value


def noted(table: pyarrow.Table, flows: Flows) -> pyarrow.Table:
    """``table``, whose metadata say what is missing from the flows that it is about."""
    own = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
    told = LeftOut.from_metadata(own) + merged(flows.left_out)
    return table.replace_schema_metadata(own | told.metadata())


@op
def rows(flows: Flows, fields: tuple[str, ...], limit: int | None) -> pyarrow.Table:
    """See `rave_flow.sql.silk_tools.cut`."""
    with flows.labelled(fields).opened() as connection:
        return silk_tools.cut(connection, fields, flows.order_sql(), limit)

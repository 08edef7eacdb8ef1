"""The rows of a table that a query wants, by Arrow. Only this module computes with them; it needs pyarrow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache

from rave_http.protocol.problems import Problem
from rave_http.representation.columns import plain_column
from rave_http.representation.row_order import RowOrder
from rave_http.representation.table_query import Condition, TableQuery

MOST_SORTED: Final = 10_000_000
"""Rows that are sorted as a whole at most; a page of them needs no such sort."""
MOST_VALUES: Final = 20
"""Values that are counted for a column, the most frequent ones."""
_BLOCK: Final = 10_000
"""Ranks that are found at once: a hundred pages."""
_KEPT_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True)
class Matching:
    """The rows of a table that a query wants.

    Attributes:
        table: with the wanted columns, and all its rows.
        places: of the wanted rows, in order or, if there is an ``order``, as they are in the table; an Arrow array;
            ``None`` for all.
        counts: the most frequent values of the facet among the wanted rows, and how often each occurs.
        order: finds the rows of some ranks; ``None`` if the rows stand in their order.
    """

    table: Any
    places: Any = None
    counts: tuple[tuple[Any, int], ...] = ()
    order: KeptOrder | None = None

    @property
    def total(self) -> int:
        """How many rows are wanted."""
        return len(self.table) if self.places is None else len(self.places)

    def part(self, start: int, count: int) -> Any:
        """Up to ``count`` wanted rows from the one at ``start`` on, as an Arrow table."""
        if self.order is not None:
            return self.table.take(self.order.places(start, min(self.total, start + count)))
        if self.places is None:
            return self.table.slice(start, count)
        return self.table.take(self.places.slice(start, count))

    def in_order(self) -> Matching:
        """The same, for whoever reads all rows: sorted at once.

        Raises:
            Problem: there are too many rows to sort.
        """
        return self if self.order is None else replace(self, places=self.order.all(), order=None)


class KeptOrder:
    """An order whose parts are found when they are wanted, and then kept."""

    def __init__(self, order: RowOrder, keep: Callable[[Any, Callable[[], Any]], Any]) -> None:
        """Asks ``keep`` for what is kept under a name; it makes what is not."""
        self._order = order
        self._keep = keep

    def places(self, start: int, stop: int) -> Any:
        """The places in the table of the rows from one rank up to another, which is excluded, as an Arrow array."""
        import pyarrow

        first = start // _BLOCK
        blocks = [self._block(at) for at in range(first, max(first + 1, -(-stop // _BLOCK)))]
        return pyarrow.concat_arrays(blocks).slice(start - first * _BLOCK, max(0, stop - start))

    def all(self) -> Any:
        """The places of all rows, as an Arrow array.

        Raises:
            Problem: there are too many.
        """
        count = len(self._order)
        if count > MOST_SORTED:
            raise _misfit(f"{count:,} rows are too many to sort: {MOST_SORTED:,} at most; add conditions", "sort")
        return self._keep("all", lambda: self._order.places(0, count))

    def _block(self, at: int) -> Any:
        return self._keep(at, lambda: self._order.places(at * _BLOCK, (at + 1) * _BLOCK))


class TableRows:
    """Finds rows, and remembers what it found of recent queries: the next page needs the same. Safe for threads."""

    def __init__(self) -> None:
        self._kept: LRUCache[tuple[Any, ...], Any] = LRUCache(_KEPT_BYTES, getsizeof=_bytes)
        self._lock = Lock()

    def find(self, table: Any, query: TableQuery, *, digest: str = "") -> Matching:
        """The rows of a table that a query wants. It computes for as long as that takes.

        Args:
            table: of Arrow.
            query: what is wanted of it.
            digest: of the table; equal ones have equal rows. Empty if unknown.

        Raises:
            Problem: a value of a condition does not fit its column, or a column has no order.
        """
        places = self._keep((digest, query.where), lambda: _filtered(table, query)) if query.where else None
        return Matching(
            table if query.columns is None else table.select(list(query.columns)),
            places,
            () if query.facet is None else self._counts(table, query, query.facet, places, digest),
            self._order(table, query, places, digest) if query.sort else None,
        )

    def _order(self, table: Any, query: TableQuery, places: Any, digest: str) -> KeptOrder:
        import pyarrow

        try:
            order = RowOrder(table, query.sort, places)
        except (pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:  # by the type of the column
            raise _misfit("columns of lists and structures have no order", "sort") from error
        return KeptOrder(order, lambda name, make: self._keep((digest, query.where, query.sort, name), make))

    def _counts(
        self, table: Any, query: TableQuery, facet: int, places: Any, digest: str
    ) -> tuple[tuple[Any, int], ...]:
        found = self._keep((digest, query.where, facet), lambda: _counted(table.column(facet), places))
        return tuple((each["values"], each["counts"]) for each in found.to_pylist())

    def _keep(self, place: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What is kept under a place, whose first part is the digest of the table; else it is made."""
        with self._lock:
            known = self._kept.get(place) if place[0] else None
        if known is not None:
            return known
        found = make()
        if place[0] and found.nbytes <= _KEPT_BYTES // 2:
            with self._lock:
                self._kept[place] = found
        return found


def _bytes(found: Any) -> int:
    return int(found.nbytes)


def _filtered(table: Any, query: TableQuery) -> Any:
    """The places of the rows that fulfil all conditions, of which there is at least one."""
    import pyarrow
    import pyarrow.compute as pc

    mask = None
    for condition in query.where:
        holds = _mask(table.column(condition.column), condition)
        mask = holds if mask is None else pc.and_(mask, holds)
    found = pc.indices_nonzero(mask)
    return found.cast(pyarrow.uint32()) if len(table) < 1 << 32 else found


def _mask(column: Any, condition: Condition) -> Any:
    """Whether each value fulfils a condition. What is missing fulfils none, but ``!=`` and the empty ``=``."""
    import pyarrow.compute as pc

    column, operator = plain_column(column), condition.operator
    if operator == "~":
        return pc.fill_null(pc.match_substring(_texts(column), condition.text, ignore_case=True), False)
    if not condition.text and operator in ("=", "!="):
        empty = pc.is_null(column)
        if _is_text(column.type):
            empty = pc.or_(empty, pc.fill_null(pc.equal(column, ""), False))
        return empty if operator == "=" else pc.invert(empty)
    compare = {"=": pc.equal, "!=": pc.not_equal, "<": pc.less, "<=": pc.less_equal, ">": pc.greater}
    compared = compare.get(operator, pc.greater_equal)(column, _value(column.type, condition))
    return pc.fill_null(compared, operator == "!=")


def _is_text(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _texts(column: Any) -> Any:
    import pyarrow

    try:
        return column.cast(pyarrow.string())
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:  # bytes that are no text; a structure
        raise _misfit(f"'~' is for texts, not for a column of type {column.type}") from error


def _value(kind: Any, condition: Condition) -> Any:
    """The value that a condition compares with, in the type of its column."""
    import pyarrow

    try:
        if pyarrow.types.is_timestamp(kind) and kind.tz is None:
            return pyarrow.scalar(condition.text.removesuffix("Z")).cast(kind)
        if pyarrow.types.is_boolean(kind):
            return pyarrow.scalar({"true": True, "false": False}[condition.text.lower()])
        return pyarrow.scalar(_zoned(condition.text) if pyarrow.types.is_timestamp(kind) else condition.text).cast(kind)
    except (KeyError, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:  # a word; no such type of text
        detail = f"{condition.text[:80]!r} in {condition.written[:120]!r} is no value of a column of type {kind}"
        raise _misfit(detail) from error


def _zoned(text: str) -> str:
    """A time with its zone, which is UTC unless it says another."""
    clock = text.replace("T", " ").partition(" ")[2]
    return text if text.endswith("Z") or "+" in clock or "-" in clock else f"{text}Z"


def _counted(column: Any, places: Any) -> Any:
    """The most frequent values of a column among the rows at ``places``, and how often each occurs, by Arrow."""
    import pyarrow
    import pyarrow.compute as pc

    wanted = plain_column(column) if places is None else plain_column(column).take(places)
    try:
        found = pc.value_counts(wanted)
    except pyarrow.ArrowNotImplementedError as error:
        raise _misfit("columns of lists and structures can't be counted", "facet") from error
    return found.take(pc.sort_indices(found.field("counts"), sort_keys=[("", "descending")])[:MOST_VALUES])


def _misfit(detail: str, parameter: str = "where") -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": parameter, "detail": detail}])


def needs_arrow() -> Problem:
    """The problem where pyarrow is not installed."""
    return Problem("not-acceptable", "Rows are sorted, filtered and sent by pyarrow, which the service does not have")

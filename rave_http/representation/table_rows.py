"""The rows of a table that a query wants, by Arrow. Only this module computes with them; it needs pyarrow."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache

from rave_http.protocol.problems import Problem
from rave_http.representation.table_query import Condition, TableQuery

MOST_SORTED: Final = 10_000_000
"""Rows that are sorted at most; conditions make them fewer."""
MOST_VALUES: Final = 20
"""Values that are counted for a column, the most frequent ones."""
_ORDERS_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True)
class Matching:
    """The rows of a table that a query wants.

    Attributes:
        table: with the wanted columns, and all its rows.
        places: of the wanted rows, in order, as an Arrow array; ``None`` for all as they are.
        counts: the most frequent values of the facet among the wanted rows, and how often each occurs.
    """

    table: Any
    places: Any = None
    counts: tuple[tuple[Any, int], ...] = ()

    @property
    def total(self) -> int:
        """How many rows are wanted."""
        return len(self.table) if self.places is None else len(self.places)

    def part(self, start: int, count: int) -> Any:
        """Up to ``count`` wanted rows from the one at ``start`` on, as an Arrow table."""
        if self.places is None:
            return self.table.slice(start, count)
        return self.table.take(self.places.slice(start, count))


class TableRows:
    """Finds rows, and remembers recent orders: the next page needs the same. Safe for threads."""

    def __init__(self) -> None:
        self._orders: LRUCache[tuple[str, TableQuery], Any] = LRUCache(_ORDERS_BYTES, getsizeof=_bytes)
        self._lock = Lock()

    def find(self, table: Any, query: TableQuery, *, digest: str = "") -> Matching:
        """The rows of a table that a query wants. It computes for as long as that takes.

        Args:
            table: of Arrow.
            query: what is wanted of it.
            digest: of the table; equal ones have equal rows. Empty if unknown.

        Raises:
            Problem: a value of a condition does not fit its column, or there are too many rows to sort.
        """
        places = self._places(table, query, digest)
        counts: tuple[tuple[Any, int], ...] = ()
        if query.facet is not None:
            counts = _counts(table.column(query.facet), places)
        return Matching(table if query.columns is None else table.select(list(query.columns)), places, counts)

    def _places(self, table: Any, query: TableQuery, digest: str) -> Any:
        if not (query.where or query.sort):
            return None
        place = (digest, TableQuery(where=query.where, sort=query.sort))
        with self._lock:
            known = self._orders.get(place) if digest else None
        if known is not None:
            return known
        found = _sorted(table, query, _filtered(table, query))
        if digest and found.nbytes <= _ORDERS_BYTES // 2:
            with self._lock:
                self._orders[place] = found
        return found


def _bytes(places: Any) -> int:
    return int(places.nbytes)


def _filtered(table: Any, query: TableQuery) -> Any:
    """The places of the rows that fulfil all conditions; ``None`` for all."""
    import pyarrow.compute as pc

    mask = None
    for condition in query.where:
        holds = _mask(table.column(condition.column), condition)
        mask = holds if mask is None else pc.and_(mask, holds)
    if mask is None:
        return None
    import pyarrow

    found = pc.indices_nonzero(mask)
    return found.cast(pyarrow.uint32()) if len(table) < 1 << 32 else found


def _mask(column: Any, condition: Condition) -> Any:
    """Whether each value fulfils a condition. What is missing fulfils none, but ``!=`` and the empty ``=``."""
    import pyarrow.compute as pc

    column, operator = _plain(column), condition.operator
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


def _plain(column: Any) -> Any:
    import pyarrow

    return column.cast(column.type.value_type) if pyarrow.types.is_dictionary(column.type) else column


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


def _sorted(table: Any, query: TableQuery, places: Any) -> Any:
    if not query.sort:
        return places
    import pyarrow
    import pyarrow.compute as pc

    count = len(table) if places is None else len(places)
    if count > MOST_SORTED:
        raise _misfit(f"{count:,} rows are too many to sort: {MOST_SORTED:,} at most; add conditions", "sort")
    keys = {str(at): _plain(table.column(column)) for at, (column, _) in enumerate(query.sort)}
    keyed = pyarrow.table(keys) if places is None else pyarrow.table(keys).take(places)
    order = [(str(at), "descending" if is_down else "ascending") for at, (_, is_down) in enumerate(query.sort)]
    try:
        found = pc.sort_indices(keyed, sort_keys=order)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError, TypeError) as error:  # by the type of the column
        raise _misfit("columns of lists and structures have no order", "sort") from error
    return found.cast(pyarrow.uint32()) if places is None else places.take(found)


def _counts(column: Any, places: Any) -> tuple[tuple[Any, int], ...]:
    """The most frequent values of a column among the rows at ``places``, and how often each occurs."""
    import pyarrow
    import pyarrow.compute as pc

    wanted = _plain(column) if places is None else _plain(column).take(places)
    try:
        found = pc.value_counts(wanted)
    except pyarrow.ArrowNotImplementedError as error:
        raise _misfit("columns of lists and structures can't be counted", "facet") from error
    order = pc.sort_indices(found.field("counts"), sort_keys=[("", "descending")])[:MOST_VALUES]
    return tuple((each["values"], each["counts"]) for each in found.take(order).to_pylist())


def _misfit(detail: str, parameter: str = "where") -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": parameter, "detail": detail}])


def needs_arrow() -> Problem:
    """The problem where pyarrow is not installed."""
    return Problem("not-acceptable", "Rows are sorted, filtered and sent by pyarrow, which the service does not have")

"""The order of the rows of a table, found for a few ranks at a time. It needs pyarrow.

To sort ten million rows takes seconds, and a page shows a hundred. So the rows of some ranks are chosen first: a sample
of the column tells between which two values they lie, the rows before these are only counted, and the rows between
them are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rave_http.representation.columns import plain_column

_FEW: Final = 1 << 17
"""So many rows are sorted at once: choosing first would cost more."""
_SAMPLE: Final = 1 << 16
_MARGIN: Final = 512
"""How far the sample may be off: four standard deviations of a rank in it."""


class RowOrder:
    """Rows sorted by some columns; equal ones keep their order, and what is missing comes last. Safe for threads."""

    def __init__(self, table: Any, sort: Sequence[tuple[int, bool]], places: Any = None) -> None:
        """Sorts nothing yet.

        Args:
            table: of Arrow.
            sort: places of columns, and whether the largest comes first; the first one counts most.
            places: of the rows that are sorted, as an Arrow array; ``None`` for all.

        Raises:
            pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError: the values of a column have no order.
        """
        self._columns = [table.column(column) for column, _ in sort]
        self._are_down = [is_down for _, is_down in sort]
        self._places = places
        self._count = len(table) if places is None else len(places)
        _sorted([plain_column(column.slice(0, 0)) for column in self._columns], self._are_down)

    def __len__(self) -> int:
        """How many rows are sorted."""
        return self._count

    def places(self, start: int, stop: int) -> Any:
        """The places in the table of the rows from one rank up to another, which is excluded, as an Arrow array."""
        import pyarrow

        keys = [plain_column(column) for column in self._columns]
        if self._places is not None:
            keys = [key.take(self._places) for key in keys]
        found = _ranked(keys, self._are_down, min(start, self._count), min(stop, self._count))
        if self._places is not None:
            return self._places.take(found)
        return found.cast(pyarrow.uint32()) if self._count < 1 << 32 else found


def _ranked(keys: Sequence[Any], are_down: Sequence[bool], start: int, stop: int) -> Any:
    """The places of the rows from one rank up to another."""
    import pyarrow.compute as pc

    count = len(keys[0])
    bounds = [] if count <= _FEW or 4 * (stop - start) > count else _bounds(keys[0], are_down[0], start, stop)
    if not bounds:
        return _sorted(keys, are_down).slice(start, stop - start)
    found = []
    for mask, is_equal in _parts(keys[0], are_down[0], bounds):
        size = pc.sum(mask).as_py() or 0
        if start < size and stop > 0:
            rows = pc.indices_nonzero(mask)
            found.append(_within(rows, keys, are_down, is_equal, max(0, start), min(stop, size)))
        start, stop = start - size, stop - size
    return _joined(found)


def _within(rows: Any, keys: Sequence[Any], are_down: Sequence[bool], is_equal: bool, start: int, stop: int) -> Any:
    """The rows of some ranks among these, whose values of the first column are equal or not."""
    if is_equal and len(keys) == 1:
        return rows.slice(start, stop - start)
    skipped = 1 if is_equal else 0
    return rows.take(_ranked([key.take(rows) for key in keys[skipped:]], are_down[skipped:], start, stop))


def _parts(key: Any, is_down: bool, bounds: Sequence[Any]) -> Iterator[tuple[Any, bool]]:
    """Masks of the rows before, at and after each bound, in order, and whether their values are equal."""
    import pyarrow.compute as pc

    comes_before, rest = pc.greater if is_down else pc.less, None
    for bound in bounds:
        for compare, is_equal in ((comes_before, False), (pc.equal, True)):
            mask = pc.fill_null(compare(key, bound), False)
            yield mask if rest is None else pc.and_(rest, mask), is_equal
            rest = pc.invert(mask) if rest is None else pc.and_not(rest, mask)
    yield rest, False


def _bounds(key: Any, is_down: bool, start: int, stop: int) -> list[Any]:
    """One or two values that the rows of these ranks probably lie between; none if that can't be said."""
    import pyarrow
    import pyarrow.compute as pc

    sample = key.take(pyarrow.array(range(0, len(key), max(1, len(key) // _SAMPLE)), pyarrow.int64()))
    ordered = sample.take(_sorted([sample], [is_down]))
    ranks = (start * len(ordered) // len(key) - _MARGIN, stop * len(ordered) // len(key) + _MARGIN)
    found = [ordered[rank] for rank in ranks if 0 <= rank < len(ordered)]
    try:
        known = [each for each in found if pc.equal(each, each).as_py()]  # neither missing nor not a number
    except pyarrow.ArrowNotImplementedError:  # values with an order, but no comparison: of a structure
        return []
    return known[:1] if len(known) > 1 and known[0] == known[1] else known


def _sorted(keys: Sequence[Any], are_down: Sequence[bool]) -> Any:
    import pyarrow
    import pyarrow.compute as pc

    names = [str(at) for at in range(len(keys))]
    order = [(name, "descending" if is_down else "ascending") for name, is_down in zip(names, are_down, strict=True)]
    return pc.sort_indices(pyarrow.table(list(keys), names), sort_keys=order)


def _joined(found: Sequence[Any]) -> Any:
    import pyarrow

    return pyarrow.concat_arrays(found) if found else pyarrow.array([], pyarrow.uint64())

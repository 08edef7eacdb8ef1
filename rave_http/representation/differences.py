"""What differs between two values: rows of tables, or lines of texts and structures."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec

from rave_core.errors import nearest
from rave_core.rendering import is_table, plain, rows_of
from rave_http.protocol.problems import Problem

MOST_ROWS: Final = 200_000
"""Rows of two tables together that are compared."""
MOST_LINES: Final = 4000
"""Lines of two texts together that are compared."""
SHOWN: Final = 100
"""Rows of each kind that are told; all are counted."""

Row: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """How two tables differ in the columns that both have. Their order does not count.

    Attributes:
        columns: those columns.
        lost, new: the columns that only the first, and only the second has.
        by: the columns that identify a row; none if only whole rows are compared.
        same: how many rows are equal.
        removed, added, changed: how many rows only the first has, only the second has, and how many have the same
            values in ``by`` and others elsewhere.
        removed_rows, added_rows, changed_rows: the first `SHOWN` of them; of changed ones, how they were and are.
    """

    columns: Sequence[str]
    lost: Sequence[str]
    new: Sequence[str]
    by: Sequence[str]
    same: int
    removed: int
    added: int
    changed: int
    removed_rows: Sequence[Row]
    added_rows: Sequence[Row]
    changed_rows: Sequence[tuple[Row, Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between two values.

    Attributes:
        rows: of two tables; else ``None``.
        lines: of two texts or structures, as ``diff -u`` writes them; else ``None``.
        note: why neither is told; empty if one is.
    """

    rows: RowDifference | None = None
    lines: Sequence[str] | None = None
    note: str = ""


def difference_of(old: Any, new: Any, by: Sequence[str]) -> Difference:
    """What differs between two values. It may run code of their classes.

    Args:
        old, new: the values; not paths of files.
        by: the columns that identify a row of a table.

    Raises:
        Problem: the tables do not both have one of the columns ``by``, or the values are no tables.
        Exception: the code of a value failed.
    """
    if is_table(old) and is_table(new):
        if len(old) + len(new) > MOST_ROWS:
            return Difference(note=f"The tables have more than {MOST_ROWS:,} rows together, so they are not compared.")
        return Difference(rows=_of_rows(old, new, by))
    if by:
        raise _no_column(by[0], ())
    one, two = _lines(old), _lines(new)
    if one is None or two is None:
        return Difference(note="They have no text that could be compared.")
    if len(one) + len(two) > MOST_LINES:
        return Difference(note=f"They have more than {MOST_LINES:,} lines together, so they are not compared.")
    return Difference(lines=list(islice(difflib.unified_diff(one, two, lineterm="", n=3), 2, None)))


def _of_rows(old: Any, new: Any, by: Sequence[str]) -> RowDifference:
    one, two = rows_of(old, "json"), rows_of(new, "json")
    columns = [name for name in one.columns if name in two.columns]
    wrong = next((name for name in by if name not in columns), None)
    if wrong is not None:
        raise _no_column(wrong, columns)
    before, after = (_picked(each.columns, each.rows, columns) for each in (one, two))
    removed, added = _without(before, after), _without(after, before)
    same = len(before) - len(removed)
    removed, added, changed = _paired(removed, added, [columns.index(name) for name in by])
    return RowDifference(
        columns=columns,
        lost=[name for name in one.columns if name not in two.columns],
        new=[name for name in two.columns if name not in one.columns],
        by=by,
        same=same,
        removed=len(removed),
        added=len(added),
        changed=len(changed),
        removed_rows=removed[:SHOWN],
        added_rows=added[:SHOWN],
        changed_rows=changed[:SHOWN],
    )


def _picked(columns: Sequence[str], rows: Iterable[Sequence[Any]], wanted: Sequence[str]) -> list[Row]:
    places = [list(columns).index(name) for name in wanted]
    found = []
    for row in rows:
        values = list(row)
        found.append([plain(values[place]) for place in places])
    return found


def _without(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """The rows that ``others`` do not have, each as often as it is missing."""
    left = Counter(map(_mark, others))
    found = []
    for row in rows:
        mark = _mark(row)
        if left[mark] > 0:
            left[mark] -= 1
        else:
            found.append(row)
    return found


def _paired(
    removed: Sequence[Row], added: Sequence[Row], places: Sequence[int]
) -> tuple[list[Row], list[Row], list[tuple[Row, Row]]]:
    """Removed and added rows, and the pairs among them that have the same values at ``places``; without any, none."""
    if not places:
        return list(removed), list(added), []
    waiting: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for number, row in enumerate(removed):
        waiting[_mark([row[place] for place in places])].append(number)
    taken, new, changed = set(), [], []
    for row in added:
        numbers = waiting.get(_mark([row[place] for place in places]))
        if not numbers:
            new.append(row)
            continue
        number = numbers.popleft()
        taken.add(number)
        changed.append((removed[number], row))
    return [row for number, row in enumerate(removed) if number not in taken], new, changed


def _mark(row: Sequence[Any]) -> bytes:
    return msgspec.json.encode(row)


def _lines(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return None
    try:
        return msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode().splitlines()
    except (TypeError, RecursionError):
        return None


def _no_column(name: str, columns: Sequence[str]) -> Problem:
    told = nearest(name[:80], columns) if columns else "the results are not both tables"
    detail = f"by={name[:80]!r} is no column of both tables; {told}"
    return Problem("bad-arguments", detail, errors=[{"parameter": "by", "detail": detail}])

"""What differs between two results."""

from __future__ import annotations

from typing import Any

import pyarrow
import pytest

from rave_http.protocol.problems import Problem
from rave_http.representation.differences import MOST_LINES, MOST_ROWS, SHOWN, RowDifference, difference_of

OLD = [{"port": 22, "flows": 5}, {"port": 80, "flows": 7}, {"port": 80, "flows": 7}, {"port": 443, "flows": 1}]
NEW = [{"port": 443, "flows": 2}, {"port": 80, "flows": 7}, {"port": 53, "flows": 9}, {"port": 22, "flows": 5}]


def rows(old: Any, new: Any, *by: str) -> RowDifference:
    """The difference of two tables."""
    found = difference_of(old, new, by).rows
    assert found is not None
    return found


def test_rows_are_compared_whatever_their_order() -> None:
    """A row counts as often as it is there."""
    found = rows(OLD, NEW)
    assert (found.same, found.removed, found.added, found.changed) == (2, 2, 2, 0)
    assert list(found.removed_rows) == [[80, 7], [443, 1]]
    assert list(found.added_rows) == [[443, 2], [53, 9]]


def test_columns_that_identify_a_row_tell_what_changed() -> None:
    """What has no counterpart is added or removed."""
    found = rows(OLD, NEW, "port")
    assert list(found.changed_rows) == [([443, 1], [443, 2])]
    assert (found.removed_rows, found.added_rows) == ([[80, 7]], [[53, 9]])


def test_only_columns_of_both_are_compared() -> None:
    """The others are named."""
    found = rows([{"a": 1, "b": 2}], [{"c": 3, "a": 1}])
    assert (found.same, found.columns, found.lost, found.new) == (1, ["a"], ["b"], ["c"])


def test_tables_of_arrow_are_compared_with_lists() -> None:
    """By their values; a whole number differs from one with a point no more than in JSON."""
    found = rows(pyarrow.table({"n": [1, 2, None]}), [{"n": 2}, {"n": None}, {"n": 1}])
    assert (found.same, found.removed, found.added) == (3, 0, 0)


def test_texts_and_structures_are_compared_by_lines() -> None:
    """As diff writes them, with three lines around."""
    assert difference_of("a\nb", "a\nc", ()).lines == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    lines = difference_of({"n": 1, "m": [1]}, {"n": 2, "m": [1]}, ()).lines
    assert lines is not None
    assert [line for line in lines if line[0] in "+-"] == ['-  "n": 1,', '+  "n": 2,']
    assert difference_of("a", "a", ()).lines == []


def test_what_can_not_be_compared_says_so() -> None:
    """Nothing is counted wrong instead, and no request takes for ever."""
    assert "no text" in difference_of(b"\0", b"\1", ()).note
    many = [{"n": 1}] * (MOST_ROWS // 2 + 1)
    assert "not compared" in difference_of(many, many, ()).note
    assert "not compared" in difference_of("a\n" * MOST_LINES, "b\n", ()).note
    for wrong in (OLD, "text"):
        with pytest.raises(Problem, match="prot"):
            difference_of(wrong, wrong, ("prot",))


def test_only_the_first_rows_are_told() -> None:
    """All are counted."""
    found = rows([{"n": n} for n in range(SHOWN + 7)], [{"n": -1}])
    assert (found.removed, len(found.removed_rows)) == (SHOWN + 7, SHOWN)

"""The rows of some ranks are those that sorting the whole table would give, without sorting it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pytest

from rave_http.representation import row_order
from rave_http.representation.row_order import RowOrder

COUNT = 200_000


@pytest.fixture(scope="module")
def table() -> Any:
    """Columns in order, shuffled, with many equal values, with gaps, and with one value only."""
    made = np.random.default_rng(3)
    numbers = made.random(COUNT)
    numbers[made.random(COUNT) < 0.3] = np.nan
    port = pyarrow.array(made.integers(0, 9, COUNT))
    return pyarrow.table(
        {
            "n": np.arange(COUNT),
            "bytes": made.integers(0, 10**9, COUNT),
            "port": port,
            "share": pyarrow.array(numbers, mask=made.random(COUNT) < 0.3),
            "name": pyarrow.array(["web", None, "mail"]).take(pc.bit_wise_and(port, 1)).dictionary_encode(),
            "one": np.zeros(COUNT),
            "none": pyarrow.nulls(COUNT, pyarrow.int32()),
        }
    )


def ordered(table: Any, sort: list[tuple[str, bool]], places: Any = None) -> RowOrder:
    """The order by columns of these names."""
    return RowOrder(table, [(table.schema.names.index(name), is_down) for name, is_down in sort], places)


@pytest.mark.parametrize(
    "sort",
    [
        [("n", True)],
        [("bytes", False)],
        [("bytes", True)],
        [("port", True)],
        [("share", False)],
        [("share", True)],
        [("name", True), ("bytes", False)],
        [("one", False), ("port", True), ("n", True)],
        [("none", False), ("bytes", True)],
    ],
)
def test_some_ranks_are_those_of_the_whole_order(table: Any, sort: list[tuple[str, bool]]) -> None:
    """Wherever they are, with equal, missing and undefined values; equal rows keep their order."""
    order = ordered(table, sort)
    whole = order.places(0, COUNT)
    assert sorted(whole.to_pylist()) == list(range(COUNT))
    for start in (0, 9_990, COUNT // 2, COUNT - 500):
        assert order.places(start, start + 1_000).equals(whole[start : start + 1_000])


def test_only_few_rows_are_sorted_for_some_ranks(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are compared with one or two values, and counted."""
    sizes, sort = [], row_order._sorted

    def counted(keys: Any, are_down: Any) -> Any:
        sizes.append(len(keys[0]))
        return sort(keys, are_down)

    monkeypatch.setattr(row_order, "_sorted", counted)
    ordered(table, [("bytes", True)]).places(COUNT // 2, COUNT // 2 + 100)
    ordered(table, [("port", True), ("n", True)]).places(0, 100)
    assert max(sizes) < COUNT / 2


def test_chosen_rows_are_sorted(table: Any) -> None:
    """Their places are those in the table."""
    even = pyarrow.array(range(0, COUNT, 2), pyarrow.uint32())
    assert ordered(table, [("n", True)], even).places(0, 3).to_pylist() == [COUNT - 2, COUNT - 4, COUNT - 6]
    assert len(ordered(table, [("n", True)], even)) == COUNT // 2
    assert ordered(table, [("n", True)], even).places(COUNT // 2 - 1, COUNT).to_pylist() == [0]
    assert ordered(table, [("n", True)], even[:0]).places(0, 3).to_pylist() == []


def test_what_is_kept_holds_no_more_than_it_says(table: Any) -> None:
    """Some ranks among many equal rows do not keep the places of all of them in memory."""
    found = ordered(table, [("one", False)]).places(0, 10)
    assert found.buffers()[1].size < 1_000


def test_values_without_an_order_are_refused_at_once() -> None:
    """By their type, before anything is compared."""
    with pytest.raises(pyarrow.ArrowTypeError):
        RowOrder(pyarrow.table({"a": [[1], [2]]}), [(0, False)])

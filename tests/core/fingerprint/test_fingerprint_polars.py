"""The encoding of polars' types and items: types are generated, with values of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.fingerprint import arrays
from rave_core.fingerprint.encoder import encode

PHYSICAL: list[tuple[Any, list[object]]] = [
    (pl.Null(), [None]),
    (pl.Boolean(), [True, False]),
    (pl.Int8(), [0, 1]),
    (pl.UInt64(), [0, 2**64 - 1]),
    (pl.Int128(), [0, 2**100]),
    (pl.Float32(), [0.0, 1.5, float("nan")]),
    (pl.Float64(), [0.0, -0.0, float("nan"), float("inf")]),
    (pl.String(), ["", "a", "ab", "é"]),
    (pl.Binary(), [b"", b"a"]),
    (pl.Enum(["a", "b"]), ["a", "b"]),
    (pl.Categorical(), ["a", "b"]),
    (pl.Date(), [0, 1]),
    (pl.Time(), [0, 1, 1001, 1002]),
    (pl.Datetime("ns"), [0, 1, 1001, 1002]),
    (pl.Datetime("us", "Europe/Berlin"), [0, 1]),
    (pl.Duration("ns"), [0, 1001, 1002]),
    (pl.Decimal(10, 2), [0, 1]),
]


def nested(inner: st.SearchStrategy[tuple[Any, list[object]]]) -> st.SearchStrategy[tuple[Any, list[object]]]:
    """Lists, arrays and structs of what ``inner`` gives."""
    return st.one_of(
        inner.map(lambda drawn: (pl.List(drawn[0]), [[], [drawn[1][0]], [drawn[1][-1], None]])),
        inner.map(lambda drawn: (pl.Array(drawn[0], 2), [[drawn[1][0], None], [drawn[1][-1]] * 2])),
        inner.map(lambda drawn: (pl.Struct({"a": drawn[0]}), [{"a": drawn[1][0]}, {"a": drawn[1][-1]}])),
    )


kinds = st.recursive(st.sampled_from(PHYSICAL), nested, max_leaves=3)


def is_temporal(kind: Any) -> bool:
    """Whether items of ``kind`` are given as the integers that lie in memory."""
    inner = kind
    while not isinstance(inner, pl.Struct) and hasattr(inner, "inner"):
        inner = inner.inner
    return is_temporal(inner.fields[0].dtype) if isinstance(inner, pl.Struct) else inner.is_temporal()


def stored(kind: Any) -> Any:
    """The type with integers in the place of times."""
    if isinstance(kind, pl.List):
        return pl.List(stored(kind.inner))
    if isinstance(kind, pl.Array):
        return pl.Array(stored(kind.inner), kind.size)
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: stored(field.dtype) for field in kind.fields})
    return pl.Int64() if kind.is_temporal() else kind


def filled(kind: Any, values: list[object]) -> Any:
    """A series of ``values``."""
    return pl.Series("s", values, stored(kind), strict=False).cast(kind)


@st.composite
def columns(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two series of one type."""
    kind, values = draw(kinds)
    items = st.lists(st.none() | st.sampled_from(values), min_size=1, max_size=4)
    return filled(kind, draw(items)), filled(kind, draw(items))


def content(series: Any) -> str:
    """The items in words, times as integers."""
    return repr(series.cast(stored(series.dtype)).to_list())


@given(columns())
def test_series_of_one_type_have_one_encoding_exactly_when_their_items_are_equal(drawn: tuple[Any, Any]) -> None:
    """Whatever the type: all of an item counts, to the nanosecond, and nothing else."""
    left, right = drawn
    assert (encode(left) == encode(right)) == (content(left) == content(right))


@given(columns())
def test_the_layout_of_a_series_does_not_count(drawn: tuple[Any, Any]) -> None:
    """Slices and chunks have the encoding of the original."""
    left, right = drawn
    whole = pl.concat([right, left], rechunk=False)
    assert encode(whole[len(right) :]) == encode(left)
    assert encode(whole) == encode(whole.rechunk())


@given(columns(), columns())
def test_series_of_two_types_differ(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """The type counts with its parameters."""
    if one[0].dtype != other[0].dtype:
        assert encode(one[0]) != encode(other[0])
        assert encode(one[0].dtype) != encode(other[0].dtype)
        assert encode(one[0][:0]) != encode(other[0][:0])


@given(columns())
def test_a_series_has_one_encoding_with_and_without_numpy(drawn: tuple[Any, Any]) -> None:
    """NumPy makes it faster, nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        expected = encode(drawn[0])
        patch.setattr("rave_core.fingerprint.polars_frames.numpy_or_none", lambda: None)
        assert encode(drawn[0]) == expected
    assert arrays.numpy_or_none() is not None


def query(limit: int) -> Any:
    """A lazy query with an expression."""
    return pl.LazyFrame({"a": [1, 2], "t": [dt.date(2020, 1, 1)] * 2}).filter(pl.col("a") > limit).select("a")


def test_a_query_counts_by_its_plan() -> None:
    """What a lazy frame is going to do, and what an expression does."""
    assert encode(query(1)) == encode(query(1)) != encode(query(2))
    assert encode(pl.col("a") + 1) == encode(pl.col("a") + 1) != encode(pl.col("a") + 2)
    assert encode(query(1)) != encode(query(1).collect())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pl.Enum([*map(str, range(1000))]), pl.Enum([*map(str, range(1001))])),
        (pl.Categorical(pl.Categories("one")), pl.Categorical(pl.Categories("two"))),
        (pl.Array(pl.Int8, 2), pl.Array(pl.Int8, 3)),
        (pl.Datetime("us", "UTC"), pl.Datetime("us")),
        (pl.Int8, pl.Int16),
        (pl.Int8, pl.Int8()),
    ],
)
def test_parameters_of_types_count(left: object, right: object) -> None:
    """Also those that their text cuts short."""
    assert encode(left) != encode(right)

"""The encoding of arrays and tables."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rave_core.errors import UnencodableError
from rave_core.fingerprint import digest
from rave_core.fingerprint.encoder import encode

ROWS = np.arange(6)
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
TABLE = pa.table({"a": [1, None, 3], "b": ["x", None, "yz"], "c": [[1], None, [2]]})


def _noted(data: Any) -> Any:
    """A copy with a unit noted about it."""
    copy = data.copy()
    copy.attrs["unit"] = "s"
    return copy


def masked(hidden: object) -> Any:
    """A masked array with something behind the mask."""
    return np.ma.array([1, hidden], mask=[False, True])


def nullable(hidden: int) -> Any:
    """A nullable pandas array with something behind the missing value."""
    return pd.arrays.IntegerArray(np.array([1, hidden]), np.array([False, True]))


DIFFERENT: list[tuple[object, object]] = [
    (ROWS, ROWS.astype("i4")),
    (ROWS, ROWS.astype(">i8")),
    (ROWS, ROWS.reshape(2, 3)),
    (ROWS.reshape(2, 3), ROWS.reshape(3, 2)),
    (ROWS.reshape(2, 3), np.asfortranarray(ROWS.reshape(3, 2).T)),
    (ROWS, list(range(6))),
    (np.zeros(2), -np.zeros(2)),
    (np.zeros((0, 3)), np.zeros((3, 0))),
    (np.array(["ab", "c"]), np.array(["a", "bc"])),
    (np.array(["1"], object), np.array([1], object)),
    (np.array(["2020"], "M8[s]"), np.array(["2020"], "M8[ms]")),
    (np.zeros(1, [("a", "f4")]), np.zeros(1, [("b", "f4")])),
    (np.float64(1), 1.0),
    (np.float64(1), np.float32(1)),
    (np.float64(0.0), np.float64(-0.0)),
    (np.float64(1), np.array(1.0)),
    (np.str_("a"), "a"),
    (np.datetime64("2020", "D"), np.datetime64("2020", "s")),
    (masked(1), np.array([1, 1])),
    (masked(1), np.ma.array([1, 1], mask=[True, False])),
    (np.add, np.subtract),
    (np.dtype("f8"), np.dtype("f4")),
    (np.dtype("i4,f4"), np.dtype("i4,f8")),
    (FRAME, FRAME.rename(columns={"a": "c"})),
    (FRAME, FRAME[["b", "a"]]),
    (FRAME, FRAME.set_index(pd.Index([1, 0]))),
    (FRAME, FRAME.rename_axis("row")),
    (FRAME, FRAME.astype({"a": "i4"})),
    (FRAME, FRAME.astype({"a": "Int64"})),
    (FRAME, FRAME.assign(b=["x", "None"])),
    (FRAME, _noted(FRAME)),
    (FRAME["a"], _noted(FRAME["a"])),
    (FRAME, FRAME.set_flags(allows_duplicate_labels=False)),
    (FRAME["a"], FRAME["a"].rename("c")),
    (FRAME["a"], FRAME["a"].array),
    (pd.Series(["a", "b"]), pd.Series(["ab", ""])),
    (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a", "c"])),
    (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a", "b"], ordered=True)),
    (pd.Series([None], dtype=object), pd.Series([pd.NA], dtype=object)),
    (pd.NA, pd.NaT),
    (pd.Timestamp("2020"), dt.datetime(2020, 1, 1)),
    (pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC")),
    (pd.Timestamp(1), pd.Timestamp(2)),
    (pd.Timedelta(1), pd.Timedelta(2)),
    (pd.date_range("2020", periods=2), pd.date_range("2020", periods=2, tz="UTC")),
    (pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="M")),
    (pd.Interval(0, 1), pd.Interval(0, 1, "both")),
    (pd.MultiIndex.from_tuples([(1, 2)]), pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"])),
    (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})),
    (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1.0]})),
    (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}).to_series()),
    (pl.Series([0, 1]), pl.Series([None, 1])),
    (pl.Series(["", "ab"]), pl.Series(["a", "b"])),
    (pl.Series([None, "ab"]), pl.Series(["", "ab"])),
    (pl.Series([True, None]), pl.Series([True, False])),
    (pl.Series(["a"], dtype=pl.Enum(["a", "b"])), pl.Series(["a"], dtype=pl.Enum(["a", "c"]))),
    (pl.Series([dt.date(2020, 1, 1)]), pl.Series([dt.date(2020, 1, 2)])),
    (TABLE, TABLE.rename_columns(["a", "b", "d"])),
    (TABLE, TABLE.replace_schema_metadata({"origin": "here"})),
    (TABLE, TABLE.slice(0, 2)),
    (
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], "int32"), ["b", "a"]),
    ),
    (TABLE, TABLE.to_batches()[0]),
    (pa.array([1, None]), pa.array([1, 0])),
    (pa.array(["a", "b"]), pa.array(["ab", ""])),
    (pa.array(["a", None]), pa.array(["a", ""])),
    (pa.array([1]), pa.array([1], "int32")),
    (pa.array([1]), pa.scalar(1)),
    (pa.array([True, None]), pa.array([True, False])),
    (pa.schema([("a", "int8")]), pa.schema([pa.field("a", "int8", nullable=False)])),
    (pa.struct([("a", "int8")]), pa.struct([pa.field("a", "int8", metadata={"k": "v"})])),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_tables_differ(left: object, right: object) -> None:
    """Dtype, shape, names, index, metadata, missing values and content count."""
    assert encode(left) != encode(right)


NEGATIVE_NAN = np.array([0xFFF8000000000001, 0], "u8").view("f8")

EQUAL: list[tuple[object, object]] = [
    (ROWS, np.arange(12)[::2] // 2),
    (ROWS.reshape(2, 3), np.asfortranarray(ROWS.reshape(2, 3))),
    (np.array([np.nan, 0]), NEGATIVE_NAN),
    (np.array([complex(np.nan, 0)]), NEGATIVE_NAN.view("c16")),
    (np.array([np.nan, 0], "f4"), NEGATIVE_NAN.astype("f4")),
    (masked(1), masked(2)),
    (np.float64("nan"), NEGATIVE_NAN[0]),
    (FRAME, FRAME.copy()),
    (FRAME, pd.concat([FRAME[:1], FRAME[1:]])),
    (pd.Index([0, 1, 2]), pd.RangeIndex(3)),
    (nullable(5), nullable(7)),
    (pd.Timestamp("2020").as_unit("s"), pd.Timestamp("2020").as_unit("ns")),
    (pd.Series([1.0, np.nan]), pd.Series(np.array([0x3FF0000000000000, 0xFFF8000000000001], "u8").view("f8"))),
    (pl.DataFrame({"a": [1, 2]}), pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})], rechunk=False)),
    (pl.Series(["x", None, "yz"]), pl.Series(["no", "x", None, "yz"]).slice(1)),
    (TABLE, pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])),
    (TABLE, pa.Table.from_batches(TABLE.to_batches(max_chunksize=1))),
    (pa.array(["x", None, "yz"]), pa.array(["no", "x", None, "yz"]).slice(1)),
    (pa.array([1, None]), pa.array([5, 1, None]).slice(1)),
    (pa.array([True, None]), pa.array([False, True, None]).slice(1)),
    (
        pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()]),
        pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()]),
    ),
    (pa.array([1], "int64", mask=np.array([True])), pa.array([None], "int64")),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_tables_agree(left: object, right: object) -> None:
    """Layout, chunks, slices, kinds of NaN, and what a missing value hides don't count."""
    assert encode(left) == encode(right)


NOON = dt.datetime(2024, 1, 1, 12)
KINDS: list[object] = [
    np.array(5),
    np.zeros(2, "U0"),
    np.array([NOON], "M8[ns]"),
    np.array(["a", None], np.dtypes.StringDType(na_object=None)),
    np.array([1, 2], "longdouble"),
    np.rec.array([(1, [2.0])], dtype=[("a", "i4"), ("b", object)]),
    np.void(b"abc"),
    np.ma.masked,
    np.ma.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")], mask=[(True, False)]),
    pd.DataFrame(),
    pd.Series(["a", None], dtype=pd.StringDtype("python")),
    pd.Series([1, None], dtype="int64[pyarrow]"),
    pd.Series([True, None], dtype="boolean"),
    pd.Series([1.5, None], dtype="Float64"),
    pd.Series(pd.period_range("2020", periods=3)),
    pd.Series(pd.IntervalIndex.from_breaks([1, 2, 3])),
    pd.Series([pd.Timestamp("2020", tz="Europe/Berlin"), pd.NaT]),
    pd.arrays.SparseArray([0, 0, 1]),
    pl.DataFrame(),
    pl.Series([[1, 2], None]),
    pl.Series([{"a": 1}]),
    pl.Series([b"a", None]),
    pl.Series(["a"], dtype=pl.Categorical),
    pl.Series([Decimal("1.5")]),
    pl.Series([1], dtype=pl.Int128),
    pl.Series([NOON, None]),
    pl.Series([dt.time(1)]),
    pa.table({}),
    pa.chunked_array([], "int8"),
    pa.array([None]),
    pa.array([b"a", None]),
    pa.array(["a", None], pa.string_view()),
    pa.array([1.5], "float16"),
    pa.array([Decimal("1.5")]),
    pa.array([{"a": 1}, None]),
    pa.array([1, None], pa.timestamp("ns", "UTC")),
    pa.array([1, None], pa.time32("s")),
    pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    pa.scalar("a", pa.dictionary(pa.int8(), pa.string())),
]


def test_every_kind_of_column_has_an_encoding_of_its_own() -> None:
    """Every kind is known, is encoded alike twice, and like no other."""
    encodings = [encode(value) for value in KINDS]
    assert encodings == [encode(value) for value in KINDS]
    assert len(set(encodings)) == len(KINDS)


def content(array: Any) -> tuple[object, ...]:
    """What tells arrays apart: dtype, shape, and items with all NaN alike."""
    return (array.dtype.str, array.shape, [repr(item) for item in array.ravel().tolist()])


arrays = hnp.arrays(
    st.sampled_from(["f8", "f4", "i8", ">i2", "?", "c8", "U2", "S2", "M8[s]"]), hnp.array_shapes(max_dims=2, max_side=2)
)


@given(arrays, arrays)
def test_arrays_have_one_encoding_exactly_when_they_are_equal(left: Any, right: Any) -> None:
    """Dtype, shape and items decide, and nothing else does."""
    assert (encode(left) == encode(right)) == (content(left) == content(right))


@given(arrays)
def test_the_layout_of_an_array_does_not_count(array: Any) -> None:
    """Fortran order, strides and read-only memory make no difference."""
    spread = np.repeat(array, 2, axis=0)[::2]
    frozen = array.copy(order="F")
    frozen.flags.writeable = False
    assert encode(array) == encode(spread) == encode(frozen)


@pytest.mark.parametrize("dtype", [np.dtype([("a", "i1"), ("b", "i8")], align=True), np.dtype("longdouble")])
def test_padding_does_not_count(dtype: Any) -> None:
    """Bytes between fields, and those that an extended float leaves unused, hold anything."""
    zeros, dirty = np.zeros(1, dtype), np.full(dtype.itemsize, 255, "u1").view(dtype)
    for name in dtype.names or [...]:
        dirty[name] = 0
    assert encode(zeros) == encode(dirty)


def test_attrs_without_an_encoding_are_refused_by_their_path() -> None:
    """Nothing that code may read is left out of a key."""
    noted = FRAME.copy()
    noted.attrs["source"] = object()
    with pytest.raises(UnencodableError, match=r"^\.attrs\['source'\]: "):
        encode(noted)


def test_a_subclass_of_an_array_counts_with_its_attributes() -> None:
    """An array with a unit differs from one with another unit, and from a plain one."""

    class Measured(np.ndarray):
        unit: str

    metres, feet = ROWS.view(Measured), ROWS.view(Measured)
    metres.unit, feet.unit = "m", "ft"
    assert len({encode(metres), encode(feet), encode(ROWS)}) == 3


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (np.array([1, object()], object), "args.x[1]"),
        (pd.DataFrame({"a": [1], "b": [object()]}), "args.x['b'][0]"),
        (pl.DataFrame({"a": pl.Series([object()])}), "args.x['a'][0]"),
    ],
)
def test_an_item_without_encoding_is_named(value: object, path: str) -> None:
    """The path goes through columns and rows."""
    with pytest.raises(UnencodableError) as caught:
        digest([("x", value)])
    assert caught.value.path == path


@pytest.mark.parametrize("dtype", ["f8", "u1"])
def test_a_large_array_is_not_copied(dtype: str) -> None:
    """Contiguous memory goes to the hash as it is; looking for NaN takes one byte an item."""
    array = np.ones(4_000_000, dtype)
    digest([("x", array[:1])])
    tracemalloc.start()
    try:
        digest([("x", array)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 4

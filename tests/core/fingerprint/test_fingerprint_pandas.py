"""The encoding of pandas' types and columns: types are generated, with values of them, with and without Arrow."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rave_core.fingerprint import digest
from rave_core.fingerprint.encoder import encode

KINDS: list[tuple[Any, list[object]]] = [
    ("i8", [0, 1]),
    ("f4", [0.0, 1.5, float("nan")]),
    ("bool", [True, False]),
    (object, ["a", 1, None]),
    ("str", ["a", "é", None]),
    (pd.StringDtype("python"), ["a", "ab", None]),
    ("Int64", [0, 1, None]),
    ("Float32", [0.0, None]),
    ("boolean", [True, None]),
    ("datetime64[ns]", [0, 1001, 1002]),
    ("datetime64[s]", [0, 1]),
    (pd.DatetimeTZDtype("ns", "Europe/Berlin"), [0, 1002]),
    ("timedelta64[ns]", [0, 1001, None]),
    (pd.PeriodDtype("D"), ["2020-01-01", "2020-01-02", None]),
    (pd.PeriodDtype("h"), ["2020-01-01 00", "2020-01-01 01"]),
    (pd.CategoricalDtype(["a", "b"]), ["a", "b", None]),
    (pd.CategoricalDtype(["b", "a"]), ["a", "b", None]),
    (pd.CategoricalDtype([1, 2], ordered=True), [1, 2]),
    (pd.SparseDtype("i8", 0), [0, 1]),
    (pd.SparseDtype("i8", 1), [0, 1]),
    (pd.IntervalDtype("f8", "left"), [pd.Interval(0.0, 1.0, "left"), None]),
    (pd.IntervalDtype("i8", "both"), [pd.Interval(0, 1, "both")]),
    ("int64[pyarrow]", [0, None]),
    ("duration[ns][pyarrow]", [0, 1001]),
]


@st.composite
def columns(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two series of one dtype."""
    kind, values = draw(st.sampled_from(KINDS))
    items = st.lists(st.sampled_from(values), min_size=1, max_size=4)
    return pd.Series(draw(items), dtype=kind), pd.Series(draw(items), dtype=kind)


@given(columns())
def test_columns_of_one_dtype_have_one_encoding_exactly_when_their_items_are_equal(drawn: tuple[Any, Any]) -> None:
    """Items and their order count, to the nanosecond, and missing ones are alike."""
    left, right = drawn
    equal = len(left) == len(right) and [*map(repr, left.array)] == [*map(repr, right.array)]
    assert (encode(left) == encode(right)) == equal
    assert (encode(pd.Index(left)) == encode(pd.Index(right))) == equal
    assert (encode(left.to_frame()) == encode(right.to_frame())) == equal


@given(columns(), columns())
def test_columns_of_two_dtypes_differ(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """The dtype counts with its parameters: unit, zone, frequency, categories and their order, fill value."""
    if str(one[0].dtype) != str(other[0].dtype):
        assert encode(one[0]) != encode(other[0])
        assert encode(one[0].dtype) != encode(other[0].dtype)


@given(columns())
def test_the_layout_of_a_column_does_not_count(drawn: tuple[Any, Any]) -> None:
    """Parts of larger columns, and what was put together, have the encoding of the original."""
    left, right = drawn
    whole = pd.concat([right, left], ignore_index=True)
    part = whole[len(right) :].reset_index(drop=True)
    if part.dtype == left.dtype:
        assert encode(part) == encode(left) == encode(left.copy())


TEXTS = ["", "a", "ab", "é", None, "\U0001f600", "a text of some length"]
ASK = f"""
import sys
sys.modules["pyarrow"] = None
import pandas as pd
from rave_core.fingerprint import digest
texts = {TEXTS!r}
names = pd.Index([str(n) for n in range(7000)])
frame = pd.DataFrame({{"a": texts * 1000, "b": pd.Categorical(texts * 1000)}}, index=names)
assert frame["a"].dtype.storage == "python"
print(digest([("f", frame), ("s", pd.Series(texts, dtype="string")), ("i", pd.Index(texts))]))
"""


def test_text_has_one_key_with_and_without_arrow(tmp_path: pathlib.Path) -> None:
    """pandas keeps text in Arrow's memory where that is installed: another place, and not another value."""
    frame = pd.DataFrame(
        {"a": TEXTS * 1000, "b": pd.Categorical(TEXTS * 1000)}, index=pd.Index([str(n) for n in range(7000)])
    )
    assert frame["a"].dtype.storage == "pyarrow"
    here = digest([("f", frame), ("s", pd.Series(TEXTS, dtype="string")), ("i", pd.Index(TEXTS))])
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == here


@st.composite
def records(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two structured arrays of one dtype, with nested and repeated fields."""
    flat = st.sampled_from([*map(np.dtype, ["i1", ">i4", "f8", "U2", "S3", "M8[ns]", "?", "c8"])])
    kind = draw(hnp.array_dtypes(flat, min_size=1, max_size=3, allow_subarrays=True) | hnp.nested_dtypes(flat))
    arrays = hnp.arrays(kind, st.integers(1, 2))
    return draw(arrays), draw(arrays)


@given(records())
def test_records_have_one_encoding_exactly_when_they_are_equal(drawn: tuple[Any, Any]) -> None:
    """Field by field; padding and the order of memory don't count."""
    left, right = drawn
    same = left.shape == right.shape and repr(left.tolist()) == repr(right.tolist())
    assert (encode(left) == encode(right)) == same
    assert encode(np.repeat(left, 2, axis=0)[::2]) == encode(left)


@given(records(), records())
def test_records_of_two_dtypes_differ(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """Names, places, kinds and shapes of the fields count."""
    if one[0].dtype != other[0].dtype:
        assert encode(one[0].dtype) != encode(other[0].dtype)
        assert encode(one[0]) != encode(other[0])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.dtype([(("title", "a"), "i4")]), np.dtype([("a", "i4")])),
        (np.dtypes.StringDType(), np.dtypes.StringDType(coerce=False)),
        (np.dtype({"names": ["a"], "formats": ["i1"], "offsets": [1], "itemsize": 3}), np.dtype([("a", "i1")])),
    ],
)
def test_parameters_of_a_dtype_count(left: object, right: object) -> None:
    """Titles, places, and what a dtype of text does with other values."""
    assert encode(left) != encode(right)

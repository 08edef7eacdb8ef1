"""Tables of pandas, polars and Arrow come back exactly, or are refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import struct
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from rave_core.errors import DamagedError, UnstorableError
from tests.core.codecs.sample_values import (
    CODECS,
    around,
    private,
    same,
)

NOW = pd.Timestamp("2024-03-31 01:30", tz="Europe/Berlin")


FRAMES = {
    "plain": pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan], "c": ["x", None], "d": [True, False]}),
    "index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "range": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(4, 8, 2)),
    "multi": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["n", None])),
    "columns": pd.DataFrame([[1, 2.0]], columns=pd.Index([3, 5], name="number")),
    "category": pd.DataFrame({"a": pd.Categorical(["x", "y"], ["y", "x", "z"], ordered=True)}),
    "unordered": pd.DataFrame({"a": pd.Categorical(["x", None], ["y", "x", "z"])}),
    "tz": pd.DataFrame({"a": pd.date_range(NOW, periods=3, freq="h")}),
    "tz index": pd.DataFrame({"a": [1, 2]}, index=pd.date_range(NOW, periods=2, freq="h")),
    "units": pd.DataFrame({"a": np.array(["2024-01-01", "NaT"], "M8[s]"), "b": np.array([1, 2], "m8[ms]")}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    "arrow": pd.DataFrame({"a": pd.array([1, None], "int64[pyarrow]")}),
    "period": pd.DataFrame({"a": pd.period_range("2024-01", periods=2, freq="M")}),
    "dates": pd.DataFrame({"a": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]}),
    "mixed": pd.DataFrame({"a": [1, "x", None]}, dtype=object),
    "none or nan": pd.DataFrame({"a": ["x", None, math.nan]}, dtype=object),
    "lists": pd.DataFrame({"a": [[1], [2, 3]]}),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": pd.array([], "Int8")}),
    "twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "float index": pd.DataFrame({"a": [1, 2]}, index=[0.5, math.nan]),
}
FRAMES["attrs"] = FRAMES["plain"].copy()
FRAMES["attrs"].attrs = {"unit": "byte", "n": 3}
FRAMES["odd attrs"] = FRAMES["plain"].copy()
FRAMES["odd attrs"].attrs = {"pair": (1, 2)}
FRAMES["flags"] = FRAMES["plain"].set_flags(allows_duplicate_labels=False)


KEPT_AS_DATA = {"plain", "index", "range", "multi", "category", "unordered", "tz", "nullable", "arrow", "dates"}
KEPT_AS_DATA |= {"units", "attrs", "no rows"}


def assert_same_frame(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal by the strictest comparison that pandas has."""
    pd.testing.assert_frame_equal(
        one, other, check_exact=True, check_freq=True, check_column_type="exact", check_index_type="exact"
    )
    assert same(one.attrs, other.attrs)
    for name in range(one.shape[1]):
        column, twin = one.iloc[:, name], other.iloc[:, name]
        assert repr(column.dtype) == repr(twin.dtype)
        if column.dtype == object:
            assert [type(each) for each in column] == [type(each) for each in twin]


@pytest.mark.parametrize("name", FRAMES)
def test_pandas_frames_come_back_exactly_or_are_refused(name: str) -> None:
    """Arrow keeps a frame only where nothing changes; pickle keeps all."""
    frame = FRAMES[name]
    assert_same_frame(around(frame, data_only=False), frame)
    try:
        back = around(frame, data_only=True)
    except UnstorableError:
        assert name not in KEPT_AS_DATA
    else:
        assert_same_frame(back, frame)


@pytest.mark.parametrize("name", [None, "a", 3])
def test_pandas_series_keep_their_name(name: object) -> None:
    """The name of a series is kept, and so is its index."""
    series = pd.Series([1.5, 2.5], index=["x", "y"], name=name)
    back = around(series, data_only=True)
    pd.testing.assert_series_equal(back, series, check_exact=True)
    assert type(back.name) is type(name)


@pytest.mark.parametrize("data_only", [True, False])
def test_a_decoded_frame_can_be_changed(data_only: bool) -> None:
    """Neither Arrow's nor the segment's memory makes a frame read-only."""
    frame = pd.DataFrame({"a": np.arange(2000.0), "b": np.arange(2000)})
    name, parts = CODECS.choose(frame, data_only=data_only)
    kept = [bytes(part) for part in parts]
    first: Any = CODECS.decode(name, [memoryview(part) for part in kept], data_only=data_only)
    first.loc[0, "a"] = 99.0
    first["b"].to_numpy(copy=True)[0] = 5
    second: Any = CODECS.decode(name, [memoryview(part) for part in kept], data_only=data_only)
    assert_same_frame(second, frame)


POLARS = {
    "plain": pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1], []], "d": [{"e": 1.5}, {"e": None}]}),
    "category": pl.DataFrame({"a": pl.Series(["x", "y"], dtype=pl.Categorical)}),
    "enum": pl.DataFrame({"a": pl.Series(["x", None], dtype=pl.Enum(["x", "y"]))}),
    "time": pl.DataFrame({"a": [dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))], "b": [dt.timedelta(1)]}),
    "decimal": pl.DataFrame({"a": [Decimal("1.50")]}),
    "array": pl.DataFrame({"a": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2))}),
    "empty": pl.DataFrame(),
    "no rows": pl.DataFrame(schema={"a": pl.Int8}),
    "null": pl.DataFrame({"a": [None, None]}),
    "binary": pl.DataFrame({"a": [b"x", b""]}),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_frames_come_back_exactly(name: str) -> None:
    """Schema and values are kept through polars' own Arrow dialect."""
    frame = POLARS[name]
    back = around(frame, data_only=True)
    assert back.schema == frame.schema
    assert back.equals(frame)


def test_a_polars_series_keeps_its_name_and_type() -> None:
    """A series does not become a frame."""
    series = pl.Series("a", [1, None], dtype=pl.UInt8)
    back = around(series, data_only=True)
    assert (type(back), back.name, back.dtype) == (pl.Series, "a", pl.UInt8)
    assert back.equals(series, null_equal=True)


def test_flipped_bytes_of_a_polars_stream_are_damage_or_data() -> None:
    """Whatever a damaged stream does to polars, even a panic, is an error of ours."""
    name, segments = CODECS.choose(POLARS["plain"], data_only=True)
    for at in range(0, len(segments[0]), 7):
        data = bytearray(segments[0])
        data[at] ^= 0xFF
        with contextlib.suppress(DamagedError):
            CODECS.decode(name, private([data]), data_only=True)


def test_polars_columns_of_objects_are_refused_as_data() -> None:
    """A Python object in a column has no Arrow form."""
    with pytest.raises(UnstorableError, match="DataFrame"):
        CODECS.choose(pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), data_only=True)


TABLES = {
    "plain": pa.table({"a": [1, None], "b": ["x", "y"], "c": [[1], []]}),
    "metadata": pa.table({"a": [1]}, metadata={"made": "here"}),
    "chunks": pa.chunked_array([[1], [2, 3]]),
    "dictionary": pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()}),
    "empty": pa.table({}),
    "no rows": pa.table({"a": pa.array([], pa.int8())}),
    "slice": pa.table({"a": list(range(100))}).slice(10, 5),
    "no columns": pa.table({"a": [1, 2]}).select([]),
}
TABLES["chunks"] = pa.table({"a": TABLES["chunks"]})


@pytest.mark.parametrize("name", TABLES)
def test_arrow_tables_and_batches_come_back_exactly(name: str) -> None:
    """Schema, metadata and values are kept; a batch stays a batch."""
    table = TABLES[name]
    back = around(table, data_only=True)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert back.equals(table)
    assert back.num_rows == table.num_rows
    for batch in table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]:
        again = around(batch, data_only=True)
        assert type(again) is pa.RecordBatch
        assert again.equals(batch)
        assert again.num_rows == batch.num_rows


def test_an_arrow_stream_with_impossible_offsets_is_damaged() -> None:
    """Offsets that point outside of the data are found before anything reads there."""
    table = pa.table({"a": ["abcdefgh", "ijklmnop"]})
    name, segments = CODECS.choose(table, data_only=True)
    data = bytes(segments[0])
    offsets = struct.pack("<3i", 0, 8, 16)
    assert data.count(offsets) == 1
    with pytest.raises(DamagedError):
        CODECS.decode(name, private([data.replace(offsets, struct.pack("<3i", 0, 8, 2**30))]), data_only=True)

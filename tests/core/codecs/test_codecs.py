from __future__ import annotations

import contextlib
import datetime as dt
import enum
import ipaddress
import math
import pathlib
import pickle
import struct
import threading
import tracemalloc
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.codecs import Codec, Codecs
from rave_core.codecs.codecs import builtin_codecs
from rave_core.codecs.immutability import is_immutable
from rave_core.errors import DamagedError, DuplicateError, EntryError, PluginError, SealError, UnstorableError

CODECS = Codecs()
RAN: list[str] = []


def record(word: str) -> str:
    """What a malicious pickle calls."""
    RAN.append(word)
    return word


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return record, ("ran",)


class Point(NamedTuple):
    x: int


class Colour(enum.Enum):
    RED = 1


class Text(str):
    """A subclass may carry more than its text."""

    __slots__ = ()


def private(segments: list[Any]) -> list[memoryview]:
    """What a caller hands to ``decode``: views of memory that nobody else has."""
    return [memoryview(bytearray(each)) for each in segments]


def around(value: object, *, data_only: bool) -> Any:
    """``value`` encoded and decoded."""
    name, segments = CODECS.choose(value, data_only=data_only)
    return CODECS.decode(name, private(segments), data_only=data_only)


def chosen(value: object, *, data_only: bool = False) -> str:
    """The name of the codec chosen for ``value``."""
    return CODECS.choose(value, data_only=data_only)[0]


def same(one: Any, other: Any) -> bool:
    """Equal by value and by type, through and through; NaN equals itself, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, int):
        return bool(one == other)
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return same([one.real, one.imag], [other.real, other.imag])
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and {(type(x), x) for x in one} == {(type(x), x) for x in other}
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    # Neither a signalling NaN nor NaT equals itself; what is left here has a telling repr.
    return repr(one) == repr(other)


ZONES = st.sampled_from(
    [None, dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30), "IST"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")]
)
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.text(st.characters(), max_size=5),
    st.text("\ud800\udc00a", max_size=3),
    st.binary(max_size=5),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.uuids(),
    st.ip_addresses(),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.times(timezones=st.sampled_from([None, dt.UTC])),
    st.timedeltas(),
    st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3)),
    st.builds(pathlib.PurePosixPath, st.text("ab./", max_size=5)),
)
SCALARS = st.one_of(HASHABLE, st.floats(), st.complex_numbers(), st.binary(max_size=4).map(bytearray))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
    ),
    max_leaves=12,
)


@given(value=VALUES, data_only=st.booleans())
def test_builtins_come_back_equal_in_value_and_type(value: object, data_only: bool) -> None:
    """Any nesting of builtins round-trips, with and without pickle."""
    assert same(around(value, data_only=data_only), value)


@given(value=VALUES)
def test_the_data_only_mode_never_chooses_pickle(value: object) -> None:
    """Every codec chosen in data-only mode is one that can't run code."""
    safe = {codec.name for codec in CODECS if codec.data_only}
    assert chosen(value, data_only=True) in safe


def type_of(value: object) -> str:
    """An id that every worker of a parallel run gives alike: no address in it."""
    return type(value).__name__


@pytest.mark.parametrize("data_only", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        -math.nan,
        math.inf,
        -0.0,
        5e-324,
        10**5000,
        -(10**5000),
        -(2**63),
        -(2**63) - 1,
        2**64 - 1,
        2**64,
        0,
        -1,
        True,
        None,
        complex(-0.0, math.nan),
        "",
        b"",
        bytearray(b"x"),
        "\ud800",
        [],
        (),
        {},
        set(),
        frozenset(),
        {1: "a", True + 1: "b", "1": "c", None: "d", (1, 2): "e", 1.5: "f"},
        [1, True, 1.0, "1", b"1"],
        Decimal("sNaN123"),
        Decimal("-0E+3"),
        [Fraction(1, 3), UUID(int=5), UUID(int=2**127)],
        ipaddress.ip_interface("10.0.0.1/24"),
        [ipaddress.ip_address("fe80::1%eth0"), ipaddress.ip_network("2001:db8::/32")],
        dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.timezone(dt.timedelta(0), "zero"),
        [dt.time(1, 2, fold=1), dt.date.max, dt.timedelta.min],
        [pathlib.Path("a/b"), pathlib.PureWindowsPath("c:/x")],
        {"big": b"x" * 10_000, "more": [b"y" * 10_000, bytearray(b"z" * 10_000)]},
        {"a": np.float64(1.5), "b": np.arange(3), "c": [np.arange(5000)], "d": (np.datetime64("2024-01-01"),)},
    ],
    ids=type_of,
)
def test_awkward_values_come_back_as_they_were(value: object, data_only: bool) -> None:
    """The corners of every builtin type are kept to the bit."""
    assert same(around(value, data_only=data_only), value)


@pytest.mark.parametrize(
    ("value", "name", "name_as_data"),
    [
        ("a", "text", "text"),
        (b"a", "bytes", "bytes"),
        (bytearray(b"a"), "bytearray", "bytearray"),
        (1, "scalar", "scalar"),
        (None, "scalar", "scalar"),
        (np.arange(3), "numpy", "numpy"),
        (np.float32(3), "numpy", "numpy"),
        (pa.table({"a": [1]}), "arrow", "arrow"),
        (pl.DataFrame({"a": [1]}), "polars", "polars"),
        (pl.Series("a", [1]), "polars.series", "polars.series"),
        (pd.DataFrame({"a": [1]}), "pickle", "pandas"),
        (pd.Series([1]), "pickle", "pandas.series"),
        ([1], "pickle", "plain"),
        ({"a": 1}, "pickle", "plain"),
        (Decimal(1), "pickle", "plain"),
    ],
    ids=type_of,
)
def test_codecs_are_chosen_by_type(value: object, name: str, name_as_data: str) -> None:
    """Each type has its codec, pickle only where it may and is the fastest."""
    assert chosen(value) == name
    assert chosen(value, data_only=True) == name_as_data


@pytest.mark.parametrize("value", [Point(1), Colour.RED, Text("a"), [Text("a")], {"a": Point(1)}, np.ma.array([1])])
def test_subclasses_keep_their_type_or_are_refused(value: Any) -> None:
    """A subclass of a builtin round-trips by pickle, and no data-only codec takes it."""
    back = around(value, data_only=False)
    assert type(back) is type(value)
    with pytest.raises(UnstorableError):
        CODECS.choose(value, data_only=True)


@pytest.mark.parametrize("data_only", [True, False])
@pytest.mark.parametrize("read_only", [True, False])
def test_what_was_decoded_can_be_changed_without_changing_the_next(data_only: bool, read_only: bool) -> None:
    """Two decodes of one entry share nothing that can be changed, even within containers."""
    value = {"list": [1], "set": {1}, "bytes": bytearray(b"a" * 9000), "array": np.zeros(3), "big": np.zeros(3000)}
    name, parts = CODECS.choose(value, data_only=data_only)
    kept = [bytes(part) for part in parts]

    def decode() -> Any:
        segments = [memoryview(part) for part in kept] if read_only else private(kept)
        return CODECS.decode(name, segments, data_only=data_only)

    first = decode()
    first["list"].append(2)
    first["set"].add(2)
    first["bytes"] += b"b"
    first["array"][0] = first["big"][0] = 7
    assert same(decode(), value)


NUMBERS = ("i1", "u2", "<i4", ">i4", "<u8", "<f2", ">f4", "<f8", "g", "<c8", ">c16", "<M8[ns]", "<m8[25s]")
ARRAYS = [np.arange(6).reshape(2, 3).astype(dtype) for dtype in NUMBERS]
STRUCTURED = np.dtype([("a", ">i2"), ("b", "<f8", (2, 2)), ("c", [("d", "S3"), ("e", "<M8[us]")])])
ARRAYS += [
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array([b"ab"], dtype="V2"),
    np.array(["NaT", "2024-01-01"], dtype="M8[D]"),
    np.zeros(3, STRUCTURED),
    np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    np.zeros(2, np.dtype({"names": ["x"], "formats": ["<i4"], "offsets": [4], "itemsize": 16})),
    np.zeros(2, np.dtype([(("title", "x"), "<i4")])),
    np.array(5.0),
    np.zeros((0, 3)),
    np.zeros((3, 0), "U0"),
    np.array([], dtype="M8[s]"),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(20)[::2],
    np.arange(20)[::-1],
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.broadcast_to(np.arange(3), (2, 3)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}-{a.shape}-{a.strides}"[:60])
def test_arrays_of_any_dtype_come_back_writable(array: Any) -> None:
    """Dtype, shape, bytes and Fortran order are kept, and pickle is not needed."""
    assert chosen(array, data_only=True) == "numpy"
    back = around(array, data_only=True)
    assert same(back, array)
    assert back.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert back.dtype.fields == array.dtype.fields
    assert back.flags.writeable
    assert back.flags.aligned
    assert back.flags.f_contiguous == (array.flags.f_contiguous or back.ndim < 2 or not back.size)


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(-0.0),
        np.int8(3),
        np.bool_(True),
        np.str_("ab"),
        np.bytes_(b"a"),
        np.datetime64("NaT", "s"),
        np.float16(1),
    ],
)
def test_numpy_scalars_stay_numpy_scalars(scalar: Any) -> None:
    """A numpy scalar does not become an array or a Python number."""
    back = around(scalar, data_only=True)
    assert type(back) is type(scalar)
    assert back.tobytes() == scalar.tobytes()


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([1, "a"], dtype=object),
        np.zeros(1, [("a", "O")]),
        np.rec.array([(1,)], dtype=[("a", "i4")]),
        np.ma.array([1]),
        np.array(["a"], dtype=np.dtypes.StringDType()),
        np.zeros(1, np.dtype("i4", metadata={"a": 1})),
        np.str_("a\0"),
    ],
    ids=type_of,
)
def test_arrays_that_bytes_do_not_tell_are_not_taken_as_bytes(value: object) -> None:
    """Objects, subclasses and metadata are left to pickle."""
    with pytest.raises(UnstorableError):
        CODECS.choose(value, data_only=True)


@pytest.mark.parametrize(
    "dtype", ["O", "|O8", "i4,O", "T", "O,O", "(2,)O", "f8[__import__]", {"base": "O", "shape": [1]}]
)
def test_an_array_entry_that_claims_to_hold_objects_is_damaged(dtype: object) -> None:
    """Bytes are never read as pointers."""
    import msgspec

    head = msgspec.msgpack.encode([dtype, [1], "C", False])
    with pytest.raises(DamagedError):
        CODECS.decode("numpy", private([head, b"\1" * 8]), data_only=True)


def test_an_array_costs_no_copy_to_encode_and_none_to_decode() -> None:
    """Encoding 10 MB looks at the array's memory, decoding adopts the segment's."""
    array = np.arange(1_250_000, dtype="f8")
    tracemalloc.start()
    try:
        name, segments = CODECS.choose(array, data_only=False)
        encoding = tracemalloc.get_traced_memory()[1]
        mine = private(segments)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        back: Any = CODECS.decode(name, mine, data_only=False)
        decoding = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert encoding < 100_000
    assert decoding < 100_000
    assert same(back, array)


def test_pickled_arrays_travel_out_of_band() -> None:
    """An array within a container is a segment of its own, a small one is not."""
    value = [np.zeros(100_000), np.zeros(3)]
    name, segments = CODECS.choose(value, data_only=False)
    assert name == "pickle"
    assert [memoryview(each).nbytes for each in segments[1:]] == [800_000]
    assert len(segments[0]) < 2000


def test_an_unaligned_segment_decodes_to_an_aligned_array() -> None:
    """A payload that starts at an odd address costs a copy, nothing else."""
    name, segments = CODECS.choose(np.arange(5.0), data_only=True)
    shifted = [memoryview(bytearray(b"x" + bytes(each)))[1:] for each in segments]
    back: Any = CODECS.decode(name, shifted, data_only=True)
    assert back.flags.aligned
    assert same(back, np.arange(5.0))


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


MALICIOUS = pickle.dumps(Malicious(), protocol=5)


@given(
    name=st.sampled_from([codec.name for codec in CODECS]),
    tail=st.lists(st.binary(max_size=20), max_size=2),
    prefix=st.binary(max_size=3),
)
def test_a_malicious_pickle_never_runs_in_data_only_mode(name: str, tail: list[bytes], prefix: bytes) -> None:
    """Whatever codec an unsealed entry names, its bytes stay bytes."""
    RAN.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickle, "loads", record)
        with pytest.raises(SealError) if name == "pickle" else contextlib.suppress(DamagedError):
            CODECS.decode(name, private([prefix + MALICIOUS, *tail]), data_only=True)
    assert RAN == []


def test_a_malicious_pickle_does_run_where_pickle_is_allowed() -> None:
    """The bytes of the tests around are truly malicious."""
    RAN.clear()
    CODECS.decode("pickle", private([MALICIOUS]), data_only=False)
    assert RAN == ["ran"]


def test_pickle_hidden_as_a_leaf_of_plain_data_is_damaged() -> None:
    """The tree of a data-only entry can't name a codec that runs code."""
    import msgspec

    leaf = msgspec.msgpack.encode(["pickle", MALICIOUS])
    tree = msgspec.msgpack.encode(msgspec.msgpack.Ext(0, leaf))
    RAN.clear()
    with pytest.raises(DamagedError):
        CODECS.decode("plain", private([tree]), data_only=True)
    assert RAN == []


@given(name=st.sampled_from([c.name for c in CODECS if c.data_only]), segments=st.lists(st.binary(max_size=60)))
def test_arbitrary_bytes_decode_or_are_damaged(name: str, segments: list[bytes]) -> None:
    """No bytes make a data-only codec fail in any other way."""
    with contextlib.suppress(EntryError):
        CODECS.decode(name, private(segments), data_only=True)


def test_an_unknown_codec_is_named_with_the_nearest() -> None:
    """An entry of a missing plugin says which codec it wants."""
    with pytest.raises(EntryError, match=r"unknown codec 'numpyy'.*did you mean 'numpy'"):
        CODECS.decode("numpyy", [], data_only=False)


def test_a_missing_library_is_not_damage() -> None:
    """An entry whose library is missing here is left as it is for those who have it."""
    absent = b"\x80\x05\x8c\x0brave_absent\x8c\x04Name\x93."
    with pytest.raises(EntryError, match="rave_absent") as caught:
        CODECS.decode("pickle", private([absent]), data_only=False)
    assert not isinstance(caught.value, DamagedError)


def generator() -> Any:
    """A value that can't be kept."""
    yield 1


def test_what_can_not_be_stored_is_named_with_the_reason(tmp_path: pathlib.Path) -> None:
    """Generators, locks, open files and local functions are refused with what is wrong."""
    with (tmp_path / "x").open("w") as file:
        for value, words in [
            (generator(), "generator.*return a list"),
            ({"a": [threading.Lock()]}, "dict can't be pickled.*lock"),
            (file, "TextIOWrapper.*@op_file"),
            (lambda: 1, "function.*lambda"),
        ]:
            with pytest.raises(UnstorableError, match=words):
                CODECS.choose(value, data_only=False)


def test_what_is_no_data_is_named_in_data_only_mode() -> None:
    """The message names the outer type, the type inside, and the way out."""
    with pytest.raises(UnstorableError, match=r"keeps this dict: .*Colour is no type.*signing_key"):
        CODECS.choose({"a": [Colour.RED]}, data_only=True)


@pytest.mark.parametrize("data_only", [True, False])
def test_a_bottomless_value_is_unstorable(data_only: bool) -> None:
    """Endless nesting ends in an error of ours, not in a crash."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnstorableError, match="nested"):
        CODECS.choose(value, data_only=data_only)


def test_a_list_that_holds_itself_is_kept_by_pickle_only() -> None:
    """Plain data has no references, pickle has."""
    value: list[Any] = []
    value.append(value)
    back = around(value, data_only=False)
    assert back[0] is back
    with pytest.raises(UnstorableError, match="contains itself"):
        CODECS.choose(value, data_only=True)


def test_the_deepest_data_that_is_taken_can_be_read() -> None:
    """Whatever depth is written is also decoded."""
    depth, value = 0, ()
    while True:
        try:
            back = around(value, data_only=True)
        except UnstorableError:
            break
        assert back == value
        depth, value = depth + 1, (value,)
    assert depth > 50


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), ValueError("odd")])
def test_whatever_pickling_raises_is_unstorable(error: Exception) -> None:
    """A value's own ``__reduce__`` can't break the engine."""

    class Broken:
        def __reduce__(self) -> str:
            raise error

    with pytest.raises(UnstorableError, match="list can't be pickled") as caught:
        CODECS.choose([Broken()], data_only=False)
    assert caught.value.__cause__ is error


class Greedy:
    """A plugin's codec, with a name and a wish."""

    def __init__(self, name: str = "greedy", data_only: Any = True, wish: type = str) -> None:
        self.name = name
        self.data_only = data_only
        self.wish = wish

    def encode(self, value: object) -> list[Any] | None:
        """A codec that takes its wish."""
        return [b"!"] if isinstance(value, self.wish) else None

    def decode(self, segments: list[memoryview]) -> object:
        """A codec that has one answer."""
        return "mine"


def test_plugins_are_asked_before_the_builtins_in_order() -> None:
    """A plugin's codec takes even text, the first registered first."""
    codecs = Codecs()
    codecs.add(Greedy("one", wish=bytes), "plugin one")
    codecs.add(Greedy("two", wish=object), "plugin two")
    assert [codec.name for codec in codecs][:3] == ["one", "two", "text"]
    assert codecs.choose(b"a", data_only=False)[0] == "one"
    assert codecs.choose("a", data_only=False)[0] == "two"
    assert codecs.decode("two", [], data_only=True) == "mine"
    assert codecs.origin("two") == "plugin two"


def test_a_plugin_that_can_run_code_is_left_out_of_data_only_mode() -> None:
    """The mode holds for plugins too."""
    codecs = Codecs()
    codecs.add(Greedy(data_only=False), "a plugin")
    assert codecs.choose("a", data_only=True)[0] == "text"
    with pytest.raises(SealError, match="greedy"):
        codecs.decode("greedy", [], data_only=True)


def test_two_codecs_of_one_name_are_an_error_naming_both() -> None:
    """A clash names both origins, and the first stays."""
    codecs = Codecs()
    with pytest.raises(DuplicateError, match=r"'numpy' of a plugin .*rave_core"):
        codecs.add(Greedy("numpy"), "a plugin")
    assert codecs.origin("numpy") == "rave_core"


@pytest.mark.parametrize("codec", [Greedy(""), Greedy(data_only="yes"), object()])
def test_a_codec_without_name_or_flag_is_refused(codec: Any) -> None:
    """What can't stand in a header is refused at registration."""
    with pytest.raises(PluginError, match="a plugin"):
        Codecs().add(codec, "a plugin")


def test_a_codec_that_fails_is_named() -> None:
    """A plugin's fault is reported as the plugin's."""

    class Failing(Greedy):
        def encode(self, value: object) -> list[Any] | None:
            raise KeyError("oops")

    codecs = Codecs()
    codecs.add(Failing(), "a plugin")
    with pytest.raises(UnstorableError, match="'greedy' of a plugin failed on int"):
        codecs.choose(1, data_only=False)


def test_pickling_does_not_run_on_what_an_earlier_codec_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array is not pickled as well."""
    monkeypatch.setattr(pickle, "dumps", record)
    RAN.clear()
    for value in (np.arange(3), "a", b"a", 1, pa.table({"a": [1]}), pl.DataFrame({"a": [1]})):
        CODECS.choose(value, data_only=False)
    assert RAN == []


def test_the_names_of_the_builtins_are_stable() -> None:
    """Entries out there name these codecs."""
    names = "text bytes bytearray scalar numpy arrow arrow.batch polars polars.series pickle pandas pandas.series plain"
    assert [codec.name for codec in builtin_codecs()] == names.split()
    codecs: tuple[Codec, ...] = builtin_codecs()
    assert [codec.name for codec in codecs if not codec.data_only] == ["pickle"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "a",
        b"a",
        1j,
        (),
        (1, ("a", frozenset({2}))),
        Decimal(1),
        Fraction(1, 2),
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")),
        dt.time(1),
        dt.timedelta(1),
        dt.UTC,
        UUID(int=1),
        ipaddress.ip_address("::1"),
        ipaddress.ip_network("10.0.0.0/8"),
        range(3),
        pathlib.Path("a"),
        pathlib.PurePosixPath("a"),
        Colour.RED,
        np.float64(1),
        pa.table({"a": [1]}),
        tuple(range(1000)),
    ],
    ids=type_of,
)
def test_what_nobody_can_change_is_immutable(value: object) -> None:
    """One such object may be handed to many callers."""
    assert is_immutable(value)


class Zone(dt.tzinfo):
    """A time zone with state of its own."""


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        set(),
        bytearray(),
        ([],),
        (1, (2, {})),
        frozenset({Point(1)}),
        Point(1),
        Text("a"),
        dt.datetime(2024, 1, 1, tzinfo=Zone()),
        np.arange(3),
        np.zeros(1, [("a", "i4")])[0],
        pd.DataFrame(),
        pl.DataFrame(),
        tuple(range(1001)),
        tuple((each,) for each in range(600)),
        object(),
        Colour,
    ],
    ids=type_of,
)
def test_what_may_change_or_is_unknown_is_not_immutable(value: object) -> None:
    """Subclasses, mutable parts and very long tuples are decoded afresh instead."""
    assert not is_immutable(value)

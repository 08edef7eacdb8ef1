"""None"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import pathlib
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import UnstorableError
from tests.core.codecs.sample_values import (
    CODECS,
    Colour,
    Point,
    Text,
    around,
    chosen,
    private,
    same,
    type_of,
)

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

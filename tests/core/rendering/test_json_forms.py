"""Values as JSON: what has a form, what is refused, and that it is valid."""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import datetime as dt
import enum
import json
import math
import pickle
import subprocess
import sys
import uuid
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_network
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import UnrenderableError
from rave_core.rendering import (
    arrow_file_of,
    arrow_stream_of,
    csv_of,
    json_of,
    looks_plain,
    parquet_of,
    text_of,
)
from tests.core.rendering.rendered_values import Mute


class _Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


@dataclasses.dataclass
class _Point:
    x: int
    tags: set[str]


@attrs.frozen
class _Host:
    name: str


class _Tree(msgspec.Struct, rename="camel", tag="tree"):
    leaf_count: int
    note: str | msgspec.UnsetType = msgspec.UNSET


class _Pair(msgspec.Struct, array_like=True):
    a: int
    b: set[str]


class _Name(str):
    __slots__ = ()


UTC = dt.UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([math.nan, math.inf, -math.inf, 1.5], [None, None, None, 1.5]),
        ([2**200, -(2**63) - 1, True, None], [2**200, -(2**63) - 1, True, None]),
        (Decimal("1.10"), "1.10"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC), "2026-01-02T03:04:05.600000Z"),
        (dt.datetime(1880, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=3208))), "1880-01-01T00:00:00+00:53:28"),
        ([dt.date(2026, 1, 2), dt.time(1, 2), dt.timedelta(hours=1)], ["2026-01-02", "01:02:00", "PT3600S"]),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": b"\xff", "b": bytearray(b"\xfe"), "c": memoryview(b"\xfd")}, {"a": "/w==", "b": "/g==", "c": "/Q=="}),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset((3, 20, 1)), [1, 3, 20]),
        ({3, None, "a"}, ["a", 3, None]),
        ([_Colour.RED, _Colour.PAIR], ["red", [1, 2]]),
        (_Point(1, {"b", "a"}), {"x": 1, "tags": ["a", "b"]}),
        (_Host("a"), {"name": "a"}),
        (_Tree(3), {"type": "tree", "leafCount": 3}),
        (_Pair(1, {"b", "a"}), [1, ["a", "b"]]),
        (msgspec.Raw(b"[1]"), [1]),
        (_Name("a"), "a"),
        ([range(2), collections.deque([1]), MappingProxyType({"a": 1})], [[0, 1], [1], {"a": 1}]),
        (
            {None: 1, True: 2, 1.5: 4, dt.date(2026, 1, 2): 5, _Colour.RED: 6},
            {"null": 1, "true": 2, "1.5": 4, "2026-01-02": 5, "red": 6},
        ),
        (
            [Fraction(1, 2), ip_network("10.0.0.0/8"), PurePosixPath("/a"), 1 + 2j],
            ["1/2", "10.0.0.0/8", "/a", "(1+2j)"],
        ),
    ],
)
def test_json_has_a_form_for_what_programs_hold(value: Any, expected: Any) -> None:
    """Numbers of any size, times, sets in an order, classes by their fields, bytes as base64; nothing infinite."""
    assert looks_plain(value)
    assert json.loads(json_of(value), parse_constant=pytest.fail) == expected


def test_json_has_a_form_for_what_libraries_hold() -> None:
    """Arrays, columns, scalars, times in any unit, and tables within structures; what is missing is null."""
    import numpy
    import pandas
    import polars
    import pyarrow

    times = numpy.array(["2026-01-02T03:04:05.000000006", "NaT"], dtype="datetime64[ns]")
    value = {
        "array": numpy.array([[1, 2], [3, 4]], dtype="uint8"),
        "floats": numpy.array([1.5, numpy.nan], dtype="float32"),
        "long": [numpy.longdouble(1.5), numpy.array([2.5], dtype="longdouble")],
        "scalars": [numpy.float64(math.inf), numpy.int64(3), numpy.bool_(True), numpy.str_("a"), numpy.bytes_(b"a")],
        "masked": numpy.ma.masked_array([1, 2], mask=[True, False]),
        "times": [times, times[0], times[1]],
        "spans": numpy.array([1, "NaT"], dtype="timedelta64[s]"),
        "pandas": [pandas.Timestamp("2026-01-02"), pandas.NaT, pandas.NA, pandas.Series([1, None])],
        "polars": [polars.Series([1, 2]), polars.DataFrame({"a": [1]})],
        "pyarrow": [pyarrow.array([1, None]), pyarrow.scalar(3), pyarrow.table({"a": [1]})],
    }
    moment = "2026-01-02T03:04:05.000000006"
    assert looks_plain(value)
    assert json.loads(json_of(value), parse_constant=pytest.fail) == {
        "array": [[1, 2], [3, 4]],
        "floats": [1.5, None],
        "long": [1.5, [2.5]],
        "scalars": [None, 3, True, "a", "YQ=="],
        "masked": [None, 2],
        "times": [[moment, None], moment, None],
        "spans": ["PT1S", None],
        "pandas": ["2026-01-02T00:00:00", None, None, [1.0, None]],
        "polars": [[1, 2], [{"a": 1}]],
        "pyarrow": [[1, None], 3, [{"a": 1}]],
    }


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([object()], "it holds a object"),
        ({"a": {"b": lambda: 1}}, "it holds a function"),
        ([int], "it holds a type"),
        ({(1, 2): 3}, "a mapping with a tuple as key"),
        ((item for item in ()), "it holds a generator"),
        ([Mute()], "RuntimeError: no words"),
        (["\ud800"], "UnicodeEncodeError"),
        (_endless(), "too deep, or holds itself"),
        (msgspec.Raw(b"[1"), "DecodeError"),
    ],
)
def test_what_has_no_form_in_json_is_refused(value: Any, reason: str) -> None:
    """By one error, whatever the code of the value raises; it says what stands in the way."""
    with pytest.raises(UnrenderableError, match=reason) as caught:
        json_of(value)
    assert str(caught.value).startswith("json needs something JSON has a form for (")
    assert str(caught.value).endswith(f", not {type(value).__name__}; text would do")


def test_a_look_tells_what_has_no_form_in_json() -> None:
    """Among its first thousand parts, without walking through large arrays."""
    import numpy

    assert not looks_plain({"a": [object()]})
    assert not looks_plain({(1, 2): 3})
    assert looks_plain(numpy.zeros(10_000_000))
    assert looks_plain([0] * 1000 + [object()])


_leaves = (
    (st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.datetimes())
    | st.timedeltas()
    | st.uuids()
    | st.fractions()
    | st.complex_numbers()
    | st.sampled_from(_Colour)
)


_keys = st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.dates() | st.tuples(st.integers())


_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner) | st.dictionaries(_keys, inner) | st.tuples(inner) | st.sets(st.integers() | st.text())
    ),
    max_leaves=20,
)


@given(_values)
def test_json_is_valid_and_finite_whatever_the_value(value: Any) -> None:
    """Or it is refused; two makings are the same bytes, in one line or indented."""
    try:
        written = json_of(value)
    except UnrenderableError:
        return
    parsed = json.loads(written, parse_constant=pytest.fail)
    assert msgspec.json.decode(written) == parsed == json.loads(json_of(value, indent=2))
    assert json_of(value) == written


@given(st.lists(st.dictionaries(st.text(max_size=3), _values, max_size=3), max_size=4))
def test_a_table_takes_each_form_or_is_refused(table: list[dict[str, Any]]) -> None:
    """Nothing else escapes, whatever stands in its cells."""
    for form in (text_of, csv_of, json_of, arrow_stream_of, arrow_file_of, parquet_of):
        with contextlib.suppress(UnrenderableError):
            assert isinstance(form(table), bytes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", b"a"),
        ("a\n", b"a\n"),
        ("\udcff", b"\xff"),
        (b"\xff", b"\xff"),
        (1.5, b"1.5"),
        (True, b"true"),
        (None, b"null"),
        (Decimal("1.10"), b"1.10"),
        (dt.date(2026, 1, 2), b"2026-01-02"),
        ([1], b"[\n  1\n]"),
        ({"a": {1}}, b'{\n  "a": [\n    1\n  ]\n}'),
    ],
)
def test_texts_are_exact(value: Any, text: bytes) -> None:
    """No newline is added; structures are JSON for people."""
    assert text_of(value) == text


def test_the_text_of_a_long_array_is_whole() -> None:
    """The str of an array leaves out its middle."""
    import numpy
    import pandas

    for array in (numpy.arange(5000), pandas.Series(range(5000))):
        assert json.loads(text_of(array)) == list(range(5000))


def test_what_has_no_text_is_refused() -> None:
    """A str that fails, or that UTF-8 can't spell, is an error of ours."""
    for value in (Mute(), "\ud800", 10**5000):
        with pytest.raises(UnrenderableError, match="text needs something that UTF-8 can spell"):
            text_of(value)


def test_what_is_no_table_is_refused() -> None:
    """The error names the form, the type, and what would do; it survives a pickle."""
    for form in (csv_of, arrow_stream_of, arrow_file_of, parquet_of):
        with pytest.raises(UnrenderableError, match="needs a table, not int; text or json would do"):
            form(1)
    with pytest.raises(
        UnrenderableError, match=r"arrow needs a table with columns of one type each \(.*csv or json would"
    ):
        arrow_file_of([{"a": 1}, {"a": "x"}])
    with pytest.raises(UnrenderableError) as caught:
        csv_of(1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (UnrenderableError, "csv needs a table, not int; text or json would do")


def test_binary_within_a_table_is_base64_in_json() -> None:
    """JSON has no bytes."""
    import pyarrow

    assert json.loads(json_of(pyarrow.table({"a": [b"\x00\xff"]}))) == [{"a": base64.b64encode(b"\x00\xff").decode()}]


TIMES = """
import struct, sys, datetime as dt, pyarrow as pa
from rave_core.rendering import rows_of
when = dt.datetime(2024, 5, 14, 12, 0, 0, 250000, tzinfo=dt.UTC)
for unit, per_second in (("s", 1), ("ms", 1000), ("us", 1000000)):
    exact = when.replace(microsecond=0) if unit == "s" else when
    early = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
    # From memory: pa.array imports pandas, too.
    passed = struct.pack("3q", int(exact.timestamp() * per_second), 0, int(early.timestamp() * per_second))
    buffers = [pa.py_buffer(bytes([0b101])), pa.py_buffer(passed)]
    table = pa.table({"ts": pa.Array.from_buffers(pa.timestamp(unit, "UTC"), 3, buffers)})
    assert [row[0] for row in rows_of(table, "csv").rows] == [exact, None, early], unit
assert "pandas" not in sys.modules
"""


def test_times_of_a_table_are_shown_without_importing_pandas() -> None:
    """A second and a half for every table with times in it would be too much; the times are the same, to the bit."""
    subprocess.run([sys.executable, "-c", TIMES], check=True)


SETS = "from rave_core.rendering import json_of; print(json_of({'a': {'x', 'y', 'z'}, 'b': frozenset('uvw')}).decode())"


def test_sets_have_one_order_in_every_process() -> None:
    """Two workers, or one after a restart, give the same bytes, and so the same validator."""
    made = {
        subprocess.run(
            [sys.executable, "-c", SETS], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert made == {b'{"a":["x","y","z"],"b":["u","v","w"]}\n'}

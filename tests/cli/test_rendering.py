from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from rave_core.cli.rendering import format_for, rendered, rows_of
from rave_core.errors import OptionError


def _tables() -> list[Any]:
    import pandas
    import polars
    import pyarrow

    columns = {"name": ["a", "b"], "n": [1, 2]}
    return [
        pyarrow.table(columns),
        pyarrow.RecordBatch.from_pydict(columns),
        pandas.DataFrame(columns),
        polars.DataFrame(columns),
        [{"name": "a", "n": 1}, {"name": "b", "n": 2}],
    ]


@pytest.mark.parametrize("index", range(5))
def test_tables_of_every_library_look_the_same(index: int) -> None:
    """pyarrow, pandas, polars and lists of dicts give equal CSV, JSON and Parquet."""
    import pyarrow.parquet

    table = _tables()[index]
    assert rendered(table, "csv", "x") == b"name,n\na,1\nb,2\n"
    assert json.loads(rendered(table, "json", "x")) == [{"name": "a", "n": 1}, {"name": "b", "n": 2}]
    read = pyarrow.parquet.read_table(pyarrow.BufferReader(rendered(table, "parquet", "x")))
    assert read.to_pydict() == {"name": ["a", "b"], "n": [1, 2]}


def test_the_index_of_a_data_frame_is_a_column() -> None:
    """An index that says something is not lost."""
    import pandas

    frame = pandas.DataFrame({"n": [1]}, index=pandas.Index(["a"], name="name"))
    assert rendered(frame, "csv", "x") == b"name,n\na,1\n"


def test_rows_with_other_keys_leave_cells_empty() -> None:
    """The columns are those of all rows, in the order first seen."""
    assert rendered([{"a": 1}, {"b": 2, "a": 3}], "csv", "x") == b"a,b\n1,\n3,2\n"


@dataclasses.dataclass
class Point:
    x: int
    at: dt.date


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a\n"),
        (1, "1\n"),
        (1.5, "1.5\n"),
        (True, "true\n"),
        (None, "null\n"),
        (Decimal("1.10"), "1.10\n"),
        (dt.date(2026, 1, 2), "2026-01-02\n"),
        ([], "[]\n"),
        (b"\xff", None),
    ],
)
def test_plain_values_print_as_they_are(value: object, text: str | None) -> None:
    """Text, numbers and dates as they are, what JSON knows as JSON, bytes raw."""
    assert rendered(value, "text", "x") == (b"\xff" if text is None else text.encode())


def test_structures_print_as_json_and_the_rest_by_repr() -> None:
    """Dataclasses, arrays and dates have a form in JSON; where something has none, its repr is better than nothing."""
    import numpy

    value = {"point": Point(1, dt.date(2026, 1, 2)), "array": numpy.arange(3), "scalar": numpy.float64(0.5)}
    expected = {"point": {"x": 1, "at": "2026-01-02"}, "array": [0, 1, 2], "scalar": 0.5}
    assert json.loads(rendered(value, "text", "x")) == expected
    thing = object()
    assert rendered([thing], "text", "x") == f"[{thing!r}]\n".encode()
    with pytest.raises(OptionError, match="json needs something JSON has a form for"):
        rendered([thing], "json", "x")


def test_a_format_that_does_not_fit_is_refused() -> None:
    """What is no table can't be CSV; the message names the operation and what would do."""
    with pytest.raises(OptionError, match="lab/x: --format csv needs a table, not int; use text or json"):
        rows_of(1, "lab/x", "csv")
    with pytest.raises(OptionError, match="--format parquet needs a table"):
        rendered("text", "parquet", "lab/x")


def test_the_format_is_chosen_by_wish_then_suffix_then_reader() -> None:
    """A person gets a table, a pipe CSV; what is asked for comes first."""
    table = [{"a": 1}]
    assert format_for(table, "json", path="x.csv") == "json"
    assert format_for(table, None, path="x.csv") == "csv"
    assert format_for(table, None, path="x.dat") == "csv"
    assert format_for(table, None, is_terminal=True) == "table"
    assert format_for(table, None) == "csv"
    assert format_for("text", None, is_terminal=True) == "text"


TIMES = """
import struct, sys, datetime as dt, pyarrow as pa
from rave_core.cli.rendering import rows_of
when = dt.datetime(2024, 5, 14, 12, 0, 0, 250000, tzinfo=dt.UTC)
for unit, per_second in (("s", 1), ("ms", 1000), ("us", 1000000)):
    exact = when.replace(microsecond=0) if unit == "s" else when
    early = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
    # From memory: pa.array imports pandas, too.
    passed = struct.pack("3q", int(exact.timestamp() * per_second), 0, int(early.timestamp() * per_second))
    buffers = [pa.py_buffer(bytes([0b101])), pa.py_buffer(passed)]
    table = pa.table({"ts": pa.Array.from_buffers(pa.timestamp(unit, "UTC"), 3, buffers)})
    assert [row[0] for row in rows_of(table, "op", "csv").rows] == [exact, None, early], unit
assert "pandas" not in sys.modules
"""


def test_times_of_a_table_are_shown_without_importing_pandas() -> None:
    """A second and a half for every table with times in it would be too much; the times are the same, to the bit."""
    subprocess.run([sys.executable, "-c", TIMES], check=True)

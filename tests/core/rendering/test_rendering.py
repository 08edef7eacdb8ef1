"""None"""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest

from rave_core.errors import UnrenderableError
from rave_core.rendering import (
    arrow_file_of,
    arrow_stream_of,
    cell_text,
    csv_of,
    is_table,
    json_of,
    parquet_of,
    rows_of,
    text_of,
)
from tests.core.rendering.rendered_values import Mute


def _tables(columns: dict[str, list[Any]]) -> list[Any]:
    import pandas
    import polars
    import pyarrow

    return [
        pyarrow.table(columns),
        pyarrow.RecordBatch.from_pydict(columns),
        pandas.DataFrame(columns),
        polars.DataFrame(columns),
        [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
    ]


@pytest.mark.parametrize("index", range(5))
def test_tables_of_every_library_look_the_same(index: int) -> None:
    """pyarrow, pandas, polars and lists of dicts give equal CSV, JSON, Parquet and Arrow."""
    import pyarrow.parquet

    table = _tables({"name": ["a", "b"], "n": [1, 2]})[index]
    assert is_table(table)
    assert csv_of(table) == text_of(table) == b"name,n\na,1\nb,2\n"
    assert json.loads(json_of(table)) == [{"name": "a", "n": 1}, {"name": "b", "n": 2}]
    assert pyarrow.ipc.open_file(arrow_file_of(table)).read_all().to_pydict() == {"name": ["a", "b"], "n": [1, 2]}
    assert pyarrow.ipc.open_stream(arrow_stream_of(table)).read_all().to_pydict() == {"name": ["a", "b"], "n": [1, 2]}
    assert pyarrow.parquet.read_table(io.BytesIO(parquet_of(table))).to_pydict() == {"name": ["a", "b"], "n": [1, 2]}


@pytest.mark.parametrize("index", range(5))
def test_the_first_rows_of_a_table_can_be_had_alone(index: int) -> None:
    """With all of its columns."""
    found = rows_of(_tables({"name": ["a", "b", "c"], "n": [1, 2, 3]})[index], "html", most=2)
    assert (found.columns, [tuple(row) for row in found.rows]) == (["name", "n"], [("a", 1), ("b", 2)])


def test_the_index_of_a_data_frame_is_a_column() -> None:
    """An index that says something is not lost, even if a column is called like it."""
    import pandas

    frame = pandas.DataFrame({"n": [1]}, index=pandas.Index(["a"], name="name"))
    assert csv_of(frame) == b"name,n\na,1\n"
    assert csv_of(frame.rename_axis("n")) == b"n,n\na,1\n"


def test_rows_with_other_keys_leave_cells_empty() -> None:
    """The columns are those of all rows, in the order first seen, in every form."""
    import pyarrow

    table = [{"a": 1}, {"b": 2, "a": 3}]
    assert csv_of(table) == b"a,b\n1,\n3,2\n"
    read = pyarrow.ipc.open_stream(arrow_stream_of(table)).read_all()
    assert read.to_pydict() == {"a": [1, 3], "b": [None, 2]}


def test_an_empty_list_is_a_table_without_rows_where_a_table_is_asked_for() -> None:
    """What finds nothing today gives the same forms as yesterday; asked for nothing special, it is a list."""
    import pyarrow

    assert not is_table([])
    assert text_of([]) == json_of([]) == b"[]"
    assert csv_of([]) == b""
    assert pyarrow.ipc.open_stream(arrow_stream_of([])).read_all().num_rows == 0


def test_a_table_that_would_lose_a_column_has_no_json() -> None:
    """Of two members with one name most readers keep one; CSV keeps both."""
    import pyarrow

    table = pyarrow.table([[1], [2]], names=["a", "a"])
    assert csv_of(table) == b"a,a\n1,2\n"
    with pytest.raises(UnrenderableError, match="two columns of the same name"):
        json_of(table)
    with pytest.raises(UnrenderableError, match="two keys of the same text"):
        json_of({1: "a", "1": "b"})


def test_cells_hold_what_a_person_can_read() -> None:
    """Nothing for what is missing, structures as JSON, bytes as text or else base64."""
    import pandas

    row = {
        "a": None,
        "b": [1, {"c": 2}],
        "c": b"text",
        "d": b"\xff",
        "e": pandas.NaT,
        "f": True,
        "g": dt.date(2026, 1, 2),
    }
    assert csv_of([row]) == b'a,b,c,d,e,f,g\n,"[1,{""c"":2}]",text,/w==,,True,2026-01-02\n'
    assert cell_text(Mute()) == "<Mute>"
    assert cell_text([object]) == "[<class 'object'>]"

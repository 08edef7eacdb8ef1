"""Rows that a query wants, in order, and as a stream."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from rave_core.errors import UnrenderableError
from rave_http.protocol.problems import Problem
from rave_http.representation import table_rows
from rave_http.representation.row_forms import BATCH, GROUP, stream_of
from rave_http.representation.row_order import RowOrder
from rave_http.representation.table_query import read_table_query
from rave_http.representation.table_rows import Matching, TableRows

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
TABLE = pyarrow.table(
    {
        "name": ["web", "mail", None, "Webmail", ""],
        "bytes": [30, 10, 20, None, 10],
        "at": pyarrow.array([NOON + dt.timedelta(hours=n) for n in range(5)], pyarrow.timestamp("us", "UTC")),
        "ok": [True, False, True, None, True],
        "kind": pyarrow.array(["a", "b", "a", "a", None]).dictionary_encode(),
        "a=b": [1, 2, 3, 4, 5],
    }
)


def found(rows: TableRows | None = None, **texts: Any) -> Matching:
    """The rows that these texts ask for."""
    query = read_table_query(TABLE.schema.names, **{name: [text] for name, text in texts.items()})
    return (rows or TableRows()).find(TABLE, query, digest="d")


def places(matching: Matching) -> list[int]:
    """The places of rows in the table."""
    return [int(each) - 1 for each in matching.part(0, 100).column("a=b").to_pylist()]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("bytes>=20", [0, 2]),
        ("bytes<20", [1, 4]),
        ("bytes!=10", [0, 2, 3]),
        ("bytes=", [3]),
        ("bytes!=", [0, 1, 2, 4]),
        ("name~WEB", [0, 3]),
        ("name=", [2, 4]),
        ("name=web", [0]),
        ("ok=true", [0, 2, 4]),
        ("kind=a", [0, 2, 3]),
        ("at>2026-11-25 13:30:00", [2, 3, 4]),
        ("at>=2026-11-25T14:00:00+01:00", [1, 2, 3, 4]),
        ("a=b=3", [2]),
        ("a=b>3", [3, 4]),
    ],
)
def test_conditions_choose_rows(where: str, rows: list[int]) -> None:
    """What is missing fulfils none but the empty one, and 'is not'."""
    assert places(found(where=where)) == rows


@pytest.mark.parametrize(
    "texts",
    [
        {"where": "nothing=1"},
        {"where": "bytes"},
        {"where": "bytes>many"},
        {"where": "ok=maybe"},
        {"where": "at<yesterday"},
        {"sort": "nothing"},
        {"columns": "name,nothing"},
        {"facet": "nothing"},
    ],
)
def test_what_makes_no_sense_is_refused(texts: dict[str, str]) -> None:
    """With the parameter that is wrong."""
    with pytest.raises(Problem) as caught:
        found(**texts)
    assert caught.value.errors[0]["parameter"] == next(iter(texts))


def test_rows_are_sorted() -> None:
    """By several columns; equal rows keep their order, and what is missing comes last."""
    assert places(found(sort="bytes,-name")) == [1, 4, 2, 0, 3]
    assert places(found(sort="-bytes")) == [0, 2, 1, 4, 3]
    assert places(found(sort="-a=b", where="bytes=10")) == [4, 1]


def test_the_next_page_needs_no_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a count that somebody asked for: both are remembered for the digest of the table."""
    rows = TableRows()
    found(rows, sort="-bytes").part(0, 2)
    counts = found(rows, facet="kind").counts
    monkeypatch.setattr(RowOrder, "places", None)
    monkeypatch.setattr(pyarrow.compute, "value_counts", None)
    assert found(rows, sort="-bytes", columns="a=b").part(2, 2).column(0).to_pylist() == [2, 5]
    assert found(rows, facet="kind").counts == counts


def test_any_part_of_an_order_is_found() -> None:
    """Also one that lies in several of the blocks that are kept, and one behind the last row."""
    table = pyarrow.table({"n": range(25_000)})
    matching = TableRows().find(table, read_table_query(["n"], sort=["-n"]), digest="d")
    assert matching.part(9_000, 12_000).column(0).to_pylist() == list(range(15_999, 3_999, -1))
    assert matching.part(24_999, 5).column(0).to_pylist() == [0]
    assert matching.part(25_000, 5).num_rows == matching.part(90_000, 5).num_rows == 0


def test_too_many_rows_are_sorted_for_pages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants all of them is told."""
    monkeypatch.setattr(table_rows, "MOST_SORTED", 4)
    assert places(found(sort="-bytes")) == [0, 2, 1, 4, 3]
    with pytest.raises(Problem, match="5 rows are too many to sort: 4 at most"):
        found(sort="-bytes").in_order()
    assert places(found(sort="-bytes", where="bytes>=10").in_order()) == [0, 2, 1, 4]


def test_values_are_counted() -> None:
    """The most frequent ones first, among the rows that fulfil the conditions."""
    assert found(facet="kind").counts == (("a", 3), ("b", 1), (None, 1))
    assert dict(found(facet="kind", where="bytes<=10").counts) == {"b": 1, None: 1}


def streamed(matching: Matching, form: str, **part: int) -> bytes:
    """All that is sent."""
    return b"".join(stream_of(matching, form, **part))


def test_a_long_table_is_streamed_in_pieces() -> None:
    """In every form with the same rows, whatever the length."""
    count = 2 * BATCH + 7
    table = pyarrow.table({"n": list(range(count)), "text": [f'{n},"x"' for n in range(count)]})
    matching = TableRows().find(table, read_table_query(["n", "text"], sort=["-n"])).in_order()
    assert len(list(stream_of(matching, "csv"))) == 4
    read = list(csv.reader(io.StringIO(streamed(matching, "csv").decode())))
    assert (read[0], read[1], read[-1]) == (["n", "text"], [str(count - 1), f'{count - 1},"x"'], ["0", '0,"x"'])
    assert len(read) == count + 1
    lines = streamed(matching, "ndjson", start=5, count=2).splitlines()
    assert [json.loads(line)["n"] for line in lines] == [count - 6, count - 7]
    assert len(list(stream_of(matching, "arrow"))) == 4
    arrow = pyarrow.ipc.open_stream(streamed(matching, "arrow")).read_all()
    assert arrow.column("n").to_pylist() == list(range(count - 1, -1, -1))


def test_parquet_is_streamed_in_row_groups() -> None:
    """The same rows in order, in the memory of one group: the end of the file says where each begins."""
    count = GROUP + 7
    table = pyarrow.table(
        {"n": list(range(count)), "at": pyarrow.array([NOON] * count, pyarrow.timestamp("us", "UTC"))}
    )
    matching = TableRows().find(table, read_table_query(["n", "at"], sort=["-n"]))
    pieces = list(stream_of(matching, "parquet"))
    assert len(pieces) == 3
    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(b"".join(pieces)))
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [GROUP, 7]
    assert file.read().column("n").to_pylist() == list(range(count - 1, -1, -1))
    assert file.schema_arrow == table.schema
    part = streamed(matching, "parquet", start=5, count=2)
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(part)).column("n").to_pylist() == [count - 6, count - 7]


def test_what_parquet_has_no_type_for_is_refused_before_anything_is_sent() -> None:
    """With the forms that have one."""
    table = pyarrow.table({"gap": pyarrow.array([(1, 2, 3)], pyarrow.month_day_nano_interval())})
    matching = TableRows().find(table, read_table_query(["gap"]))
    with pytest.raises(UnrenderableError, match="types that Parquet has"):
        stream_of(matching, "parquet")


def test_cells_that_arrow_does_not_write_as_csv_are_written() -> None:
    """As in the product's own CSV."""
    table = pyarrow.table({"list": [[1, 2]], "at": pyarrow.array([NOON], pyarrow.timestamp("us", "UTC"))})
    matching = TableRows().find(table, read_table_query(["list", "at"]))
    assert streamed(matching, "csv") == b'list,at\n"[1,2]",2026-11-25 12:00:00+00:00\n'


def test_no_rows_are_sent_as_none() -> None:
    """With their columns."""
    matching = found(where="bytes>1000")
    assert streamed(matching, "csv").count(b"\n") == 1
    assert streamed(matching, "ndjson") == b""
    assert pyarrow.ipc.open_stream(streamed(matching, "arrow")).read_all().num_rows == 0
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(streamed(matching, "parquet"))).num_rows == 0

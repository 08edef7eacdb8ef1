"""When the flows of a file start, found before it is read: of tables, Parquet, and logs with any order of columns."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rave_flow.formats import chunks
from rave_flow.formats.chunks import pieces_of, span_of
from rave_flow.formats.delimited import Titles
from rave_flow.formats.heads import Head
from rave_flow.formats.source_directory import SourceFile
from rave_flow.formats.spans import span_of_block, span_of_rows
from rave_flow.operations import top

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Runs = Callable[[str], int]
INGEST = "flow/steps:ingest"
START = 1715644800
TITLES = "note,start,src,sport,dst,dport,proto,bytes,packets\n"


def row(second: float, *, iso: bool = False) -> str:
    """A line of a table, in the first ten hours of a day."""
    time = START + second
    shown = datetime.fromtimestamp(time, UTC).isoformat() if iso else f"{time:.3f}"
    return f'"a, b",{shown},10.0.0.1,{4000 + int(second) % 60000},192.0.2.80,443,tcp,9,1\n'


def test_of_a_table_the_pieces_outside_the_window_are_not_read(
    serving: Serve, directory: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of ten hours in pieces; of a window of one, its pieces are read, and the answer is right."""
    monkeypatch.setattr(chunks, "LARGEST", 2048)
    (directory / "day.csv").write_text(TITLES + "".join(row(60.5 * number) for number in range(600)))
    serving(directory)
    before = runs(INGEST)
    table = top(start="2024-05-14T05:00", end="2024-05-14T06:00", over="proto")
    assert table["flows"].to_pylist() == [sum(5 * 3600 <= 60.5 * number < 6 * 3600 for number in range(600))]
    assert 1 <= runs(INGEST) - before <= 6
    assert top(over="proto")["flows"].to_pylist() == [600]


def test_of_a_table_that_grew_the_last_piece_is_read(
    serving: Serve, directory: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a log: what was read before stays."""
    monkeypatch.setattr(chunks, "LARGEST", 2048)
    table = directory / "day.csv"
    table.write_text("\ufeff" + TITLES + "".join(row(60.5 * number, iso=True) for number in range(500)))
    serving(directory)
    assert top(over="proto")["flows"].to_pylist() == [500]
    before = runs(INGEST)
    with table.open("a") as end:
        end.write(row(40000.5) + row(40001.5))
    assert top(over="proto")["flows"].to_pylist() == [502]
    assert runs(INGEST) - before == 1


@pytest.mark.parametrize(
    "kind", [pyarrow.timestamp("us"), pyarrow.timestamp("ns", "Europe/Berlin"), pyarrow.float64(), pyarrow.int64()]
)
def test_of_parquet_its_statistics_show_the_span(
    serving: Serve, directory: Path, runs: Runs, kind: pyarrow.DataType
) -> None:
    """Files outside of a window are not read, whatever the type of their times."""
    for hour in range(3):
        seconds = [START + hour * 3600 + number for number in (0, 1800)]
        values: list[Any] = list(seconds)
        if pyarrow.types.is_timestamp(kind):
            values = [datetime.fromtimestamp(second, UTC) for second in seconds]
            values = values if kind.tz else [value.replace(tzinfo=None) for value in values]
        columns = {
            "ts": pyarrow.array(values, kind), "src": ["10.0.0.1", "10.0.0.2"], "src_port": [1, 2],
            "dst": ["192.0.2.1"] * 2, "dst_port": [80, 80], "proto": ["tcp"] * 2, "bytes": [1, 1], "packets": [1, 1],
        }  # fmt: skip
        pyarrow.parquet.write_table(pyarrow.table(columns), directory / f"{hour}.parquet")
        assert span_of(SourceFile.at(directory / f"{hour}.parquet")) == (seconds[0], seconds[1])
    serving(directory)
    before = runs(INGEST)
    table = top(start="2024-05-14T01:00", end="2024-05-14T02:00", over="proto")
    assert (table["flows"].to_pylist(), runs(INGEST) - before) == ([2], 1)


def test_what_does_not_show_its_span_is_read(directory: Path) -> None:
    """Texts as times of Parquet, one without statistics, a table with a line that may not count."""
    columns = {
        "ts": [str(START)], "src": ["10.0.0.1"], "src_port": [1], "dst": ["192.0.2.1"], "dst_port": [80],
        "proto": ["tcp"], "bytes": [1], "packets": [1],
    }  # fmt: skip
    pyarrow.parquet.write_table(pyarrow.table(columns), directory / "a.parquet")
    bare = pyarrow.table({**columns, "ts": [START]})
    pyarrow.parquet.write_table(bare, directory / "b.parquet", write_statistics=False)
    for name, extra in (("c", "x,soon,10.0.0.1,1,192.0.2.1,2,tcp,1,1\n"), ("d", "too,few\n"), ("e", "")):
        content = (TITLES + row(3.5) + extra + row(7.25)).encode()
        (directory / f"{name}.csv.gz").write_bytes(gzip.compress(content))
        (directory / f"{name}.csv").write_bytes(content)
    spans = {path.name: span_of(SourceFile.at(path)) for path in sorted(directory.iterdir())}
    assert {name for name, span in spans.items() if span} == {"e.csv", "e.csv.gz"}
    assert spans["e.csv.gz"] == (START + 3, START + 7)
    assert [piece.span for piece in pieces_of(SourceFile.at(directory / "c.csv"))] == [None]


@given(st.lists(st.integers(10**9, 4 * 10**9 - 1), min_size=1, max_size=50), st.integers(0, 3), st.sampled_from("\t|"))
def test_a_log_may_have_its_times_in_any_column(times: list[int], place: int, separator: str) -> None:
    """The span is that of plain Python; comments do not count, and a line that is too short makes it unknown."""
    fields = ["a", "b", "c"]
    fields.insert(place, "ts")
    lines = []
    for time in times:
        values = ["x1", "", "4.5"]
        values.insert(place, f"{time}.25")
        lines.append(separator.join(values))
    head = Head(tuple(fields), separator=separator)
    block = "\n".join([f"#fields{separator}ts", *lines, "#close\t2024", ""]).encode()
    assert span_of_block(block, head) == (min(times), max(times))
    if place:
        assert span_of_block(block + b"short\n", head) is None
    assert span_of_block(block + separator.join(["9.5"] * 4).encode() + b"\n", head) is None


@given(st.lists(st.integers(0, 10**6), max_size=50))
def test_the_span_of_rows_is_that_of_plain_python(seconds: list[int]) -> None:
    """In whole seconds, as ISO 8601 or as a number."""
    block = "".join(row(second + 0.5, iso=bool(second % 2)) for second in seconds).encode()
    titles = Titles(tuple(TITLES.strip().split(",")), ",")
    found = span_of_rows(block, titles)
    assert found == ((START + min(seconds), START + max(seconds)) if seconds else (2**62, -1))

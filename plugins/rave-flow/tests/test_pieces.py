"""The parts in which logs are read: what is read again when one grows, and that it does not matter how they are cut."""

from __future__ import annotations

import gzip
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rave_flow.formats import chunks
from rave_flow.formats.chunks import blocks, pieces_of
from rave_flow.formats.parquet_files import summarize
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.formats.zeek import Log
from rave_flow.inventory import Inventory
from rave_flow.model.duckdb_connection import connected
from rave_flow.operations.tables import daily, top

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Runs = Callable[[str], int]
Row = dict[str, Any]
INGEST = "flow/steps:ingest"
NAMES = ["ts", "src", "src_port", "dst", "dst_port", "proto", "service", "duration", "bytes", "packets", "history"]
HEAD = "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(NAMES) + "\n"
FINE = ["1715680800.5", "10.0.0.1", "4000", "192.0.2.80", "443", "tcp", "ssl", "0.5", "150", "5", "ShADf"]


def row(**changes: str) -> str:
    """A line of a log with those fields, with its end."""
    values = dict(zip(NAMES, FINE, strict=True)) | changes
    return "\t".join(values[name] for name in NAMES) + "\n"


def flows_of(path: Path, target: Path) -> tuple[list[Row], int, str]:
    """The flows of a log, however many pieces it has; the skipped lines and the first of them."""
    rows, skipped, first_bad = [], 0, ""
    for piece in pieces_of(SourceFile.at(path)):
        to_parquet(piece, target)
        rows += pyarrow.parquet.read_table(target).to_pylist()
        said = summarize(target)
        assert sum(hour.rows for hour in said.hours) == pyarrow.parquet.read_metadata(target).num_rows
        skipped += said.left_out.skipped
        first_bad = first_bad or said.left_out.first
    return sorted(rows, key=str), skipped, first_bad


def test_of_a_log_that_grew_by_an_hour_about_an_hour_is_read(
    serving: Serve, generated: Path, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One log for the whole day: its last piece is read again, and what is new; the report sums up the new hour."""
    hours = [
        "".join(line for line in gzip.decompress(log.read_bytes()).decode().splitlines(True) if line[0] != "#")
        for log in sorted((generated / "2024-05-14").glob("conn*.log.gz"))
    ]
    head = gzip.decompress(next(generated.rglob("conn*.log.gz")).read_bytes()).decode().partition("\n17")[0] + "\n"
    directory = tmp_path / "day"
    directory.mkdir()
    log = directory / "conn.log"
    monkeypatch.setattr(chunks, "LARGEST", max(map(len, hours)))
    serving(directory)
    counts = []
    log.write_text(head + "".join(hours[:22]))
    for hour in ("", *hours[22:]):
        with log.open("a") as end:
            end.write(hour)
        before = runs(INGEST), runs("flow/steps:hour")
        flows = daily("2024-05-14")["flows"][0].as_py()
        counts.append((runs(INGEST) - before[0], runs("flow/steps:hour") - before[1], flows))
    many, one, other = counts
    assert many[0] >= 6
    assert many[1] == 24  # those to come are asked for too, and are empty
    assert max(one[0], other[0]) <= 3
    assert max(one[1], other[1]) <= 2
    assert many[2] < one[2] < other[2]
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "conn.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    serving(whole)
    assert daily("2024-05-14")["flows"][0].as_py() == other[2]


def test_a_file_counts_by_its_content(serving: Serve, runs: Runs, tmp_path: Path) -> None:
    """Touched, renamed, or moved to another directory it is not read again."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "conn.log").write_text(HEAD + row())
    (logs / "flows.parquet").write_bytes(b"")
    table = pyarrow.table(
        {"ts": [1715680800.0], "src": ["10.0.0.1"], "dst": ["::1"], "src_port": [1], "dst_port": [2], "proto": ["udp"],
         "bytes": [1], "packets": [1]}
    )  # fmt: skip
    pyarrow.parquet.write_table(table, logs / "flows.parquet")
    serving(logs)
    before = runs(INGEST)
    answer = top(over="proto").to_pylist()
    assert runs(INGEST) - before == 2
    (logs / "conn.log").touch()
    (logs / "flows.parquet").rename(logs / "other.parquet")
    assert top(over="proto").to_pylist() == answer
    shutil.move(logs / "conn.log", logs / "conn.11.log")
    assert top(over="proto").to_pylist() == answer
    assert runs(INGEST) - before == 2


VALUES = {
    "ts": st.sampled_from(
        ["1715680800.5", "0", "-1", "4000000000.000001", "253402300799.999999", "1e9", "nan", "inf", "", "-", "soon",
         "2024-05-14T10:00:00Z", " 1715680800", "1715680800.1234567", "+1.5", "0x10", "1,5"]),
    "src": st.sampled_from(["10.0.0.1", "10.0.0.256", "010.0.0.1", "2001:DB8::1", "::ffff:10.0.0.1", "host", "", "-"]),
    "src_port": st.sampled_from(["0", "65535", "65536", "-1", "", "-", "0x50", "80.0", " 80", "+80", "1e3", "007"]),
    "proto": st.sampled_from(["tcp", "UDP", " udp ", "17", "", "-", "(empty)"]),
    "service": st.sampled_from(["ssl", "HTTP", "(empty)", "", "-", '"', "#", "ü"]),
    "duration": st.sampled_from(["0.5", "-0.5", "nan", "inf", "1e400", "-", "", "1e-9"]),
    "bytes": st.sampled_from(["0", "150", "-5", "9223372036854775807", "9223372036854775808", "-", "", "12.7", "1e3"]),
    "history": st.sampled_from(["ShADf", "-", "", "^r", "SH", "F"]),
}  # fmt: skip
LINE = st.one_of(
    st.fixed_dictionaries({}, optional=VALUES).map(lambda changes: row(**changes)),
    st.sampled_from(["\n", "#close\t2024\n", "#fields" + HEAD.partition("#fields")[2], "a\tb\n", row() + "\t\n",
                     row()[:-1] + "\r\n", "#" + row(), row()[:-1] + "\textra\n"]),
)  # fmt: skip


@given(lines=st.lists(st.one_of(LINE, st.just(row()), st.just(row())), max_size=12), size=st.integers(300, 2000))
@settings(max_examples=50, deadline=None)
def test_it_does_not_matter_how_a_log_is_cut_and_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    """As one piece or many, compressed or not, as typed columns or as text: the same flows, and the same lines lost."""
    folder = tmp_path_factory.mktemp("cut")
    log, packed, target = folder / "conn.log", folder / "conn.log.gz", folder / "flows.parquet"
    log.write_text(HEAD + row() + "".join(lines), newline="")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rave_flow.formats.reading.typed", lambda *_: None)
        expected = flows_of(log, target)
    assert flows_of(log, target) == expected
    assert flows_of(packed, target) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "LARGEST", size)
        assert flows_of(packed, target)[:2] == expected[:2]
        assert flows_of(log, target)[:2] == expected[:2]


def test_the_number_of_a_bad_line_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever piece or block it is."""
    monkeypatch.setattr(chunks, "LARGEST", 500)
    text = HEAD + row() * 40 + "#a comment\n" + row() * 3 + "cut\n" + row()
    (tmp_path / "conn.log").write_text(text)
    (tmp_path / "conn.2.log.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("conn.log", "conn.2.log.gz"):
        rows, skipped, first_bad = flows_of(tmp_path / name, tmp_path / "flows.parquet")
        assert (len(rows), skipped) == (44, 1)
        assert first_bad == "line 48 has 1 fields instead of 11"
    assert len(pieces_of(SourceFile.at(tmp_path / "conn.log"))) > 5


@pytest.mark.parametrize("largest", [200, 500, 1 << 20])
@pytest.mark.parametrize("name", ["conn.log", "conn.log.gz"])
def test_each_part_of_a_log_is_read_by_its_own_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, name: str
) -> None:
    """A log that a restarted program went on with; wherever a block ends."""
    monkeypatch.setattr(chunks, "LARGEST", largest)
    names = HEAD.splitlines()[-1].split("\t")[1:]
    turned = "#close\n#separator \\x3b\n#unset_field;?\n#path;conn\n#fields;" + ";".join(reversed(names)) + "\n"
    other = ";".join(reversed(row().rstrip("\n").split("\t"))) + "\n"
    text = HEAD + row() * 3 + turned + other * 4 + "#fields;ts;b\n1;2\n3;4\n" + HEAD + HEAD + row() * 5 + "cut\n"
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    rows, skipped, first_bad = flows_of(tmp_path / name, tmp_path / "flows.parquet")
    assert (len(rows), len(set(map(str, rows))), skipped) == (12, 1, 3)
    line = text[: text.index("1;2")].count("\n") + 1
    assert first_bad.startswith(f"line {line} is under a later head that can't be read: no column 'src'")


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_blocks_have_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """All but the last; together they are the file. A line that is longer than a block is one."""
    monkeypatch.setattr(chunks, "LARGEST", size)
    for text in (b"", b"\n", b"ab", b"a\nbc\n", b"abcdefghijklmn\no\n", b"a\nb\nc"):
        (tmp_path / "file").write_bytes(text)
        with (tmp_path / "file").open("rb") as source:
            found = list(blocks(source))
        assert b"".join(found) == text
        assert all(block.endswith(b"\n") for block in found[:-1])


def test_comments_within_a_block_are_found() -> None:
    """At its ends they are cut off, and counted; elsewhere the lines are looked at one by one."""
    log = Log()
    assert log.plain(b"#x\n#y\n1\t2\n3\t#\n#close\n") == (b"1\t2\n3\t#\n", 2)
    assert log.plain(b"#only\n") == (b"", 1)
    assert log.plain(b"1\t2\n#x\n3\t4\n") is None
    assert log.plain(b"1\t2") is None
    assert log.plain(b"1\t2\r\n") is None


def _asked(results: Any) -> None:
    with connected() as connection:
        results.put(connection.execute("SELECT sum(range) FROM range(1000000)").fetchall()[0][0])


def test_a_fork_has_a_database_of_its_own(serving: Serve, tmp_path: Path) -> None:
    """The parent's has threads that a child does not inherit: asking it there would wait for ever."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "conn.log").write_text(HEAD + row())
    serving(logs)
    Inventory.of(Repository.scan(logs))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_asked, args=(results,))
    child.start()
    try:
        assert results.get(timeout=60) == 499999500000
    finally:
        child.kill()
        child.join()

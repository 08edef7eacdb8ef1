"""Directories of flow files: which files count, which count once, and what changes while they are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from log_texts import CSV, left_out
from rave_flow.errors import (
    AmbiguousFilesError,
    ChangedError,
    FlowError,
    NoDirectoryError,
    NoFilesError,
    NothingFoundError,
    StrictError,
)
from rave_flow.formats.chunks import pieces_of
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.operations.tables import daily, top
from rave_flow.silk import rwcut, rwfilter, rwtotal

from rave_core import Runtime
from rave_core.errors import ArgumentError, ConfigurationError

Serve = Callable[[Path], Runtime]
Zeek = Callable[..., Path]
Line = Callable[..., str]


def test_one_log_in_two_forms_counts_once(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Its flows would count twice; how many did not is told."""
    zeek([line()])
    serving(zeek([line()], name="conn.log.gz"))
    table = top()
    assert table["flows"].to_pylist() == [1]
    assert left_out(table) == {"duplicates": 1}


@pytest.mark.parametrize("name", ["copy.csv", "conn.day.log", "conn.10.log.gz"])
def test_an_hour_that_lies_there_twice_counts_once(
    serving: Serve, zeek: Zeek, line: Line, directory: Path, name: str
) -> None:
    """Two logs may have flows of one hour, but not the same: as a copy has, or a day beside its hours."""
    hour = [line(ts=1715680800.5 + number) for number in range(5)]
    serving(zeek(hour, name="conn.a.log"))
    zeek([line(ts=1715680801.25), line(ts=1715684400.5)], name="conn.b.log")
    assert top()["flows"].to_pylist() == [7]
    if name.endswith(".csv"):
        flows = "".join(
            f"{1715680800.5 + number},10.0.0.1,40000,192.0.2.80,443,tcp,ssl,0.5,100,50,3,2,SF\n" for number in range(5)
        )
        head = "ts,src,src_port,dst,dst_port,proto,service,duration,src_bytes,dst_bytes,src_packets,dst_packets,state\n"
        (directory / name).write_text(head + flows)
    else:
        zeek([*hour, line(ts=1715688000.5)], name=name)
    expected = 7 if name.endswith(".csv") else 8
    table = top()
    assert (table["flows"].to_pylist(), left_out(table)) == ([expected], {"duplicates": 5})


def test_records_may_stand_in_any_order(serving: Serve, generated: Path, directory: Path) -> None:
    """As in a log that several processes write: every answer is the same, also that of the rows."""
    text = "".join(gzip.decompress(log.read_bytes()).decode() for log in sorted(generated.rglob("conn*.log.gz")))
    head = [line for line in text.splitlines(keepends=True)[:8] if line.startswith("#fields")]
    lines = [line for line in text.splitlines(keepends=True) if line[0] != "#"]
    answers = []
    for order, name in ((1, "one"), (-1, "other")):
        place = directory / name
        place.mkdir()
        (place / "conn.log").write_text("".join([*head, *lines[::order]]))
        serving(place)
        answers.append([top(n=100).to_pylist(), daily("2024-05-14").to_pylist(), rwfilter().get_data().to_pylist()])
    assert answers[0] == answers[1]


def test_other_logs_and_hidden_files_do_not_count(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Only connection logs do; their summary is none."""
    logs = zeek([line()])
    for name in ("dns.log", "conn-summary.log", ".conn.log", "notes.txt"):
        (logs / name).write_text("nothing of use\n")
    serving(logs)
    assert top()["flows"].to_pylist() == [1]


def test_what_looks_like_flows_and_is_not_read_is_named(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Each costs itself alone, and every answer names it with the reason until it is gone."""
    logs = zeek([line()])
    (logs / "conn.01.log").write_bytes(b"")
    (logs / "conn.02.log").symlink_to(logs / "gone.log")
    (logs / "conn.03.log.zip").write_bytes(b"PK")
    (logs / "conn.04.log.xz").write_bytes(b"\xfd7zXZ")
    (logs / "conn.05.log").write_bytes(b"#path\tdns\n#fields\tts\n")
    (logs / "conn.log.bak").write_bytes(b"")
    (logs / "DAY.CSV").write_bytes(b"ts\n")
    os.mkfifo(logs / "conn.06.log")
    (logs / "current").symlink_to(logs / "nowhere")
    serving(logs)
    for ask in (top, top, lambda: rwcut(rwfilter()), lambda: rwtotal(rwfilter(), key="protocol")):
        files = left_out(ask())["files"]
        assert {name: reason.partition(",")[0] for name, reason in files.items()} == {
            "conn.01.log": "is empty",
            "conn.02.log": f"is a link to {logs}/gone.log",
            "conn.03.log.zip": "only .gz",
            "conn.04.log.xz": "damaged xz: Compressed file ended before the end-of-stream marker was reached",
            "conn.05.log": "is not a connection log",
            "conn.06.log": "is a named pipe",
            "conn.log.bak": "its name is not one of those that are read",
            "DAY.CSV": "names count in small letters; rename it",
            "current": f"is a link to {logs}/nowhere",
        }
    for path in [path for path in logs.iterdir() if path.name != "conn.log"]:
        path.unlink()
    assert left_out(top()) == {}


def test_strict_refuses_what_would_be_left_out(serving: Serve, zeek: Zeek, line: Line) -> None:
    """A file, a line, a record that is there twice: each is an error that names it."""
    logs = zeek([line()])
    runtime = serving(logs)
    settings: Any = runtime.settings.plugins["flow"]
    settings["strict"] = True
    assert top()["flows"].to_pylist() == [1]
    (logs / "conn.01.log").write_bytes(b"")
    with pytest.raises(StrictError, match=r"conn\.01\.log: is empty; strict is set"):
        top()
    (logs / "conn.01.log").write_bytes(gzip.compress(b"foreign"))
    with pytest.raises(StrictError, match=r"1 file not read: conn\.01\.log"):
        top()
    shutil.copy(logs / "conn.log", logs / "conn.01.log")
    with pytest.raises(AmbiguousFilesError, match="1 records are there twice"):
        top()
    zeek([line(), "cut"], name="conn.01.log")
    with pytest.raises(StrictError, match="1 line left out"):
        top()
    settings["strict"] = False
    assert top()["flows"].to_pylist() == [1]


@pytest.mark.parametrize("name", ["conn.log.1", "conn.log-20240601", "conn.log.2.gz", "conn.log-20240601.bz2",
                                  "conn.json.1.xz", "conn.2024-06-01.log.lz4", "conn_long.log"])  # fmt: skip
def test_rotated_and_compressed_logs_are_read(
    serving: Serve, directory: Path, zeek: Zeek, line: Line, name: str
) -> None:
    """Whatever rotation calls them."""
    content = zeek([line()], name="x").joinpath("x").read_bytes()
    (directory / "x").unlink()
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
        ".lz4": lambda data: bytes(pyarrow.compress(data, codec="lz4", asbytes=True)),
    }  # fmt: skip
    (directory / name).write_bytes(packers.get(Path(name).suffix, bytes)(content))
    serving(directory)
    assert (top()["flows"].to_pylist(), left_out(top())) == ([1], {})


def test_linked_directories_are_read_once(serving: Serve, zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """As Zeek links its current one; a link to what lies there as well, or that goes round, adds nothing."""
    logs = zeek([line()])
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "conn.log").write_text((logs / "conn.log").read_text().replace("10.0.0.1", "10.0.0.2"))
    (logs / "current").symlink_to(spool)
    (logs / "again").symlink_to(logs)
    (logs / "conn.other.log").symlink_to(logs / "conn.log")
    serving(logs)
    assert sorted(top()["src"].to_pylist()) == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("name", ["b*.csv", "b[a].csv", "b?.csv", "b'{x}.csv", "conn.*.log", "b*.parquet"])
def test_the_name_of_a_file_is_no_pattern(serving: Serve, directory: Path, zeek: Zeek, line: Line, name: str) -> None:
    """It is data: the file alone is read, whatever others its name would match."""
    row = "1715680800,10.0.0.{},1,10.0.0.2,80,6,10,1\n"
    (directory / "ba.csv").write_text(CSV + row.format(1))
    if name.endswith(".csv"):
        (directory / name).write_text(CSV + row.format(2))
    elif name.endswith(".log"):
        zeek([line(src="10.0.0.2")], name=name)
    else:
        columns = {"ts": [1715680800.0], "src": ["10.0.0.2"], "dst": ["::1"], "src_port": [1], "dst_port": [2]}
        more = {"proto": [6], "bytes": [1], "packets": [1]}
        pyarrow.parquet.write_table(pyarrow.table(columns | more), directory / name)
        (directory / "ba.parquet").write_bytes((directory / name).read_bytes())
        (directory / "ba.parquet").unlink()
    serving(directory)
    assert {row["src"]: row["flows"] for row in top().to_pylist()} == {"10.0.0.1": 1, "10.0.0.2": 1}


def test_an_empty_directory_is_an_error(serving: Serve, directory: Path) -> None:
    """The error names the directory and the files that would be read; it is the caller's to catch as ValueError."""
    serving(directory)
    with pytest.raises(NoFilesError, match=r"logs holds no flow files: conn\*\.log") as caught:
        top()
    assert isinstance(caught.value, ValueError)


def test_a_window_without_flows_is_an_error(serving: Serve, zeek: Zeek, line: Line) -> None:
    """The error says from when to when there are any."""
    serving(zeek([line()]))
    with pytest.raises(NothingFoundError, match=r"no flows before 2020-01-01 00:00:00 UTC .* from 2024-05-14 10:00"):
        top(end="2020-01-01")


def test_logs_with_headers_alone_are_told(serving: Serve, zeek: Zeek) -> None:
    """There are files, but no flow in any."""
    serving(zeek([]))
    with pytest.raises(NothingFoundError, match=r"no flows at any time .*; they are empty"):
        top()


def test_an_unconfigured_directory_is_told_with_both_ways(
    tmp_path: Path, serving: Serve, monkeypatch: pytest.MonkeyPatch, zeek: Zeek, line: Line
) -> None:
    """The error names the variable and the setting, and goes away once the variable is set."""
    logs = zeek([line()])
    serving(Path())
    runtime = serving(tmp_path / "absent")
    with pytest.raises(NoDirectoryError, match="absent is not a directory"):
        top()
    runtime.settings.plugins["flow"].clear()  # type: ignore[attr-defined]  # of this backend alone
    with pytest.raises(NoDirectoryError, match=r"RAVE_FLOW_DIRECTORY, or directory = .* \[plugins\.flow\]"):
        top()
    monkeypatch.setenv("RAVE_FLOW_DIRECTORY", str(logs))
    assert top()["flows"].to_pylist() == [1]


def test_a_source_can_be_chosen_by_name(serving: Serve, zeek: Zeek, line: Line, directory: Path) -> None:
    """Further directories have names; an unknown one is told with those that are known."""
    runtime = serving(directory)
    settings: Any = runtime.settings.plugins["flow"]
    settings["directories"] = {"branch": str(zeek([line()]))}
    assert top(source="branch")["flows"].to_pylist() == [1]
    with pytest.raises(NoDirectoryError, match=r"'brunch' .* known: default, branch"):
        top(source="brunch")
    with pytest.raises(ArgumentError, match="name of a flow source"):
        top(source=None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strct": True}, r"\[plugins\.flow\]: unknown setting 'strct': did you mean 'strict'"),
        ({"strict": "yes"}, "'strict' is 'yes': write true or false"),
        ({"directories": {"branch": 7}}, r"directories\.branch is 7: write a path"),
    ],
)
def test_no_question_is_answered_under_settings_that_are_wrong(
    serving: Serve, zeek: Zeek, line: Line, wrong: dict[str, Any], message: str
) -> None:
    """A misspelled ``strict`` would give answers that leave something out."""
    settings: Any = serving(zeek([line()])).settings.plugins["flow"]
    settings |= wrong
    with pytest.raises(ConfigurationError, match=message):
        top()


def test_what_was_appended_since_the_scan_waits_for_the_next(zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """A log that is being written is read as far as it went when the directory was scanned."""
    logs = zeek([line(src="10.0.0.1")])
    (file,) = Repository.scan(logs).files
    for number in (2, 3):
        with (logs / "conn.log").open("a") as log:
            log.write(line(src=f"10.0.0.{number}") + "\n")
        if number == 2:
            (piece,) = pieces_of(file)
    to_parquet(piece, tmp_path / "flows.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "flows.parquet")["src"].to_pylist() == ["10.0.0.1"]


FIELDS = "#fields\tts\tsrc\tsrc_port\tdst\tdst_port\tproto\tbytes\tpackets\n"


@pytest.mark.parametrize("name", ["conn.log", "conn.log.gz", "flows.csv"])
def test_a_file_that_was_rewritten_since_the_scan_is_an_error(directory: Path, name: str, tmp_path: Path) -> None:
    """Its new content must not be kept under its old size and time: not when it is cut, and not when it is read."""
    table = f"{CSV}1715680800.5,10.0.0.1,1,192.0.2.80,443,tcp,9,1\n".encode()
    content = {"conn.log": FIELDS.encode(), "conn.log.gz": gzip.compress(FIELDS.encode()), "flows.csv": table}
    path = directory / name
    path.write_bytes(content[name])
    found = SourceFile.at(path)
    with pytest.raises(ChangedError, match="ask again"):
        pieces_of(SourceFile(found.path, found.size, found.mtime_ns - 1))
    (piece,) = pieces_of(found)
    path.write_bytes(content[name].replace(b"bytes", b"sizes").replace(b"10.0.0.1", b"10.0.0.2") + b"more")
    with pytest.raises(ChangedError, match="ask again"):
        to_parquet(piece, tmp_path / "flows.parquet")


def test_a_file_that_is_gone_since_the_scan_is_told(zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """As when logs are rotated between the scan and the reading."""
    logs = zeek([line()])
    (file,) = Repository.scan(logs).files
    (piece,) = pieces_of(file)
    (logs / "conn.log").unlink()
    for late in (lambda: to_parquet(piece, tmp_path / "flows.parquet"), lambda: pieces_of(file)):
        with pytest.raises(ChangedError, match="is gone since"):
            late()


def test_a_log_that_is_rotated_during_the_scan_is_not_lost(
    zeek: Zeek, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is listed, but renamed before it is looked at, is found under its new name."""
    logs = zeek([line()])
    look = SourceFile.at

    def rotate_first(path: str | Path) -> SourceFile:
        if Path(path).name == "conn.log":
            Path(path).rename(logs / "conn.10.log")
        return look(path)

    monkeypatch.setattr(SourceFile, "at", rotate_first)
    assert [Path(file.path).name for file in Repository.scan(logs).files] == ["conn.10.log"]


def test_every_error_is_a_value_error() -> None:
    """So that a caller needs to know none of their names."""
    assert issubclass(FlowError, ValueError)
    assert all(issubclass(kind, FlowError) for kind in FlowError.__subclasses__())


def test_names_that_are_no_text_and_links_that_go_round_stop_nothing(
    serving: Serve, directory: Path, zeek: Zeek, line: Line
) -> None:
    """Names are bytes: what lies under them is read, and told where it can't be."""
    content = zeek([line(), "cut"], name="x").joinpath("x").read_bytes()
    (directory / "x").unlink()
    odd = os.fsdecode(b"conn.\xff\n.log")
    (directory / odd).write_bytes(content)
    (directory / os.fsdecode(b"f\xfe.csv")).write_bytes(b"")
    (directory / "conn.a.log").symlink_to(directory / "conn.b.log")
    (directory / "conn.b.log").symlink_to(directory / "conn.a.log")
    serving(directory)
    for _ in range(2):
        table = top()
        assert table["flows"].to_pylist() == [1]
        assert b"conn.\\udcff\n.log: line 5" in table.schema.metadata[b"rave.flow.first_bad"]
        assert len(left_out(table)["files"]) == 3

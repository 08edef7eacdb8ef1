"""What a window of time has read of a directory, and how many small files are read together."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rave_flow.errors import FlowError, NothingFoundError, UnreadableError
from rave_flow.formats import bundles, chunks
from rave_flow.formats.bundles import Bundle, bundled, groups
from rave_flow.formats.chunks import span_of
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.inventory import Inventory
from rave_flow.model.windows import Window, instant
from rave_flow.operations.tables import count, top
from rave_flow.pictures import operations as pictures

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
Runs = Callable[[str], int]
INGEST = "flow/steps:ingest"
START = 1715644800
NAMES = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto duration conn_state orig_pkts orig_ip_bytes resp_pkts "
    "resp_ip_bytes"
)
HEAD = "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(NAMES.split()) + "\n"


def flow(ts: float, uid: str, source: str = "10.0.0.1") -> str:
    """A line of a log."""
    return "\t".join(map(str, (ts, uid, source, 1000, "10.0.0.2", 443, "tcp", 1.5, "SF", 1, 60, 1, 40))) + "\n"


def hourly(directory: Path, hours: int, *, suffix: str = ".log") -> None:
    """Logs of an hour each, with ten flows, and in the last one a flow that started in the first hour."""
    directory.mkdir()
    for hour in range(hours):
        lines = [flow(START + hour * 3600 + number + 0.5, f"C{hour}x{number}") for number in range(10)]
        if hour == hours - 1:
            lines.append(flow(START + 5.25, "Clong"))
        content = (HEAD + "".join(lines)).encode()
        name = f"conn.{hour:03d}{suffix}"
        (directory / name).write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)


@pytest.mark.parametrize("suffix", [".log", ".log.gz"])
def test_a_question_about_an_hour_reads_that_hour(
    serving: Serve, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """And the file of another hour in which a flow stands that started in it."""
    monkeypatch.setattr(bundles, "SMALL", 0)
    hourly(tmp_path / "logs", 40, suffix=suffix)
    serving(tmp_path / "logs")
    before = runs(INGEST)
    assert top(start=instant(START), end=instant(START + 3600))["flows"].to_pylist() == [11]
    assert runs(INGEST) - before == 2
    assert top(start=instant(START + 3600), end=instant(START + 7200))["flows"].to_pylist() == [10]
    assert runs(INGEST) - before == 3
    with pytest.raises(NothingFoundError, match=r"they reach from 2024-05-14 00:00 to 2024-05-15 15:00 UTC"):
        top(start="2023-01-01", end="2023-01-02")
    assert top()["flows"].to_pylist() == [401]


def test_of_one_large_log_the_pieces_of_the_hour_are_read(
    serving: Serve, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year in one file is cut, and each piece knows when its flows start."""
    directory = tmp_path / "logs"
    directory.mkdir()
    lines = [flow(START + 60 * number + 0.5, f"C{number}") for number in range(2000)]
    (directory / "conn.log").write_text(HEAD + "".join(lines))
    monkeypatch.setattr(chunks, "LARGEST", 8192)
    monkeypatch.setattr(bundles, "SMALL", 0)
    serving(directory)
    before = runs(INGEST)
    answer = top(start=instant(START + 36000), end=instant(START + 39600))
    assert (answer["flows"].to_pylist(), runs(INGEST) - before <= 2) == ([60], True)


def test_what_has_no_time_that_can_be_seen_is_read(serving: Serve, tmp_path: Path) -> None:
    """A span is exact, or it is unknown; then only a reading tells."""
    directory = tmp_path / "logs"
    directory.mkdir()
    for name, text in {
        "conn.1.log": HEAD + flow(START + 0.5, "C1").replace(str(START), "2024-05-14T00:00:0", 1),
        "conn.2.log": HEAD + flow(START + 0.5, "C2")[:-1],
        "conn.3.log": HEAD + "\n" + flow(START + 0.5, "C3"),
        "conn.4.log": HEAD,
        "conn.5.log": '{"ts":1715644800.5,"uid":"C5"}\n{"ts" :1715644900}\n',
        "conn.6.log": HEAD + flow(START + 7.5, "C6") + flow(START + 3.5, "C7"),
    }.items():
        (directory / name).write_text(text)
    spans = [span_of(SourceFile.at(path)) for path in sorted(directory.iterdir())]
    assert spans == [None, (START, START), None, (2**62, -1), (START, START + 100), (START + 3, START + 7)]


def test_small_logs_are_read_together(serving: Serve, runs: Runs, tmp_path: Path) -> None:
    """And again only those that lie with one that changed; by content, whatever they are called."""
    directory = tmp_path / "logs"
    hourly(directory, 300)
    serving(directory)
    before = runs(INGEST)
    assert top()["flows"].to_pylist() == [3001]
    read = runs(INGEST) - before
    assert read == len(groups(Repository.scan(directory).files)) <= 10
    with (directory / "conn.007.log").open("a") as log:
        log.write(flow(START + 7 * 3600 + 30.5, "Cnew"))
    assert top()["flows"].to_pylist() == [3002]
    assert runs(INGEST) - before == read + 1
    directory.rename(tmp_path / "moved")
    serving(tmp_path / "moved")
    answer = count(bin="1h")["flows"].to_pylist()
    assert (sum(answer), answer[0], answer[7]) == (3002, 11, 11)
    assert runs(INGEST) - before == read + 1


def test_of_small_logs_each_costs_itself_alone(serving: Serve, tmp_path: Path) -> None:
    """One that can't be read, and a line that can't count, are told with the names of their files."""
    directory = tmp_path / "logs"
    hourly(directory, 20)
    (directory / "conn.003.log").write_text(HEAD + "nonsense\n")
    (directory / "conn.004.log").write_text(HEAD + flow(START + 0.5, "C4") + "cut\t\n")
    (directory / "conn.005.log").write_text("#path\tdns\n#fields\tts\n")
    (directory / "conn.006.log").write_text(HEAD + flow(START + 0.5, "C6", source="host.example") + flow(START, "C7"))
    (directory / "conn.007.log").write_text(HEAD + flow(START, "C8") + "#fields\tts\n1\n")
    serving(directory)
    told = Inventory.of(Repository.scan(directory)).select(Window()).left_out
    assert top()["flows"].to_pylist() == [(20 - 5) * 10 + 1 + 2 + 1]
    assert dict(told.lines) == {"address": 1, "head": 1, "line": 1}
    assert told.first == "logs/conn.004.log: line 5 has 2 fields instead of 13"
    assert {name: why.partition(",")[0].partition(";")[0] for name, why in told.files} == {
        "conn.003.log": "none of 1 lines could be read",
        "conn.005.log": "is not a connection log",
    }


def test_a_log_that_is_large_once_unpacked_is_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small ones must not fill the memory."""
    monkeypatch.setattr(bundles, "LARGEST", 4000)
    files = []
    for number in range(3):
        path = tmp_path / f"conn.{number}.log.gz"
        path.write_bytes(gzip.compress((HEAD + flow(START, f"C{number}") * (100 if number == 1 else 1)).encode()))
        files.append(SourceFile.at(path))
    found = bundled(files)
    assert isinstance(found, Bundle)
    assert found.files == (files[0], files[2])


SPOILED = st.sampled_from(
    ["good", "cut", "long", "time", "address", "port", "number", "protocol", "duration", "again", "utf8", "blank"]
)

COUNTING = {"good", "duration", "again", "utf8"}
"""Kinds of lines that are a flow, whatever is wrong with them."""


def object_of(kind: str, number: int) -> bytes:
    """The same as a line of JSON."""
    if kind in ("cut", "long", "blank"):
        return {"cut": b'{"ts": 17\n', "long": b"[1, 2]\n", "blank": b"\n"}[kind]
    values = line_of("good" if kind in ("again", "utf8") else kind, number).decode().rstrip("\n").split("\t")
    found = {name: value for name, value in zip(NAMES.split(), values, strict=True) if value != "-"}
    text = json.dumps(found).encode().replace(b'"SF"', b'"S\xff"' if kind == "utf8" else b'"SF"') + b"\n"
    return text * 2 if kind == "again" else text


def line_of(kind: str, number: int) -> bytes:
    """A line of a log that is spoiled in some way."""
    values = flow(START + number + 0.5, f"C{number}").rstrip("\n").split("\t")
    change = {"time": (0, "soon"), "address": (2, "host"), "port": (3, "70000"), "number": (10, "many"),
              "protocol": (6, "-"), "duration": (7, "-3"), "utf8": (8, "S\udcff")}  # fmt: skip
    if kind in change:
        place, value = change[kind]
        values[place] = value
    if kind == "cut":
        values = values[:4]
    if kind == "long":
        values.append("more")
    text = "\t".join(values) + "\n"
    lines = {"again": text * 2, "blank": "\n"}.get(kind, text)
    return lines.encode("utf-8", "surrogateescape")


@settings(max_examples=25, deadline=None)
@given(
    files=st.lists(st.lists(SPOILED, min_size=1, max_size=8), min_size=1, max_size=4),
    form=st.sampled_from([".log", ".log.gz", ".log.1", ".json", ".json.gz"]),
    copied=st.booleans(),
    small=st.sampled_from([0, 1 << 18]),
)
def test_what_counts_and_what_is_left_out_is_all_that_was_written(
    reused: Reused, files: list[list[str]], form: str, copied: bool, small: int
) -> None:
    """Of any spoiled logs, together or alone, with a copy beside them or not."""
    written, number = 0, 0
    with reused() as (directory, example), pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "SMALL", small)
        for place, kinds in enumerate(files):
            lines = []
            for kind in kinds:
                lines.append((object_of if "json" in form else line_of)(kind, number))
                number += 1
                written += {"again": 2, "blank": 0}.get(kind, 1)
            content = (b"" if "json" in form else HEAD.encode()) + b"".join(lines)
            name = f"conn.{place}x{example}{form}"
            (directory / name).write_bytes(gzip.compress(content, mtime=0) if form.endswith(".gz") else content)
            if copied and place == 0:
                (directory / f"conn_copy{example}{form}").write_bytes((directory / name).read_bytes())
                written += sum({"again": 2, "blank": 0}.get(kind, 1) for kind in kinds)
        try:
            selection = Inventory.of(Repository.scan(directory)).select(Window())
            answer = top(n=1000, over="proto")
        except FlowError:
            # Nothing counts, so there is no answer: no file has a line that could.
            assert not any(kind in COUNTING for kinds in files for kind in kinds)  # of any kind
            return
    lost = 0
    for name, why in selection.left_out.files:
        said = re.match(r"none of (\d+) lines", why)
        place = 0 if "copy" in name else int(name.split(".")[1].partition("x")[0])
        lost += int(said[1]) if said else sum({"again": 2, "blank": 0}.get(kind, 1) for kind in files[place])
    counted = sum(answer["flows"].to_pylist())
    told = selection.left_out
    assert counted + told.skipped + told.duplicates + lost == written


def test_one_wrong_clock_does_not_take_the_others_away(serving: Serve, tmp_path: Path) -> None:
    """A flow of 1970 or of 2100 is in no bin, and counted apart; elsewhere it counts as it stands there."""
    directory = tmp_path / "logs"
    hourly(directory, 3)
    (directory / "conn.wrong.log").write_text(HEAD + flow(5.5, "Cold") + flow(4102444800.5, "Cnew"))
    serving(directory)
    assert top(over="proto")["flows"].to_pylist() == [33]
    answer = count()
    assert answer["flows"].to_pylist() == [11, 10, 10]
    assert b"2 flows in no bin: they start far from all others" in answer.schema.metadata[b"rave.notes"]
    assert sum(count(bin="1d")["flows"].to_pylist()) == 33
    with Path(pictures.__export__["timeline"](bin="1h")).open("rb") as picture:
        assert picture.read(4) == b"\x89PNG"


def test_small_logs_none_of_which_can_be_read_are_an_error(serving: Serve, tmp_path: Path) -> None:
    """As one alone is; nothing to count is no reason to answer that there are no flows."""
    directory = tmp_path / "logs"
    directory.mkdir()
    for number in range(3):
        (directory / f"conn.{number}.log").write_text(HEAD + "cut\n")
    serving(directory)
    with pytest.raises(UnreadableError, match=r"conn\.0\.log: none of 1 lines could be read"):
        top()

"""Tables and NetFlow that are spoiled in any way: what counts and what is left out is all that was written."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import FlowError
from rave_flow.formats import chunks
from rave_flow.operations import top

Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
TITLES = ["start", "src", "sport", "dst", "dport", "proto", "bytes", "packets", "end", "comment"]
START = 1715680800
CHANGES = {
    "time": {"start": "soon"}, "empty time": {"start": ""}, "address": {"src": "host"}, "port": {"dport": "70000"},
    "too much": {"bytes": str(2**63 - 1)}, "part": {"bytes": "1.5"},
    "number": {"bytes": "many"}, "negative": {"packets": "-1"}, "protocol": {"proto": ""},
    "end before start": {"end": "1"}, "iso": {"start": "2024-05-14T10:00:00.5Z"}, "utf8": {"comment": "S\udcff"},
    "unclosed": {"comment": '"a'}, "quoted": {"comment": '"a, ""b"""'}, "good": {},
}  # fmt: skip
COUNTING = {"good", "end before start", "iso", "utf8", "quoted", "same"}
KINDS = st.sampled_from([*CHANGES, "short", "long", "same", "blank", "no data"])


def line_of(kind: str, number: int) -> str:
    """A line of a table that is spoiled in some way; ``same`` is the same each time, to the microsecond."""
    second = START + (0.25 if kind == "same" else number + 0.5)
    port = 7 if kind == "same" else 4000 + number
    values = [str(second), "10.0.0.1", str(port), "192.0.2.80", "443", "tcp", "9", "1", str(second + 1), "fine"]
    row = dict(zip(TITLES, values, strict=True)) | CHANGES.get(kind, {})
    text = ",".join(row.values())
    changed = {"short": "1,2,3", "long": f"{text},more", "blank": ""}
    return changed.get(kind, text) + "\n"


def answer() -> tuple[int, dict[str, object]]:
    """How many flows count, and what is left out."""
    table = top(n=1000, over="proto")
    return sum(table["flows"].to_pylist()), left_out(table)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(st.lists(KINDS, min_size=1, max_size=10), min_size=1, max_size=3),
    packed=st.booleans(),
    has_end=st.booleans(),
    size=st.sampled_from([160, 400, 1 << 20]),
)
def test_of_tables_all_that_was_written_counts_or_is_reported(
    reused: Reused, files: list[list[str]], packed: bool, has_end: bool, size: int
) -> None:
    """However they are cut into pieces; a file that can't be read at all is named with the number of its lines."""
    written, number = 0, 0
    sizes = {}
    with reused() as (directory, example), pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "LARGEST", size)
        for place, kinds in enumerate(files):
            lines = []
            for kind in kinds:
                lines.append(line_of("good" if kind == "no data" else kind, number))
                number += 1
            content = (",".join(TITLES) + "\n" + "".join(lines)).encode("utf-8", "surrogateescape")
            content = content if has_end else content.removesuffix(b"\n")
            name = f"t{place}x{example}.csv{'.gz' if packed else ''}"
            (directory / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)
            sizes[name] = sum(kind != "blank" for kind in kinds)
            written += sizes[name]
        try:
            counted, told = answer()
        except FlowError:
            assert not any(kind in {*COUNTING, "no data"} for kinds in files for kind in kinds)  # nothing counts
            return
    lost = sum(sizes[name] for name in told.get("files", {}))  # type: ignore[attr-defined]  # facts of left_out
    lines_left = sum(told.get("lines", {}).values())  # type: ignore[attr-defined]  # likewise
    assert counted + lines_left + told.get("duplicates", 0) + lost == written  # type: ignore[operator]  # likewise


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(st.sampled_from([1, 2, 6]), min_size=1, max_size=3),
    spoiled=st.sampled_from(["", "cut", "text", "copy"]),
)
def test_of_netflow_all_that_was_written_counts_or_is_reported(
    reused: Reused, made: Callable[[int, int], bytes], files: list[int], spoiled: str
) -> None:
    """Files of nfdump, of which one is cut, something else, or there twice."""
    with reused() as (directory, example):
        for place, flows in enumerate(files):
            (directory / f"nfcapd.{example:010d}{place}").write_bytes(made(place, flows))
        written, last = sum(files), directory / f"nfcapd.{example:010d}{len(files) - 1}"
        if spoiled == "copy":
            shutil.copy(last, directory / f"nfcapd.{example:010d}9")
            written += files[-1]
        elif spoiled:
            last.write_bytes(b"no NetFlow at all" if spoiled == "text" else last.read_bytes()[:-20])
        try:
            counted, told = answer()
        except FlowError:
            assert spoiled in ("cut", "text")  # the only file is the spoiled one
            assert len(files) == 1  # likewise
            return
    assert set(told.get("files", {})) == ({last.name} if spoiled in ("cut", "text") else set())  # type: ignore[call-overload]  # facts
    lost = files[-1] if spoiled in ("cut", "text") else 0
    assert counted + told.get("duplicates", 0) + lost == written  # type: ignore[operator]  # facts


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], bytes]:
    """Gives the file of nfdump's at a place, with so many flows of its own; made once."""
    if shutil.which("nfdump") is None or shutil.which("nfpcapd") is None:
        assert not os.environ.get("CI"), "CI installs nfdump by .ci/servers, so that no test is left out"
        pytest.skip("needs nfdump: apt-get install nfdump")
    return cache(lambda place, flows: netflow(tmp_path_factory.mktemp("made"), range(10 * place, 10 * place + flows)))


def netflow(folder: Path, numbers: range) -> bytes:
    """A file of nfdump's with a flow for each number, made by nfpcapd of packets."""
    packets = b"".join(packet(number) for number in numbers)
    capture = folder / "packets"
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + packets)
    made = folder / "made"
    made.mkdir()
    command = ["nfpcapd", "-r", str(capture), "-w", str(made), "-t", "3600"]
    subprocess.run(command, check=True, capture_output=True)  # of ours
    (path,) = made.rglob("nfcapd.2*")
    return path.read_bytes()


def packet(number: int) -> bytes:
    """A packet of UDP from a port of its own, captured at a time of its own."""
    udp = (5000 + number).to_bytes(2, "big") + bytes.fromhex("00350009") + b"\0\0x"
    ip = bytes.fromhex("4500001d0000000040110000") + bytes([10, 0, 0, 1, 192, 0, 2, 80])
    frame = bytes(12) + bytes.fromhex("0800") + ip + udp
    head = [START + number, 250_000, len(frame), len(frame)]
    return b"".join(value.to_bytes(4, "little") for value in head) + frame


@pytest.mark.parametrize("size", [300, 1 << 20])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_part_of_a_table_is_read_by_its_own_titles(
    reused: Reused, monkeypatch: pytest.MonkeyPatch, size: int, suffix: str
) -> None:
    """As where tables were appended to each other, with the totals that nfdump writes below; wherever a block ends."""
    first = ",".join(TITLES) + "\n" + "".join(line_of("good", number) for number in range(3))
    turned = "Dst,Dport,Src,Sport,Protocol,Bytes,Packets,Start,More\n"
    turned += "192.0.2.80,443,10.0.0.1,5000,tcp,9,1,1715680801.5,x\n" * 2
    totals = "Summary\nflows,bytes,packets\n3,27,3\n"
    content = (first + totals + turned + totals + first.replace(",400", ",600") + "short\n").encode()
    monkeypatch.setattr(chunks, "LARGEST", size)
    with reused() as (directory, example):
        name = f"t{example}.csv{suffix}"
        (directory / name).write_bytes(gzip.compress(content) if suffix else content)
        counted = top(over="dst_port")
        assert top(over="src")["src"].to_pylist() == ["10.0.0.1"]
    assert counted["dst_port"].to_pylist() == [443]
    assert counted["flows"].to_pylist() == [8]
    short = f"{directory.name}/{name}: line 18 has 1 values instead of 10"
    assert left_out(counted) == {"lines": {"line": 1}, "first": short}

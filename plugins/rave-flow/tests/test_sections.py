"""Logs that go on in another form in one file: each part is read as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import UnreadableError
from rave_flow.formats import chunks, sections
from rave_flow.formats.source_directory import SourceFile
from rave_flow.operations import top

Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
HEAD = (
    "#separator \\x09\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tbytes\tpackets\n"
)
OTHER = "#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tid.orig_p\tid.resp_p\tproto\tbytes\tpackets\tuid\n"
KINDS = ("columns", "objects", "head", "other head", "broken", "comment", "foreign")


def columns(number: int) -> str:
    """A line under `HEAD`."""
    return f"{1715680800 + number}.5\tC{number}\t10.0.0.1\t4000\t192.0.2.80\t443\ttcp\t{2**number}\t1\n"


def other(number: int) -> str:
    """The same under `OTHER`."""
    return f"{1715680800 + number}.5\t10.0.0.1\t192.0.2.80\t4000\t443\ttcp\t{2**number}\t1\tC{number}\n"


def objects(number: int, path: str = "conn") -> str:
    """The same as an object."""
    ends = {"id.orig_h": "10.0.0.1", "id.orig_p": 4000, "id.resp_h": "192.0.2.80", "id.resp_p": 443}
    found = {"_path": path, "ts": 1715680800.5 + number, "uid": f"C{number}", **ends, "proto": "tcp"}
    return json.dumps({**found, "bytes": 2**number, "packets": 1}) + "\n"


def answer(reused: Reused, text: str) -> tuple[list[int], list[int], dict[str, object]]:
    """The bytes and flows of all protocols in a log, and what is left out."""
    with reused() as (directory, example):
        (directory / f"conn.{example}.log").write_text(text)
        table = top(over="proto")
    return table["bytes"].to_pylist(), table["flows"].to_pylist(), left_out(table)


@pytest.mark.parametrize("piece", [200, chunks.LARGEST])
@pytest.mark.parametrize(
    "parts",
    [
        [HEAD, columns, columns, "#close\t2024\n", objects, objects],
        [objects, objects, HEAD, columns, columns],
        [HEAD, columns, objects, columns, objects],
        [HEAD, objects, OTHER, other, objects, other],
    ],
    ids=["columns, then objects", "objects, then columns", "by turns", "other columns"],
)
def test_a_log_that_goes_on_in_another_form_is_read(
    reused: Reused, monkeypatch: pytest.MonkeyPatch, piece: int, parts: list[str | Callable[[int], str]]
) -> None:
    """As where Zeek's setting was changed; also where a piece ends anywhere."""
    monkeypatch.setattr(chunks, "LARGEST", piece)
    text = "".join(part if isinstance(part, str) else part(number) for number, part in enumerate(parts))
    numbers = [number for number, part in enumerate(parts) if not isinstance(part, str)]
    assert answer(reused, text) == ([sum(2**number for number in numbers)], [len(numbers)], {})


@pytest.mark.parametrize("later", ["further", "fewer", "after objects"])
def test_a_log_whose_columns_change_is_refused_by_name(reused: Reused, later: str) -> None:
    """One part may not say what the other does, so no number over both would be right; others count."""
    fields = HEAD.splitlines()[-1] + ("\tvlan" if later != "fewer" else "")
    names = fields if later != "fewer" else fields.removesuffix("\tpackets") + "\torig_pkts\tresp_pkts"
    objects_between = objects(1) if later == "after objects" else ""
    with reused() as (directory, example):
        name = f"conn.{example}.log"
        (directory / name).write_text(HEAD + columns(0) + objects_between + f"{names}\n" + columns(2))
        with pytest.raises(UnreadableError, match=rf"{name}: its columns change at line {5 + bool(objects_between)} "):
            top(over="proto")
        (directory / f"conn.{example}.b.log").write_text(HEAD + columns(3))
        table = top(over="proto")
    assert (table["bytes"].to_pylist(), list(left_out(table)["files"])) == ([8], [name])


def test_what_is_no_object_is_one_broken_line(reused: Reused) -> None:
    """Though it starts like one; the columns after it count, and so does what has a head of its own."""
    text = HEAD + columns(0) + '{"ts": 17156\n' + columns(1) + objects(2)[:-20] + "\n" + columns(3) + OTHER + other(4)
    amount, number, missing = answer(reused, text)
    assert (amount, number, missing["lines"]) == ([1 + 2 + 8 + 16], [4], {"line": 2})


@pytest.mark.parametrize(("sent", "received"), [("orig_bytes", "resp_bytes"), ("src_bytes", "dst_bytes")])
def test_objects_without_bytes_of_packets_have_others(reused: Reused, sent: str, received: str) -> None:
    """None of them counts as 0, though Zeek leaves out what is unset, and might have written them."""
    lines = [json.loads(objects(number)) for number in range(3)]
    for line in lines:
        line[sent] = line.pop("bytes")
    lines[2][received] = 100
    assert answer(reused, "".join(json.dumps(line) + "\n" for line in lines)) == ([107], [3], {})


def test_objects_of_another_log_are_left_out_and_said(reused: Reused) -> None:
    """And the columns after them count."""
    amount, number, missing = answer(reused, HEAD + columns(0) + objects(1, "dns") + objects(2, "dns") + columns(3))
    assert (amount, number, missing["lines"]) == ([9], [2], {"head": 2})
    assert str(missing["first"]).endswith("line 5 is under a later head that can't be read: is not a connection log, "
                                          "its _path is 'dns'")  # fmt: skip


def test_a_log_that_changes_with_every_line_makes_few_pieces(tmp_path: Path) -> None:
    """What is behind the hundredth change is told as broken."""
    path = tmp_path / "conn.log"
    path.write_text(HEAD + "".join(columns(number % 9) + objects(number % 9) for number in range(300)))
    assert len(chunks.pieces_of(SourceFile.at(path))) == 2 * sections._MOST_TURNS + 1


@settings(max_examples=10, deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=8), size=st.sampled_from([250, chunks.LARGEST]))
def test_all_that_was_written_counts_or_is_said(reused: Reused, kinds: list[str], size: int) -> None:
    """In any order of forms, heads and damage, and however it is cut.

    Only records of another log may be passed over in silence; objects beside them count, or are said.
    """
    text, head, good = HEAD + columns(0), columns, {0}
    for number, kind in enumerate(kinds, 1):
        if kind in ("head", "other head"):
            head = columns if kind == "head" else other
            text += HEAD if kind == "head" else OTHER
        elif kind in ("columns", "objects"):
            good.add(number)
            text += objects(number) if kind == "objects" else head(number)
        else:
            text += {"broken": "{broken\n", "comment": "#close\n", "foreign": objects(number, "dns")}[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "LARGEST", size)
        (amount,), (number,), missing = answer(reused, text)
    told = sum(missing.get("lines", {}).values())
    written, foreign = len(good) + kinds.count("broken"), kinds.count("foreign")
    assert amount & ~sum(2**each for each in good) == 0
    assert amount.bit_count() == number
    assert written <= number + told <= written + foreign
    assert number == len(good) or foreign

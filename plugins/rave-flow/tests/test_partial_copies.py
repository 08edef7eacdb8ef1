"""Flows without a uid that are in several files: what is surely a copy counts once, what may be one is reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import AmbiguousFilesError
from rave_flow.formats import bundles
from rave_flow.formats.source_directory import Repository
from rave_flow.inventory import Inventory
from rave_flow.model.windows import Window, instant
from rave_flow.operations import count, daily, top
from rave_flow.silk import rwcut, rwfilter
from rave_flow.sql import uid_keys

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
TITLES = "ts,src,sport,dst,dport,proto,bytes,packets,duration,note"


def row(second: float, *, port: int = 4000, proto: str = "tcp", sent: int = 9) -> str:
    """A flow without a uid."""
    return f"{1715680800 + second},10.0.0.1,{port},192.0.2.80,443,{proto},{sent},1,0.5"


def write(directory: Path, **files: list[str]) -> None:
    """Tables of these rows, each with a column of its own."""
    for name, rows in files.items():
        text = "\n".join([TITLES, *(f"{each},{name}" for each in rows), ""])
        (directory / f"{name}.csv").write_text(text)


def test_a_partial_copy_counts_once_and_is_reported(serving: Serve, directory: Path) -> None:
    """Seven of ten flows lie in a second file, with one of its own, and three in a third."""
    flows = [row(0.25 + number, port=4000 + number) for number in range(10)]
    write(directory, a=flows, b=[*flows[3:], row(99.5)], c=flows[:3])
    serving(directory)
    table = top(over="proto")
    assert table["flows"].to_pylist() == [11]
    assert left_out(table)["duplicates"] == 10
    assert b"10 records left out" in table.schema.metadata[b"rave.notes"]


def test_of_whole_seconds_equal_flows_count_and_are_reported(serving: Serve, directory: Path) -> None:
    """Nothing shows whether they are copies; the same of a protocol without ports."""
    echo = row(0.5, proto="icmp", port=8)
    write(directory, a=[row(1), row(2), echo], b=[row(2), row(3), echo])
    serving(directory)
    table = top(over="proto")
    assert sorted(table["flows"].to_pylist()) == [2, 4]
    assert left_out(table) == {"alike": 2}
    assert b"2 flows may be copies, and count" in table.schema.metadata[b"rave.notes"]
    with pytest.raises(AmbiguousFilesError, match="2 records are there twice"):
        Inventory.of(Repository.scan(directory, strict=True)).select(Window())


def test_flows_that_differ_in_a_value_are_different(serving: Serve, directory: Path) -> None:
    """As are equal ones in one file: an exporter may report a flow from two interfaces."""
    write(directory, a=[row(0.5), row(0.5)], b=[row(0.5, sent=10), row(0.5, port=5)])
    serving(directory)
    table = count()
    assert table["flows"].to_pylist() == [4]
    assert left_out(table) == {}


@settings(max_examples=25, deadline=None)
@given(files=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=4))
def test_each_flow_counts_as_often_as_in_the_file_that_has_it_most(reused: Reused, files: list[list[int]]) -> None:
    """Of any files; what counts and what is left out is what was written."""
    most: Counter[int] = Counter()
    for rows in files:
        most |= Counter(rows)
    with reused() as (directory, example):
        written = {f"t{place}x{example}": [row(0.5 + each) for each in rows] for place, rows in enumerate(files)}
        write(directory, **written)
        table = top(over="proto")
    assert table["flows"].to_pylist() == [most.total()]
    assert left_out(table).get("duplicates", 0) == sum(map(len, files)) - most.total()


NAMED = "#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tbytes\tpackets\tduration\n"


def named(time: float, uid: str, duration: float = 0.5) -> str:
    """A record of a connection."""
    return f"{time}\t{uid}\t10.0.0.1\t4000\t192.0.2.80\t443\ttcp\t9\t1\t{duration}\n"


MIDNIGHT = 1715731200
FLOWS = pyarrow.schema([("uid", pyarrow.string()), ("ts", pyarrow.timestamp("us"))])


@pytest.mark.parametrize("small", [0, bundles.SMALL], ids=["read alone", "read together"])
@pytest.mark.parametrize(("first", "second"), [(-0.0004, 0), (-1800, 1800), (-86400, 86399)])
def test_records_of_a_connection_in_different_hours_count_once(
    reused: Reused, monkeypatch: pytest.MonkeyPatch, small: int, first: float, second: float
) -> None:
    """On both sides of midnight, up to two days apart; other connections there count, with equal ends or uids."""
    monkeypatch.setattr(bundles, "SMALL", small)
    before = [named(MIDNIGHT + first, "Csame"), named(MIDNIGHT - 1, "Ca")]
    after = [named(MIDNIGHT + second, "Csame"), named(MIDNIGHT + 1, "Cb")]
    other = named(MIDNIGHT + second, "Csame").replace("4000", "4001")
    with reused() as (directory, example):
        (directory / f"conn.a{example}.log").write_text(NAMED + "".join(before))
        (directory / f"conn.b{example}.log").write_text(NAMED + "".join(after))
        table, hour = top(over="proto"), top(over="proto", start=instant(MIDNIGHT), end=instant(MIDNIGHT + 3600))
        (directory / f"conn.b{example}.log").write_text(NAMED + "".join([other, after[1]]))
        apart = top(over="proto")
    assert (table["flows"].to_pylist(), left_out(table)) == ([3], {"duplicates": 1})
    assert (hour["flows"].to_pylist(), left_out(hour)) == ([1 + (second < 3600)], {})
    assert (apart["flows"].to_pylist(), left_out(apart)) == ([4], {})


def test_of_records_in_three_hours_the_longest_counts(reused: Reused) -> None:
    """Wherever it stands, and whether its hour has another one, too."""
    records = [named(MIDNIGHT + 3600 * number, "Csame", length) for number, length in enumerate([2, 3, 1])]
    with reused() as (directory, example):
        (directory / f"conn.a{example}.log").write_text(NAMED + "".join([*records, named(MIDNIGHT, "Csame", 0.5)]))
        rows = rwcut(rwfilter(), fields="duration").to_pylist()
        table, report = top(over="proto"), daily(day="2024-05-15")
    assert rows == [{"duration": 3.0}]
    assert report["flows"].to_pylist() == [1, 1, 1]  # of the day, its protocol and its port
    assert left_out(report) == left_out(table)
    assert left_out(table) == {"duplicates": 3}


@given(records=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 47)), max_size=60), most=st.integers(1, 20))
def test_uids_in_several_hours_are_found(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[int, int]], most: int
) -> None:
    """However many are looked at together; of hours that are not asked for, none."""
    folder = tmp_path_factory.mktemp("keys")
    files = []
    for number in range(2):
        rows = [(f"C{uid}", instant(MIDNIGHT + 3600 * hour)) for uid, hour in records[number::2]]
        flows = pyarrow.table({"uid": [uid for uid, _ in rows] + [None], "ts": [ts for _, ts in rows] + [None]}, FLOWS)
        pyarrow.parquet.write_table(flows, folder / f"{number}.parquet")
        files.append(folder / f"{number}.keys")
        uid_keys.write_keys(folder / f"{number}.parquet", files[-1])
    hours = [MIDNIGHT + 3600 * hour for hour in range(2, 40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uid_keys, "_MOST", most)
        found = uid_keys.in_several_hours(files, hours)
    asked = {(uid, hour) for uid, hour in records if 2 <= hour < 40}
    several = [uid for uid, number in Counter(uid for uid, _ in asked).items() if number > 1]
    assert len(found) == len(several)

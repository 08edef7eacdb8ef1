"""rwdedupe, rwgroup, rwmatch and rwaddrcount, against plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rave_flow.errors import ParameterError
from rave_flow.silk import rwaddrcount, rwcat, rwcut, rwdedupe, rwfilter, rwgroup, rwmatch

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Parse = Callable[[Path], list[dict[str, Any]]]
NOON = 1715688000.0


@pytest.fixture
def netflow(serving: Serve, tmp_path: Path) -> Callable[[Iterable[tuple[Any, ...]]], None]:
    """Serves flows of (second, duration, source, port, destination, port) as a CSV of one direction each."""

    def serve(rows: Iterable[tuple[Any, ...]]) -> None:
        directory = tmp_path / "flows"
        directory.mkdir()
        lines = ["ts,duration,src,src_port,dst,dst_port,proto,bytes,packets"]
        lines += [",".join(map(str, (NOON + row[0], *row[1:], "tcp", 100, 2))) for row in rows]
        (directory / "a.csv").write_text("\n".join([*lines, ""]))
        serving(directory)

    return serve


def seconds(table: Any) -> list[float]:
    """When the flows of a table start, in seconds after noon."""
    return [round(row["stime"].timestamp() - NOON, 3) for row in table.to_pylist()]


def test_duplicates_count_once(netflow: Callable[..., None]) -> None:
    """Equal in all fields, or but for those that are ignored, or but for a time; a later filter sees the rest."""
    flow, other = (1.0, "10.0.0.1", 4000, "192.0.2.1", 80), (1.0, "10.0.0.1", 4001, "192.0.2.1", 80)
    netflow([(0, *flow), (0, *flow), (0.5, *flow), (1.4, *flow), (9, *flow), (0, *other)])
    assert seconds(rwcut(rwdedupe(rwfilter()))) == [0, 0, 0.5, 1.4, 9]
    assert seconds(rwcut(rwdedupe(rwfilter(), stime_delta=1))) == pytest.approx([0, 0, 9])
    assert seconds(rwcut(rwdedupe(rwfilter(), ignore_fields="stime"))) == [0, 0]
    assert seconds(rwcut(rwdedupe(rwfilter(), ignore_fields="stime,sport"))) == [0]
    once = rwdedupe(rwcat(rwfilter(), rwfilter()))
    assert seconds(rwcut(rwfilter(once, stime="2024/05/14:12:00:00.5-2024/05/14:12:00:10"))) == [0.5, 1.4, 9]


def test_groups_are_equal_in_fields_and_near_in_others(netflow: Callable[..., None]) -> None:
    """Numbered from 0 in order; small ones are left out; or a row for each."""
    starts = ((9, 0), (9, 3), (9, 20), (10, 1), (10, 4))
    netflow([(at, 1.0, f"10.0.0.{host}", 4000, "192.0.2.1", 80) for host, at in starts])
    table = rwgroup(rwfilter(), id_fields="sip", delta_field="stime", delta_value=5, fields="sip,stime")
    found = [(row["group"], row["sip"], row["stime"].timestamp() - NOON) for row in table.to_pylist()]
    assert found == [
        (0, "10.0.0.9", 0),
        (0, "10.0.0.9", 3),
        (1, "10.0.0.9", 20),
        (2, "10.0.0.10", 1),
        (2, "10.0.0.10", 4),
    ]
    large = rwgroup(rwfilter(), id_fields=1, delta_field=9, delta_value=5, rec_threshold=2, summarize=True).to_pylist()
    assert [(row["group"], row["sip"], row["records"], row["bytes"]) for row in large] == [
        (0, "10.0.0.9", 2, 200),
        (1, "10.0.0.10", 2, 200),
    ]
    assert large[0]["etime"] == datetime(2024, 5, 14, 12, 0, 4, tzinfo=UTC)
    assert set(rwgroup(rwfilter(), id_fields="sip")["group"].to_pylist()) == {0, 1}


def test_queries_are_matched_with_their_responses(netflow: Callable[..., None]) -> None:
    """An event is what overlaps, or follows within a time; a response without a query is none."""
    ask, answer = ("10.0.0.1", 4000, "192.0.2.1", 80), ("192.0.2.1", 80, "10.0.0.1", 4000)
    netflow(
        [
            (0, 2.0, *ask), (0.1, 1.0, *answer), (2.5, 1.0, *ask), (3, 0.5, *answer),
            (50, 1.0, *answer), (50.5, 1.0, *ask),
            (80, 1.0, *ask), (80.5, 1.0, "192.0.2.1", 80, "10.0.0.1", 4001),
        ]
    )  # fmt: skip
    out, back = rwfilter(dport=80), rwfilter(sport=80)

    def events(**options: Any) -> list[tuple[int, str, float]]:
        rows = rwmatch(out, back, fields="stime", **options).to_pylist()
        return [(row["match"], row["side"][0], round(row["stime"].timestamp() - NOON, 1)) for row in rows]

    first = [(1, "q", 0.0), (1, "r", 0.1)]
    assert events() == [*first, (2, "q", 2.5), (2, "r", 3.0)]
    assert events(time_delta=1) == [*first, (1, "q", 2.5), (1, "r", 3.0)]
    assert events(symmetric_delta=True) == [*first, (2, "q", 2.5), (2, "r", 3.0), (3, "r", 50.0), (3, "q", 50.5)]
    assert events(unmatched="q")[:2] == [(0, "q", 50.5), (0, "q", 80.0)]
    assert [row[2] for row in events(unmatched="b") if row[0] == 0] == [50.0, 50.5, 80.0, 80.5]
    assert events(relate="1,2;2,1")[-2:] == [(3, "q", 80.0), (3, "r", 80.5)]


def test_addresses_are_counted(sharing: Serve, generated: Path, parsed: Parse) -> None:
    """Sums and times of each, in order of their numbers; limits leave some out."""
    sharing(generated)
    sums: dict[str, list[Any]] = {}
    for row in parsed(generated):
        held = sums.setdefault(row["dst"], [0, 0, 0, row["us"]])
        held[:] = held[0] + row["bytes"], held[1] + row["packets"], held[2] + 1, min(held[3], row["us"])
    rows = rwaddrcount(rwfilter(), use_dest=True).to_pylist()
    assert {row["dip"]: [row["bytes"], row["packets"], row["records"]] for row in rows} == {
        address: held[:3] for address, held in sums.items()
    }
    assert all(round(row["start_time"].timestamp() * 1e6) == sums[row["dip"]][3] for row in rows)
    assert [row["dip"] for row in rows if row["dip"].startswith("10.0.0.")] == sorted(
        (address for address in sums if address.startswith("10.0.0.")), key=lambda text: int(text.split(".")[3])
    )
    some = rwaddrcount(rwfilter(), use_dest=True, min_records=5, max_bytes=10**6)
    assert some.num_rows == sum(held[2] >= 5 and held[0] <= 10**6 for held in sums.values())


@pytest.mark.parametrize(
    "ask",
    [
        lambda flows: rwgroup(flows),
        lambda flows: rwgroup(flows, delta_field="stime"),
        lambda flows: rwgroup(flows, delta_field="sip", delta_value=1),
        lambda flows: rwgroup(flows, id_fields="sip", rec_threshold=0),
        lambda flows: rwmatch(flows, flows, time_delta=-1),
        lambda flows: rwmatch(flows, flows, relate="1"),
        lambda flows: rwmatch(flows, flows, relate=[]),
        lambda flows: rwmatch(flows, flows, unmatched="x"),
        lambda flows: rwdedupe(flows, ignore_fields="port"),
        lambda flows: rwdedupe(flows, stime_delta="soon"),
        lambda flows: rwaddrcount(flows, min_bytes="1 OR true"),
        lambda flows: rwaddrcount(flows, min_bytes=5, max_bytes=4),
    ],
)
def test_a_wrong_use_is_told(sharing: Serve, generated: Path, ask: Callable[[Any], object]) -> None:
    """By the name of the argument."""
    sharing(generated)
    with pytest.raises(ParameterError) as caught:
        ask(rwfilter())
    assert caught.value.parameter

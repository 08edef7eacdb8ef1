"""``flow/top`` against sums made line by line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_flow import steps
from rave_flow.errors import NothingFoundError, WindowError
from rave_flow.operations import silk
from rave_flow.operations.tables import count, top

from rave_core import Runtime
from rave_core.errors import ArgumentError

Row = dict[str, Any]
MIDNIGHT = int(datetime(2024, 5, 14, tzinfo=UTC).timestamp())
BOTH = {"address": ("src", "dst"), "port": ("src_port", "dst_port")}
OVER = ["src", "dst", "address", "src_port", "dst_port", "port", "proto", "service"]


def expected(rows: list[Row], n: int, by: str, over: str, start: int, end: int) -> list[Row]:
    """The answer, the long way round."""
    inside = [row for row in rows if start * 10**6 <= row["us"] < end * 10**6]
    sums: dict[Any, Row] = {}
    for row in inside:
        for value in {row[column] for column in BOTH.get(over, (over,))}:
            one = sums.setdefault(value, {over: value, "bytes": 0, "packets": 0, "flows": 0})
            for name, amount in (("bytes", row["bytes"]), ("packets", row["packets"]), ("flows", 1)):
                one[name] += amount
    total = len(inside) if by == "flows" else sum(row[by] for row in inside)
    ranked = sorted(
        sums.values(), key=lambda one: (-one[by], one[over] is None, one[over] if one[over] is not None else 0)
    )[:n]
    return [one | {"share": pytest.approx(one[by] / total if total else 0.0)} for one in ranked]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(1, 50),
    by=st.sampled_from(["bytes", "packets", "flows"]),
    over=st.sampled_from(OVER),
    window=st.tuples(st.integers(0, 86400), st.integers(0, 86400)).map(sorted),
)
def test_top_equals_sums_made_line_by_line(
    sharing: Callable[[Path], Runtime],
    generated: Path,
    parsed: Callable[[Path], list[Row]],
    n: int,
    by: str,
    over: str,
    window: list[int],
) -> None:
    """For any n, measure, dimension and window the numbers and their order are those of plain Python."""
    sharing(generated)
    start, end = (MIDNIGHT + second for second in window)
    times = [datetime.fromtimestamp(second, UTC) for second in (start, end)]
    wanted = expected(parsed(generated), n, by, over, start, end)
    if start == end:
        with pytest.raises(WindowError, match="not before its end"):
            top(n, by, over, *times)
    elif not wanted:
        with pytest.raises(NothingFoundError, match="they reach from 2024-05-14"):
            top(n, by, over, *times)
    else:
        assert top(n, by, over, *times).to_pylist() == wanted


def test_top_of_recorded_traffic_equals_sums_made_line_by_line(
    sharing: Callable[[Path], Runtime], real_data: Path, parsed: Callable[[Path], list[Row]]
) -> None:
    """On two recorded days, over every dimension and by every measure."""
    sharing(real_data)
    rows = parsed(real_data)
    for over in OVER:
        for by in ("bytes", "packets", "flows"):
            assert top(20, by, over).to_pylist() == expected(rows, 20, by, over, 0, 2**40)


def test_times_without_a_zone_are_utc(sharing: Callable[[Path], Runtime], generated: Path) -> None:
    """A time in another zone, the same in UTC, and the same without a zone are one argument."""
    sharing(generated)
    keys = {
        top.key(start=start).text
        for start in ("2024-05-14T10:00", "2024-05-14T12:00+02:00", "2024-05-14T10:00:00Z", datetime(2024, 5, 14, 10))
    }
    assert len(keys) == 1


def test_columns_say_what_they_are_and_addresses_lead_on(sharing: Callable[[Path], Runtime], generated: Path) -> None:
    """By their names; `rwfilter` takes addresses, and its form folds most conditions away."""
    sharing(generated)
    roles = {field.name: (field.metadata or {}).get(b"rave.role") for field in top(n=1).schema}
    assert roles == {"src": b"address", "bytes": b"bytes", "packets": b"count", "flows": b"count", "share": b"share"}
    hints = silk.__export__["rwfilter"].spec.hints
    assert hints.takes["any_address"] == "address"
    assert "not_saddress" in hints.groups["Conditions that must not hold"]


def test_an_end_is_not_part_of_its_window(
    serving: Callable[[Path], Runtime], zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """A flow that starts exactly at an edge counts in the window that begins there, and in no other."""
    serving(zeek([line(1715680800, "10.0.0.1"), line(1715684400, "10.0.0.2")]))
    assert top(start="2024-05-14T10:00", end="2024-05-14T11:00")["src"].to_pylist() == ["10.0.0.1"]
    assert top(start="2024-05-14T11:00", end="2024-05-14T12:00")["src"].to_pylist() == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "byte"}, "bytes, packets, flows"),
        ({"over": "colour"}, "src, dst, address, src_port"),
        ({"n": 0}, "from 1 to 1000000"),
        ({"n": 2.5}, "whole number"),
        ({"start": "yesterday"}, "yesterday"),
        ({"source": 3}, "name of a flow source"),
    ],
)
def test_a_bad_argument_is_refused_with_what_would_be_right(
    sharing: Callable[[Path], Runtime], generated: Path, arguments: dict[str, Any], message: str
) -> None:
    """The error names the argument and the values that are allowed."""
    sharing(generated)
    with pytest.raises(ArgumentError, match=message) as caught:
        top(**arguments)
    assert caught.value.parameter in arguments


def test_days_that_did_not_change_are_not_added_up_again(
    serving: Callable[[Path], Runtime],
    zeek: Callable[..., Path],
    line: Callable[..., str],
    runs: Callable[[str], int],
) -> None:
    """Neither for another number, measure or window, nor when a later day grows; sums are those of all flows."""
    first = [line(MIDNIGHT + 600 * number + 0.5, f"10.0.0.{number % 2}", 10 + number) for number in range(12)]
    later = [line(MIDNIGHT + 86400 + 60 * number + 0.5, f"10.0.1.{number}", 5) for number in range(8)]
    zeek(first, name="conn.1.log")
    serving(zeek(later, name="conn.2.log"))
    ran = runs("flow/steps:totals")
    assert top(n=2)["bytes"].to_pylist() == [6 * 50 + sum(range(11, 23, 2)), 6 * 50 + sum(range(10, 22, 2))]
    assert runs("flow/steps:totals") == ran + 2
    assert top(n=20, by="flows")["flows"].to_pylist() == [6, 6, *[1] * 8]
    assert top(by="flows", end="2024-05-14T22:00")["share"].to_pylist() == [0.5, 0.5]
    assert sum(top(n=20, start="2024-05-14T01:00")["flows"].to_pylist()) == 6 + 8  # cuts the first day
    assert runs("flow/steps:totals") == ran + 3
    zeek([line(MIDNIGHT + 90000.5, "10.0.0.1", 1)], name="conn.3.log")
    assert top(n=1, by="flows").to_pylist()[0]["flows"] == 7
    assert runs("flow/steps:totals") == ran + 4


def test_the_first_question_of_large_pieces_does_not_read_their_flows(
    serving: Callable[[Path], Runtime],
    zeek: Callable[..., Path],
    line: Callable[..., str],
    runs: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were added up when they were read; small pieces, and dropped rows, count as they are."""
    monkeypatch.setattr(steps, "LARGE", 10)
    logs = [
        [line(MIDNIGHT + 3600 * hour + 0.5 + each, f"10.0.0.{each % 3}", 10) for each in range(12)] for hour in (1, 2)
    ]
    for hour, lines in enumerate(logs):
        directory = zeek(lines, name=f"conn.{hour}.log")
    zeek([line(MIDNIGHT + 9000.5, "10.0.0.1", 7, "udp"), *logs[1][:4]], name="conn.few.log")
    serving(directory)

    def read() -> int:
        operations = vars(logging)["statistics"]["RAVE"]["Operations"]
        files = [operations[f"flow/steps:{name}"] for name in ("ingest", "without")]
        return sum(record[each] for record in files for each in ("Hits", "Misses"))

    table = count(bin="1d")
    assert table["flows"].to_pylist() == [25]
    ran, before = runs("flow/steps:part_totals"), read()
    assert top(by="flows").to_pylist()[0] == {
        "src": "10.0.0.1", "bytes": 8 * 60 + 57, "packets": 45, "flows": 9, "share": 9 / 25,
    }  # fmt: skip
    assert runs("flow/steps:part_totals") == ran
    assert read() == before + 1  # the small one alone
    assert top(n=1, by="flows", over="proto")["flows"].to_pylist() == [24]
    assert sum(top(by="flows", end="2024-05-14T02:00:05")["flows"].to_pylist()) == 12 + 5

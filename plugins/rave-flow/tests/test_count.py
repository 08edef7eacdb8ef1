"""``flow/count``: bins of time, the empty ones too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rave_flow.errors import NothingFoundError, WindowError
from rave_flow.operations.tables import count

from rave_core import Runtime
from rave_core.errors import ArgumentError

Row = dict[str, Any]
MIDNIGHT = datetime(2024, 5, 14, tzinfo=UTC)


@pytest.mark.parametrize("proto", [None, "udp"])
@pytest.mark.parametrize("width", [600, 3600, 25000])
def test_count_equals_sums_made_line_by_line(
    sharing: Callable[[Path], Runtime],
    generated: Path,
    parsed: Callable[[Path], list[Row]],
    width: int,
    proto: str | None,
) -> None:
    """Each bin of a day has the sums of the flows that started in it; the last bin ends with the window."""
    sharing(generated)
    rows = [row for row in parsed(generated) if proto in (None, row["proto"])]
    answer = count(width, MIDNIGHT, MIDNIGHT + timedelta(days=1), proto).to_pylist()
    assert len(answer) == -(-86400 // width)
    for index, got in enumerate(answer):
        start = MIDNIGHT + timedelta(seconds=index * width)
        inside = [row for row in rows if 0 <= row["us"] - start.timestamp() * 10**6 < width * 10**6]
        sums = {name: sum(row[name] for row in inside) for name in ("bytes", "packets")}
        assert got == {"ts": start, **sums, "flows": len(inside)}


def test_bins_without_flows_are_there(
    serving: Callable[[Path], Runtime], zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Two flows three hours apart make four hourly bins, two of them zero."""
    serving(zeek([line(1715680800 + 60), line(1715680800 + 3 * 3600)]))
    answer = count("1h")
    assert answer["flows"].to_pylist() == [1, 0, 0, 1]
    assert answer["bytes"].to_pylist() == [150, 0, 0, 150]
    assert answer["ts"].to_pylist()[0] == datetime(2024, 5, 14, 10, tzinfo=UTC)


def test_bins_count_from_the_start_of_the_window(
    serving: Callable[[Path], Runtime], zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """A window that starts at twenty past has bins from twenty past to twenty past."""
    serving(zeek([line(1715680800 + 1300)]))
    answer = count("1h", "2024-05-14T10:20", "2024-05-14T12:00")
    assert [time.minute for time in answer["ts"].to_pylist()] == [20, 20]
    assert answer["flows"].to_pylist() == [1, 0]


def test_an_unknown_protocol_is_told_with_those_that_are_there(
    sharing: Callable[[Path], Runtime], generated: Path
) -> None:
    """A misspelt protocol is an error, not a table of zeros."""
    sharing(generated)
    with pytest.raises(NothingFoundError, match="no 'tpc' flows at any time; there are icmp, tcp, udp"):
        count(proto="tpc")


def test_too_many_bins_are_refused(sharing: Callable[[Path], Runtime], generated: Path) -> None:
    """Bins of a second over many days would not fit in a table that anyone reads."""
    sharing(generated)
    with pytest.raises(WindowError, match="use wider ones"):
        count("1s", "2024-05-14", "2024-06-14")


@pytest.mark.parametrize("width", [0, "0s", 0.5, "soon"])
def test_a_width_is_whole_seconds(sharing: Callable[[Path], Runtime], generated: Path, width: Any) -> None:
    """Anything but whole seconds, at least one, is refused."""
    sharing(generated)
    with pytest.raises(ArgumentError, match="'bin'"):
        count(width)

"""``flow/daily``: a day's report from 24 cached hours."""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rave_flow.errors import NothingFoundError
from rave_flow.operations.tables import daily, top

from rave_core import Runtime
from rave_core.engine.context import ExecutionContext, entered
from rave_core.model import Progress
from rave_core.runtime.runtime import current_context

Row = dict[str, Any]
Serve = Callable[[Path], Runtime]
Runs = Callable[[str], int]
HOUR = "flow/steps:hour"


def append(path: Path, text: str) -> None:
    """Adds lines to a gzip log, before its closing comment or after: Zeek's readers do not mind."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + text.encode()))


def last_line(path: Path, hour: int) -> str:
    """A line of the log whose flow started within the given hour of the day."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    return next(line for line in lines if line[0] != "#" and float(line.split("\t")[0]) % 86400 // 3600 == hour)


def test_a_day_runs_each_hour_once_and_again_only_the_one_that_changed(
    serving: Serve, generated: Path, runs: Runs, tmp_path: Path
) -> None:
    """24 hours at first, none the second time, one when one hour's log grew, none when a file was only touched."""
    directory = Path(shutil.copytree(generated, tmp_path / "day"))
    serving(directory)
    log = directory / "2024-05-14" / "conn.13:00:00-14:00:00.log.gz"

    def more(ask: Callable[[], object]) -> int:
        before = runs(HOUR)
        ask()
        return runs(HOUR) - before

    assert more(lambda: daily("2024-05-14")) == 24
    assert more(lambda: daily("2024-05-14")) == 0
    flows = daily("2024-05-14")["flows"][0].as_py()
    values = last_line(log, 13).split("\t")
    append(log, "\t".join([values[0], "Cother", *values[2:]]))
    assert more(lambda: daily("2024-05-14")) == 1
    assert daily("2024-05-14")["flows"][0].as_py() == flows + 1
    log.touch()
    assert more(lambda: daily("2024-05-14")) == 0


def test_the_report_adds_up_to_sums_made_line_by_line(
    sharing: Serve, generated: Path, parsed: Callable[[Path], list[Row]]
) -> None:
    """The day, every protocol and every port have the sums of their flows; shares are of the day's bytes."""
    sharing(generated)
    day = int(1715644800e6)
    rows = [row for row in parsed(generated) if day <= row["us"] < day + 86400 * 10**6]
    report = daily("2024-05-14", n=100_000).to_pylist()
    levels: Counter[tuple[str, str | None, int | None]] = Counter()
    hours: Counter[tuple[int, str, str | None, int | None]] = Counter()
    for row in rows:
        places = (("day", None, None), ("protocol", row["proto"], None), ("port", row["proto"], row["dst_port"]))
        for place in places:
            levels[place] += row["bytes"]
            hours[((row["us"] - day) // (3600 * 10**6), *place)] += row["bytes"]
    assert {(one["level"], one["proto"], one["port"]): one["bytes"] for one in report} == levels
    assert report[0]["flows"] == len(rows)
    for one in report:
        place = (one["level"], one["proto"], one["port"])
        assert one["share"] == pytest.approx(one["bytes"] / report[0]["bytes"])
        assert hours[(one["busiest_hour"], *place)] == max(hours[(hour, *place)] for hour in range(24))


def test_the_report_is_cut_and_ordered(sharing: Serve, generated: Path) -> None:
    """First the day, then each protocol by its bytes, with no more than n ports below it, the largest first."""
    sharing(generated)
    report = daily("2024-05-14", n=2).to_pylist()
    assert [one["level"] for one in report[:4]] == ["day", "protocol", "port", "port"]
    protocols = [one for one in report if one["level"] == "protocol"]
    assert [one["bytes"] for one in protocols] == sorted((one["bytes"] for one in protocols), reverse=True)
    for name in {one["proto"] for one in protocols}:
        ports = [one["bytes"] for one in report if one["level"] == "port" and one["proto"] == name]
        assert ports == sorted(ports, reverse=True)
        assert len(ports) <= 2


def test_a_recorded_day_adds_up(sharing: Serve, real_data: Path, parsed: Callable[[Path], list[Row]]) -> None:
    """Flows that stand in the log of a later hour, since they lasted, count in the hour in which they started."""
    sharing(real_data)
    day = int(1713571200e6)
    rows = [row for row in parsed(real_data) if day <= row["us"] < day + 86400 * 10**6]
    total = daily("2024-04-20").to_pylist()[0]
    assert (total["flows"], total["bytes"]) == (len(rows), sum(row["bytes"] for row in rows))


def test_a_day_without_flows_is_told(sharing: Serve, generated: Path) -> None:
    """The error says which days there are."""
    sharing(generated)
    with pytest.raises(NothingFoundError, match="from 2024-05-14 00:"):
        daily("2023-01-01")


def test_a_report_tells_how_far_it_is(serving: Serve, generated: Path) -> None:
    """Each of the 24 hours is reported as it begins."""
    runtime = serving(generated)
    heard: list[Progress] = []
    with entered(ExecutionContext(runtime, listener=lambda _name, report: heard.append(report))):
        daily("2024-05-14")
    assert [report.done for report in heard if report.total == 24] == list(range(25))
    assert current_context().listener is None


def test_a_new_file_is_noticed_at_once(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str], runs: Runs
) -> None:
    """A new log changes an answer that was kept for days; one outside of the window does not compute it again."""
    serving(zeek([line(src="10.0.0.1")]))
    window = {"start": "2024-05-14T10:00", "end": "2024-05-14T11:00"}
    assert top(**window).num_rows == 1
    zeek([line(src="10.0.0.2")], name="conn.more.log")
    assert top(**window).num_rows == 2
    before = runs("flow/steps:top")
    zeek([line(ts=1715700000)], name="conn.later.log.gz")
    assert top(**window).num_rows == 2
    assert runs("flow/steps:top") == before


def test_recent_results_are_kept_for_less_time(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Five minutes with an open or recent end, five days once the window has been over for three hours."""
    serving(zeek([line()]))
    for end, seconds in ((None, 300), ("2124-01-01", 300), ("2024-05-15", 5 * 86400)):
        entry = top.resolve(end=end).entry
        assert entry is not None
        assert entry.expires_at - entry.created_at == pytest.approx(seconds, abs=2)

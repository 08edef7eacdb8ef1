"""Statistics of several workers, merged into those of the service."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rave_core.telemetry.statistics import Statistics, extrapolate
from rave_http.executors.stats_delta import StatsDelta, StatsGrowth, add
from rave_http.workers.statistics_report import merge_statistics, of_operations


def _worker(hits: dict[str, int], **cells: Any) -> dict[str, Any]:
    """What a worker would report."""
    statistics = Statistics()
    for name, number in hits.items():
        statistics.record(name).update({"Hits": number, "Misses": 1, "Seconds Computing": 0.5})
    statistics.namespace.update(cells)
    return {"RAVE": extrapolate(statistics.namespace), "Other": {"Requests": 7}}


def test_merged_statistics_are_sums_with_ratios_of_the_sums() -> None:
    """A ratio is not added up, nor is a time of start; what only one worker has is there too."""
    workers = {
        "worker-1": _worker({"a": 3, "b": 1}, **{"Start Time": 100.0, "Stored Bytes": 10}),
        "worker-2": _worker({"a": 5}, **{"Start Time": 90.0, "Stored Bytes": 5, "Curious": 2}),
    }
    merged = merge_statistics(workers)
    rave = merged["RAVE"]
    assert rave["Operations"]["a"]["Hits"] == 8
    assert rave["Operations"]["a"]["Seconds Computing"] == 1.0
    assert rave["Operations"]["a"]["Hit Ratio"] == 8 / 10
    assert rave["Operations"]["b"]["Hit Ratio"] == 1 / 2
    assert (rave["Hits"], rave["Misses"], rave["Hit Ratio"]) == (9, 3, 9 / 12)
    assert (rave["Stored Bytes"], rave["Curious"], rave["Start Time"], rave["Enabled"]) == (15, 2, 90.0, True)
    assert rave["Uptime"] == pytest.approx(time.time() - 90.0, abs=5)
    assert merged["workers"] == workers
    assert set(merged) == {"RAVE", "workers"}


def test_merging_changes_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of this process nor those that are merged."""
    installed = Statistics.install()
    before = extrapolate(installed.namespace)["Operations"]
    document = _worker({"a": 1})
    merge_statistics({"worker-1": document, "worker-2": document})
    assert document["RAVE"]["Operations"]["a"]["Hits"] == 1
    assert extrapolate(installed.namespace)["Operations"] == before


def test_spoilt_cells_spoil_nothing_else() -> None:
    """What is no number is left out of the sums, whatever stands where."""
    spoilt = _worker({"a": 2}, **{"Stored Bytes": "error: x", "Enabled": False})
    spoilt["RAVE"]["Operations"]["b"] = "gone"
    spoilt["RAVE"]["Operations"]["a"]["Misses"] = None
    merged = merge_statistics({"worker-1": spoilt, "worker-2": _worker({"a": 1}), "worker-3": {"RAVE": 3}})
    assert merged["RAVE"]["Operations"]["a"]["Hits"] == 3
    assert (merged["RAVE"]["Stored Bytes"], merged["RAVE"]["Enabled"]) == (0, False)
    assert merge_statistics({})["RAVE"]["Hit Ratio"] is None


def _run(operation: str, ended_at: float) -> dict[str, Any]:
    return {"Operation": operation, "Seconds": 12.5, "End Time": ended_at, "Key": None}


def test_the_slow_runs_of_all_workers_are_one_list() -> None:
    """The latest of all, in order, and only of those operations that somebody may see."""
    workers = {
        "worker-1": _worker({"a": 1}, **{"Slow Operations": [_run("a", 1.0), _run("b", 4.0)]}),
        "worker-2": _worker({"b": 1}, **{"Slow Operations": [_run("b", 2.0), "error: x", _run("a", 3.0)]}),
        "worker-3": _worker({}, **{"Slow Operations": "error: x"}),
    }
    merged = merge_statistics(workers)
    assert [(run["Operation"], run["End Time"]) for run in merged["RAVE"]["Slow Operations"]] == [
        ("a", 1.0),
        ("b", 2.0),
        ("a", 3.0),
        ("b", 4.0),
    ]
    seen = of_operations(merged, "a".__eq__)
    for space in (seen, *seen["workers"].values()):
        assert {run["Operation"] for run in space["RAVE"]["Slow Operations"]} <= {"a"}
    assert len(seen["RAVE"]["Slow Operations"]) == 2


def test_the_slow_runs_of_a_child_are_handed_over_once() -> None:
    """To those of its worker."""
    child, worker = Statistics(), Statistics()
    delta = StatsDelta(child)
    child.ran_slowly("a", "a/v/1", 1.5, ended_at=7.0)
    growth = delta.taken()
    assert delta.taken() == StatsGrowth()
    add(worker, growth)
    assert worker.namespace["Slow Operations"] == [{"Operation": "a", "Seconds": 1.5, "End Time": 7.0, "Key": "a/v/1"}]

"""Statistics: the namespace, counting, and how a report is made of it."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from rave_core import Runtime, Settings, current_runtime, op, using
from rave_core.clock import Clock
from rave_core.errors import UnknownNameError
from rave_core.telemetry import statistics
from rave_core.telemetry.statistics import Statistics, extrapolate
from rave_core.testing import FakeClock


class StoppedClock(Clock):
    """A clock that moves when it is told to."""

    time = 100.0

    def now(self) -> float:
        """The time it was set to."""
        return self.time

    monotonic = now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Returns at once."""
        return event.is_set()


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A fresh ``logging.statistics``, put back afterwards."""
    fresh: dict[str, Any] = {}
    monkeypatch.setattr(logging, "statistics", fresh, raising=False)
    return fresh


def test_totals_are_sums_over_the_operations() -> None:
    """Each total counts what the records of all operations hold."""
    counted = Statistics()
    counted.record("a")["Hits"] += 3
    counted.record("b")["Hits"] += 1
    counted.record("b")["Misses"] += 4
    counted.record("b")["Seconds Saved"] += 2.5
    report = extrapolate(counted.namespace)
    assert (report["Hits"], report["Misses"], report["Seconds Saved"], report["Stale"]) == (4, 4, 2.5, 0)
    assert report["Hit Ratio"] == 0.5
    assert report["Operations"]["a"]["Hit Ratio"] == 1.0


def test_there_is_no_hit_ratio_before_the_first_call() -> None:
    """It is ``None``, not an error and not a number."""
    report = extrapolate(Statistics().namespace)
    assert report["Hit Ratio"] is None


def test_a_record_is_always_the_same_dict() -> None:
    """A caller may keep it and count in it."""
    counted = Statistics()
    assert counted.record("a") is counted.record("a")
    assert counted.record("a") is counted.namespace["Operations"]["a"]


def test_threads_that_ask_at_once_get_the_same_record() -> None:
    """No thread counts in a record that nobody reports."""
    counted, start = Statistics(), threading.Barrier(8)
    found: list[dict[str, Any]] = []

    def ask() -> None:
        start.wait()
        found.append(counted.record("a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(record) for record in found} == {id(counted.record("a"))}


def test_counters_add_up_and_new_ones_start_at_zero() -> None:
    """The namespace has four from the start; a plugin may count more."""
    counted = Statistics()
    counted.count("Stored Bytes", 100)
    counted.count("Stored Bytes", 20)
    counted.count("Something New")
    assert (counted.namespace["Stored Bytes"], counted.namespace["Something New"]) == (120, 1)
    assert [counted.namespace[name] for name in ("Damaged Entries", "Backend Failures", "Lease Takeovers")] == [0, 0, 0]


def test_uptime_follows_the_clock() -> None:
    """It is the time since the start, when the report is made."""
    clock = StoppedClock()
    counted = Statistics(clock)
    clock.time = 107.5
    report = extrapolate(counted.namespace)
    assert (report["Start Time"], report["Uptime"]) == (100.0, 7.5)


def test_a_failing_function_spoils_one_cell_only() -> None:
    """Its cell holds a short error, the others their values."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail(context: Any) -> None:
        raise Unspeakable

    report = extrapolate(
        {"bad": lambda s: 1 / 0, "worse": fail, "long": lambda s: s["x" * 999], "good": lambda s: s["n"], "n": 1}
    )
    assert report["bad"] == "error: ZeroDivisionError: division by zero"
    assert report["worse"].startswith("error: ")
    assert len(report["long"]) <= 200
    assert (report["good"], report["n"]) == (1, 1)


def test_a_report_is_json_whatever_others_put_there() -> None:
    """Values and keys that JSON has no form for become texts."""
    worker = {"Threads": {7: {"Busy": True}}, "Slow": [{"Query": b"x", "Time": lambda s: 0.5}], "Peers": ({"a"}, 1)}
    report = extrapolate({"Odd": complex(1, 2), "Endless": float("inf"), "Worker": worker})
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["Worker"]["Slow"] == [{"Query": "b'x'", "Time": 0.5}]
    assert report["Worker"]["Threads"] == {"7": {"Busy": True}}
    assert (report["Endless"], report["Worker"]["Peers"]) == ("inf", ["{'a'}", 1])


def test_a_report_is_a_copy() -> None:
    """Whoever changes it does not change what is counted."""
    counted = Statistics()
    counted.record("a")
    extrapolate(counted.namespace)["Operations"]["a"]["Hits"] = 99
    assert counted.record("a")["Hits"] == 0


def test_install_keeps_what_others_put_there(repository: dict[str, Any]) -> None:
    """Other namespaces stay, and keys that somebody added to ours."""
    repository["Other"] = {"Rows": 1}
    repository["RAVE"] = {"Note": "mine", "Stored Bytes": 5}
    Statistics.install().count("Stored Bytes")
    assert repository["Other"] == {"Rows": 1}
    assert (repository["RAVE"]["Note"], repository["RAVE"]["Stored Bytes"]) == ("mine", 6)


def test_installing_twice_counts_in_one_place(repository: dict[str, Any]) -> None:
    """The second goes on where the first is."""
    first, second = Statistics.install(), Statistics.install()
    first.record("a")["Hits"] += 1
    second.record("a")["Hits"] += 1
    assert repository["RAVE"]["Operations"]["a"]["Hits"] == 2
    assert first.namespace is second.namespace is repository["RAVE"]


def test_install_makes_the_repository_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first who counts makes ``logging.statistics``."""
    monkeypatch.setattr(logging, "statistics", None, raising=False)
    monkeypatch.delattr(logging, "statistics")
    installed = Statistics.install()
    assert vars(logging)["statistics"]["RAVE"] is installed.namespace


def test_a_paused_namespace_does_not_count(repository: dict[str, Any]) -> None:
    """Counting stops, reporting does not, and it goes on when resumed."""
    counted = Statistics.install()
    counted.count("Stored Bytes", 3)
    statistics.pause("RAVE")
    counted.count("Stored Bytes", 4)
    assert extrapolate(repository)["RAVE"]["Stored Bytes"] == 3
    statistics.resume("RAVE")
    counted.count("Stored Bytes", 5)
    assert repository["RAVE"]["Stored Bytes"] == 8


def test_pausing_what_can_not_be_paused_is_refused(repository: dict[str, Any]) -> None:
    """A namespace without ``Enabled``, or none of that name: the error offers the nearest."""
    Statistics.install()
    repository["Plain"] = {"Rows": 1}
    with pytest.raises(UnknownNameError, match="no statistics 'RAV' that can be paused: did you mean 'RAVE'"):
        statistics.pause("RAV")
    with pytest.raises(UnknownNameError, match="'Plain'"):
        statistics.resume("Plain")
    assert repository["Plain"] == {"Rows": 1}


def test_the_latest_slow_runs_are_listed(repository: dict[str, Any]) -> None:
    """Those of the runtime's settings at least, a hundred at most; a quick one and a paused one are not."""

    @op(name="tests/takes")
    def takes(seconds: float) -> float:
        clock: Any = current_runtime().clock
        clock.advance(seconds)
        return seconds

    with using(Runtime(Settings(cache="memory://", slow=2), clock=FakeClock(1000.0))) as runtime:
        for seconds in (1.9, 2.0, 5.0):
            takes(seconds)
        statistics.pause("RAVE")
        takes(7.0)
        statistics.resume("RAVE")
        runs = list(repository["RAVE"]["Slow Operations"])
        assert [(run["Seconds"], round(run["End Time"], 3)) for run in runs] == [(2.0, 1003.9), (5.0, 1008.9)]
        assert {run["Operation"] for run in runs} == {"tests/takes"}
        assert runs[0]["Key"] == takes.key(2.0).text
        for number in range(100):
            takes(10.0 + number)
        seconds = [round(run["Seconds"], 3) for run in repository["RAVE"]["Slow Operations"]]
        assert seconds == [10.0 + n for n in range(100)]
        runtime.close()

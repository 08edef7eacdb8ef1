"""What operators see of a service, whichever of its workers they ask."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
import requests

REQUESTS = 'rave_requests_total{"cache": "hit", "method": "GET", "route": "operation", "status": "2xx"}'
OUTCOMES = 'rave_cache_outcomes_total{"operation": "flow/top", "outcome": "hit"}'


def test_metrics_are_of_all_workers_and_only_grow(running: Any) -> None:
    """Either worker tells the sum of both; neither kill -9 nor HUP lose a count, and gauges are of the living."""
    first, second = running.workers()
    for pid, times in ((first, 3), (second, 2)):
        for _ in range(times):
            running.answered_by(pid, "/flow/top")
    before = running.metrics()
    asked = before[REQUESTS]
    assert asked >= 5
    assert before[OUTCOMES] == asked
    assert before["rave_stored_bytes_total{}"] == 100 * asked
    assert before["rave_workers{}"] == before["rave_workers_ready{}"] == 2
    running.kill(first)
    running.renew()
    _until(lambda: running.metrics()["rave_workers{}"] == 2)  # the old ones were still about to stop
    after = running.metrics()
    assert {name: after[name] for name in (REQUESTS, OUTCOMES)} == {name: before[name] for name in (REQUESTS, OUTCOMES)}
    assert after["rave_stored_bytes_total{}"] == 100 * asked
    assert after["rave_workers_ready{}"] == 2
    for name in [name for name in before if "_total" in name or "_bucket" in name or "_count" in name]:
        assert after[name] >= before[name], name


def test_files_of_dead_workers_do_not_pile_up(running: Any) -> None:
    """What they counted is in one file of each kind; their sockets are gone."""
    for _ in range(3):
        running.get("/flow/top")
        running.kill(running.workers().pop())
    [run_directory] = running.boards.glob("rave-board-*")
    assert len(list((run_directory / "metrics").glob("counter_*.db"))) == 3
    assert len(list(run_directory.glob("*.socket"))) == 2


def test_a_stop_loses_no_line_and_leaves_no_board(running: Any) -> None:
    """Whatever was answered is in the access log, even where the service was told to stop at once."""
    assert len(list(running.boards.glob("rave-board-*"))) == 1
    running.get("/flow/top", headers={"x-request-id": "last"})
    os.kill(running.process.pid, signal.SIGINT)
    running.process.wait(20)
    assert '"last"' in running.access_log.read_text()
    assert list(running.boards.glob("rave-board-*")) == []


def test_statistics_are_of_all_workers(shared: Any) -> None:
    """What the workers counted for an operation is added up, and each is shown too."""
    first, second = shared.workers()
    shared.answered_by(first, "/flow/top")
    shared.answered_by(second, "/flow/top")
    report = shared.get("/-/statistics").json()
    shares = [document["RAVE"]["Operations"]["flow/top"]["Hits"] for document in report["workers"].values()]
    assert set(report["workers"]) == {f"worker-{first}", f"worker-{second}"}
    assert min(shares) >= 1
    assert report["RAVE"]["Hits"] == report["RAVE"]["Operations"]["flow/top"]["Hits"] == sum(shares)
    assert report["silent"] == {}


def test_pausing_holds_for_every_worker_and_for_later_ones(running: Any) -> None:
    """A worker that starts after the pause counts nothing either; resuming reaches it."""
    running.get("/-/pause", name="RAVE")
    enabled = [document["RAVE"]["Enabled"] for document in running.get("/-/statistics").json()["workers"].values()]
    assert enabled == [False, False]
    running.kill(running.workers().pop())
    report = running.get("/-/statistics").json()
    assert [document["RAVE"]["Enabled"] for document in report["workers"].values()] == [False, False]
    assert report["RAVE"]["Enabled"] is False
    running.get("/flow/top")
    assert running.get("/-/statistics").json()["RAVE"]["Hits"] == 0
    running.get("/-/resume", name="RAVE")
    running.get("/flow/top")
    report = running.get("/-/statistics").json()
    assert (report["RAVE"]["Enabled"], report["RAVE"]["Hits"]) == (True, 1)


def test_what_can_not_be_paused_is_refused(shared: Any) -> None:
    """The message names the nearest that can; nothing is left of it for later workers."""
    response = shared.get("/-/pause", name="RAVEN")
    assert (response.status_code, response.text) == (
        404,
        "no statistics 'RAVEN' that can be paused: did you mean 'RAVE'?",
    )


def test_a_stuck_worker_delays_by_the_time_limit_only(shared: Any) -> None:
    """Its peers tell it apart as silent, and answer for the others."""
    stuck, other = shared.workers()
    os.kill(stuck, signal.SIGSTOP)
    try:
        report = shared.get("/-/statistics").json()
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert report["silent"] == {f"worker-{stuck}": "no answer within 2 s"}
    assert set(report["workers"]) == {f"worker-{other}"}


def test_a_failure_is_a_problem_with_the_id_of_its_request(shared: Any) -> None:
    """The client gets no traceback; the log of the service has it under the same ID."""
    response = shared.get("/fail")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    identifier = response.headers["x-request-id"]
    assert identifier in response.json()["detail"]
    assert "a mistake" not in response.text
    log = shared.log.read_text()
    assert identifier in log
    assert "ZeroDivisionError: a mistake" in log


def test_requests_are_in_the_access_log(shared: Any) -> None:
    """Both workers append to one file; a request that its client gave up is there with status 499."""
    for number in range(20):
        shared.get("/flow/top", headers={"x-request-id": f"mine-{number}"})
    with pytest.raises(requests.ReadTimeout):
        shared.get("/wait", timeout=0.2)

    def lines() -> Any:
        found = [json.loads(line) for line in shared.access_log.read_text().splitlines()]
        return found if any(line["path"] == "/wait" for line in found) else None

    from_log = _until(lines)
    assert {line["request_id"] for line in from_log} >= {f"mine-{number}" for number in range(20)}
    assert [line["status"] for line in from_log if line["path"] == "/wait"] == [499]


def test_the_access_log_can_be_rotated(shared: Any) -> None:
    """A file that was moved away is made anew, without any signal; lines of before are in the old one."""
    path, old = shared.access_log, shared.access_log.with_suffix(".old")
    shared.get("/flow/top", headers={"x-request-id": "before"})
    _until(lambda: "before" in path.read_text())
    path.rename(old)
    shared.get("/flow/top", headers={"x-request-id": "after"})
    _until(lambda: path.exists() and "after" in path.read_text())
    assert "after" not in old.read_text()


def test_bodies_see_the_trace(shared: Any) -> None:
    """A thread that a request started knows the caller's trace, with a span of ours."""
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = shared.get("/trace", headers={"traceparent": parent}).json()
    assert seen[:36] == parent[:36]
    assert seen[36:52] != parent[36:52]
    assert seen[52:] == "-01"


def _until(holds: Any) -> Any:
    end = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found

"""What is counted for Prometheus, in one process; `observed/` has the same across workers."""

from __future__ import annotations

import json
import logging
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from rave_core.telemetry.statistics import Statistics
from rave_http.protocol.request_record import RequestRecord
from rave_http.workers.metrics import Metrics, route_of
from rave_http.workers.metrics_files import worker_died
from rave_http.workers.run_directory import RunDirectory


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Metrics of this process alone, with statistics of its own."""
    monkeypatch.setattr(logging, "statistics", {}, raising=False)
    made = Metrics()
    made.export(["flow/top", "flow/sum"])
    return made


@pytest.fixture
def run_directory() -> Iterator[RunDirectory]:
    """A board of this process."""
    made = RunDirectory.create()
    yield made
    made.remove()


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = metrics.exposition()[0].decode()
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in plain_text(text)
        for sample in family.samples
    }


def note(status: int, operation: str = "", cache: str = "") -> RequestRecord:
    """What was noted of a request."""
    return RequestRecord(status=status, operation=operation, cache=cache)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "catalog"),
        ("/flow", "catalog"),
        ("/flow/top", "operation"),
        ("/flow/a/b/c", "operation"),
        ("/-/products/x/meta", "products"),
        ("/-/livez", "livez"),
        ("/-/made-up", "other"),
        ("/-/", "other"),
        ("//", "operation"),
        ("", "catalog"),
    ],
)
def test_requests_are_counted_by_the_kind_of_their_path(path: str, route: str) -> None:
    """A path as such is never a label."""
    assert route_of(path) == route


def test_requests_are_counted_with_their_outcome(metrics: Metrics) -> None:
    """By method, class of status, route and cache; the duration by route."""
    metrics.observe("GET", "/flow/top", note(200, "flow/top", "hit"), 0.0004)
    metrics.observe("GET", "/flow/top", note(200, "flow/top", "hit"), 0.3)
    metrics.observe("POST", "/flow/top", note(503, "flow/top"), 0.002)
    found = samples(metrics)
    assert found['rave_requests_total{"cache": "hit", "method": "GET", "route": "operation", "status": "2xx"}'] == 2
    assert found['rave_requests_total{"cache": "", "method": "POST", "route": "operation", "status": "5xx"}'] == 1
    assert found['rave_request_duration_seconds_bucket{"le": "0.001", "route": "operation"}'] == 1
    assert found['rave_request_duration_seconds_count{"route": "operation"}'] == 3
    assert found['rave_cache_outcomes_total{"operation": "flow/top", "outcome": "hit"}'] == 2


def test_no_client_can_make_up_a_label(metrics: Metrics) -> None:
    """A thousand invented methods, paths, operations and outcomes add a handful of series, and no memory."""
    before = len(samples(metrics))
    for number in range(1000):
        made_up = f"X{number}"
        metrics.observe(made_up, f"/-/{made_up}", note(200 + number, f"flow/{made_up}", made_up), 0.001)
        metrics.computation_queued(made_up)
    found = samples(metrics)
    assert "X1" not in metrics.exposition()[0].decode()
    assert len(found) - before < 100
    assert len(metrics._of_requests) < 20
    assert found['rave_computations_queued{"operation": "other"}'] == 1000


def test_computations_are_counted_from_queue_to_end(metrics: Metrics) -> None:
    """Each is in one state at a time; one that never got its turn has no duration."""
    for _ in range(3):
        metrics.computation_queued("flow/top")
    metrics.computation_started("flow/top")
    metrics.computation_started("flow/top")
    found = samples(metrics)
    by = '{"operation": "flow/top"}'
    assert (found["rave_computations_queued" + by], found["rave_computations_running" + by]) == (1, 2)
    metrics.computation_ended("flow/top", 1.5)
    metrics.computation_ended("flow/top", 0.2, "failed")
    metrics.computation_ended("flow/top", None, "failed")
    found = samples(metrics)
    assert (found["rave_computations_queued" + by], found["rave_computations_running" + by]) == (0, 0)
    assert found["rave_computations_started_total" + by] == 2
    assert (found["rave_computations_finished_total" + by], found["rave_computations_failed_total" + by]) == (1, 2)
    assert found["rave_computation_duration_seconds_count" + by] == 2
    assert found["rave_computation_duration_seconds_sum" + by] == 1.7


def test_an_operation_that_is_exported_no_more_ends_what_it_began(metrics: Metrics) -> None:
    """What was counted under its name is counted down under its name."""
    metrics.computation_queued("flow/top")
    metrics.export([])
    metrics.computation_started("flow/top")
    metrics.computation_ended("flow/top", 1.0)
    assert samples(metrics)['rave_computations_running{"operation": "flow/top"}'] == 0


def test_figures_of_executors_are_followed(metrics: Metrics) -> None:
    """Gauges go up and down with them, counters only grow."""
    figures = {"workers": 2, "threads": 4, "bodies": 1, "started": 5, "repeated": 1, "lost": 0}
    metrics.watch_executors(lambda: {"dask": figures})
    by = '{"executor": "dask"}'
    found = samples(metrics)
    assert [found[f"rave_executor_{name}{by}"] for name in ("workers", "threads", "bodies")] == [2, 4, 1]
    figures.update(workers=0, threads=0, started=7)
    found = samples(metrics)
    assert [found[f"rave_executor_{name}{by}"] for name in ("workers", "threads", "bodies")] == [0, 0, 1]
    totals = [found[f"rave_executor_bodies_{name}_total{by}"] for name in ("started", "repeated", "lost")]
    assert totals == [7, 1, 0]


def test_what_the_core_counts_is_exposed_too(metrics: Metrics) -> None:
    """Its counters grow with the statistics, and never shrink."""
    statistics = Statistics.install()
    statistics.count("Backend Failures", 2)
    statistics.count("Stored Bytes", 1000)
    assert samples(metrics)["rave_backend_failures_total{}"] == 2
    statistics.namespace["Backend Failures"] = 0  # whoever likes may write here
    assert samples(metrics)["rave_backend_failures_total{}"] == 2
    statistics.count("Backend Failures")
    found = samples(metrics)
    assert (found["rave_backend_failures_total{}"], found["rave_stored_bytes_total{}"]) == (3, 1000)
    assert (found["rave_damaged_entries_total{}"], found["rave_lease_takeovers_total{}"]) == (0, 0)


def test_busy_workers_keep_the_counters_of_the_core_up_to_date(metrics: Metrics) -> None:
    """Nobody has to ask a worker for what it counted before it is killed."""
    statistics, stored = Statistics.install(), metrics._followed[-1]
    statistics.count("Stored Bytes", 5)
    asked = note(200)
    asked.started = 100.0
    metrics.observe("GET", "/", asked, 0.1)
    statistics.count("Stored Bytes", 5)
    asked.started = 100.5
    metrics.observe("GET", "/", asked, 0.1)
    assert stored._seen == 5
    asked.started = 101.5
    metrics.observe("GET", "/", asked, 0.1)
    assert stored._seen == 10


def test_namespaces_show_generation_and_trouble(metrics: Metrics) -> None:
    """One that is gone has no generation any more."""
    metrics.namespaces({"flow": (3, False), "other": (1, True)})
    found = samples(metrics)
    assert found['rave_namespace_generation{"namespace": "flow"}'] == 3
    assert found['rave_namespace_load_error{"namespace": "other"}'] == 1
    metrics.namespaces({"flow": (4, False)})
    found = samples(metrics)
    assert found['rave_namespace_generation{"namespace": "flow"}'] == 4
    assert found['rave_namespace_generation{"namespace": "other"}'] == 0
    assert found['rave_namespace_load_error{"namespace": "other"}'] == 0


def test_state_of_the_worker_is_exposed(metrics: Metrics) -> None:
    """Its readiness, its streams and waiting requests, tickets, and what runs."""
    metrics.ready(is_ready=True)
    metrics.event_streams.inc()
    metrics.waiting_requests.inc(2)
    metrics.tickets.inc()
    found = samples(metrics)
    assert (found["rave_workers{}"], found["rave_workers_ready{}"]) == (1, 1)
    assert (found["rave_event_streams{}"], found["rave_waiting_requests{}"], found["rave_tickets_total{}"]) == (1, 2, 1)
    assert any(name.startswith("rave_build_info") and value == 1 for name, value in found.items())
    metrics.ready(is_ready=False)
    assert samples(metrics)["rave_workers_ready{}"] == 0


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize("accept", [PROMETHEUS, "application/openmetrics-text"])
def test_open_metrics_are_given_where_they_are_asked_for(metrics: Metrics, accept: str) -> None:
    """What Prometheus sends gets what its strict parser takes."""
    metrics.observe("GET", "/flow/top", note(200, "flow/top", "hit"), 0.1)
    body, media_type = metrics.exposition(accept)
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in open_metrics(body.decode())}
    assert {"rave_requests", "rave_request_duration_seconds", "rave_workers"} <= names


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html,*/*;q=0.8",
        "application/json",
        "text/plain;version=abc",
        "application/openmetrics-text;version=x.y",
        ";;,=,;version",
    ],
)
def test_everything_else_gets_plain_text(metrics: Metrics, accept: str) -> None:
    """Nonsense included."""
    body, media_type = metrics.exposition(accept)
    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    assert list(plain_text(body.decode()))


def _count(path: Path, value: float) -> None:
    file: Any = MmapedDict(str(path))
    file.write_value(mmap_key("m", "m_total", [], [], "help"), value, 0.0)
    file.close()


def _gone() -> int:
    """The id of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_counts_of_the_dead_are_kept_in_one_file(run_directory: RunDirectory) -> None:
    """Files of the living stay as they are, and one that was only just made is no obstacle."""
    dead, also_dead = _gone(), _gone()
    _count(run_directory.metrics / f"counter_{dead}.db", 3)
    _count(run_directory.metrics / f"counter_{also_dead}.db", 4)
    _count(run_directory.metrics / f"counter_{os.getpid()}.db", 5)
    (run_directory.metrics / f"histogram_{dead}.db").touch()
    (run_directory.metrics / f"gauge_livesum_{dead}.db").touch()
    worker_died(run_directory, dead)
    assert sorted(path.name for path in run_directory.metrics.glob("*.db")) == [
        f"counter_{os.getpid()}.db",
        "counter_gone.db",
        "histogram_gone.db",
    ]
    [[_, value, _, _]] = MmapedDict.read_all_values_from_file(str(run_directory.metrics / "counter_gone.db"))
    assert value == 7


def test_clearing_away_never_waits_nor_fails(run_directory: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """While a worker reads the files they stay; what can't be cleared away is told, and no more."""
    dead = _gone()
    _count(run_directory.metrics / f"counter_{dead}.db", 3)
    with run_directory.locked("metrics", shared=True):
        worker_died(run_directory, dead)
        assert (run_directory.metrics / f"counter_{dead}.db").exists()
    assert not caplog.records
    (run_directory.metrics / f"counter_{dead}.db").write_bytes(struct.pack("4i", 100, 0, 1000, 0))
    worker_died(run_directory, dead)
    assert f"what worker {dead} left in the run directory could not be cleared away" in caplog.text

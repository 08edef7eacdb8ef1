"""Versions: all the code of the package that runs for an answer counts in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rave_flow.generate import Scenario, write_day
from rave_flow.operations import silk, tables
from rave_flow.pictures import operations as pictures

from rave_core import Operation, Runtime, Settings, using
from rave_core.testing import uncounted_code

_NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)
_CALLS: dict[str, dict[str, Any]] = {
    "top": {"by": "packets", "over": "port"},
    "count": {"bin": "30m", "proto": "udp"},
    "daily": {"day": "2024-05-14"},
    "hourly": {"hour": "2024-05-14T12"},
    "new_services": {"start": _NOON, "baseline": "6h"},
    "rwfilter": {"saddress": "10.0.0.0/8", "protocol": "6,17", "dport": "0-1023"},
    "rwsort": {"fields": "bytes,sip", "reverse": True},
    "rwuniq": {"fields": "sip,dport", "values": "records,bytes,distinct:dip", "bin_time": "1h"},
    "rwstats": {"fields": "dip", "values": "bytes", "percentage": 1},
    "rwtotal": {"key": "dport"},
    "rwgroup": {"id_fields": "sip,dip"},
    "rwbag": {"key": "sip", "counter": "bytes"},
    "rwresolve": {"addresses": ["10.0.0.1"]},
    "rwset": {"sip": True, "daddress": "10.0.0.0/8"},
    "rwsettool": {"operation": "union", "sets": [["10.0.0.1"], ["10.0.0.2/31"]]},
}
_PICTURES = {name: each for name, each in pictures.__export__.items() if not name.endswith("/svg")}
_OPERATIONS: dict[str, Operation[..., Any]] = {**tables.__export__, **silk.__export__, **_PICTURES}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of logs, with others beside them: another format, lines of JSON, damaged ones, a second copy."""
    directory = tmp_path_factory.mktemp("logs")
    write_day(directory, Scenario(_NOON.date(), 600, seed=11))
    (directory / "netflow.csv").write_text(
        "ts,duration,src,src_port,dst,dst_port,proto,bytes,packets,flags\n"
        f"{_NOON.timestamp()},1.5,10.0.0.9,4000,2001:db8::1,443,tcp,100,2,SAF\n"
        f"{_NOON.timestamp()},1.5,nonsense,4000,10.0.0.1,443,tcp,100,2,S\n"
    )
    record = {"ts": _NOON.timestamp(), "uid": "C1", "id.orig_h": "10.0.0.7", "id.orig_p": 8, "id.resp_h": "10.0.0.8",
              "id.resp_p": 0, "proto": "icmp", "conn_state": "OTH", "orig_pkts": 1, "orig_ip_bytes": 84}  # fmt: skip
    (directory / "conn.json.log").write_text(f"{json.dumps(record)}\n{{cut\n")
    hour = next(iter(sorted(directory.rglob("conn*.log.gz"))))
    shutil.copy(hour, directory / f"copy_{hour.name}")
    return directory


@pytest.fixture(scope="module")
def runtime(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Caches that the tests share."""
    caches = tmp_path_factory.mktemp("caches")
    urls = {"cache": [f"file://{caches}/cache"], "products": [f"file://{caches}/products"]}
    with Runtime(Settings(**urls, plugins={"flow": {"directory": str(logs), "resolve": True}})) as runtime:
        yield runtime


@pytest.mark.parametrize("name", _OPERATIONS)
def test_all_that_runs_for_an_answer_counts_in_its_version(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In all threads: readers of formats, steps, and the methods of what they pass to each other."""
    monkeypatch.delenv("RAVE_FLOW_DIRECTORY", raising=False)
    with using(runtime):
        assert uncounted_code(_OPERATIONS[name], **_CALLS.get(name, {})) == []


def test_what_is_not_tracked_is_no_code(runtime: Runtime) -> None:
    """Connections that a process holds, a program that decodes, and a class that reads its fields, so counts whole."""
    with using(runtime):
        told = {what for each in _OPERATIONS.values() for what in each.resolved().version.untracked}
    modules = {"rave_flow.model.duckdb_connection", "rave_flow.detectors.scans", "subprocess.run"}
    assert {what.partition(":")[0].removesuffix("._databases") for what in told} <= modules

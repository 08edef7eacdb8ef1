"""Services run, start again when they end, end when asked, and of those for one process only one runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.cli import service_runner
from rave_core.cli.service_runner import ServiceRunner, ServiceState
from rave_core.lifecycle import Service


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What ``condition`` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
    return found


class Loop:
    """A service that runs until it is asked to end, or fails."""

    def __init__(self, name: str = "loop", *, fails: int = 0, scope: Any = "worker") -> None:
        self.fails, self.starts, self.ending = fails, 0, threading.Event()
        self.service = Service(name, self.start, self.ending.set, scope, check=lambda: self.wrong)
        self.wrong: str | None = None

    def start(self) -> None:
        """Waits to be ended; fails the first times."""
        self.starts += 1
        if self.starts <= self.fails:
            raise SystemExit(3) if self.starts % 2 else RuntimeError("no luck")
        self.ending.clear()
        self.ending.wait()


@pytest.fixture(name="runtime")
def _runtime(tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(Settings(cache=f"file://{tmp_path}/cache", documents=f"sqlite:///{tmp_path}/documents")) as runtime:
        yield runtime


def test_it_runs_until_it_is_asked_to_end(runtime: Runtime) -> None:
    """Its check tells what is wrong meanwhile."""
    loop = Loop()
    runner = ServiceRunner([loop.service], runtime)
    assert runner.states() == [ServiceState("loop", "worker", "waiting", 0)]
    runner.start()
    eventually(lambda: runner.states() == [ServiceState("loop", "worker", "running", 1)])
    loop.wrong = "the source is away"
    assert runner.states() == [ServiceState("loop", "worker", "running", 1, "the source is away")]
    assert runner.stop(10) == []
    assert runner.states()[0].state == "ended"


def test_one_that_fails_starts_again_after_a_pause_that_grows(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs no other service anything, and says why it ended."""
    monkeypatch.setattr(service_runner, "_FIRST_PAUSE", 0.01)
    bad, good = Loop("bad", fails=3), Loop("good")
    runner = ServiceRunner([bad.service, good.service], runtime)
    runner.start()
    eventually(lambda: [(each.state, each.starts) for each in runner.states()] == [("running", 4), ("running", 1)])
    said = [record.getMessage() for record in caplog.records if "bad" in record.getMessage()]
    assert said == [
        "service bad failed: SystemExit: 3; it starts again in 0.02 s",
        "service bad failed: RuntimeError: no luck; it starts again in 0.04 s",
        "service bad failed: SystemExit: 3; it starts again in 0.08 s",
    ]
    assert runner.stop(10) == []


def test_one_that_does_not_end_is_named(runtime: Runtime) -> None:
    """And waited for no longer than was said."""
    gate = threading.Event()
    runner = ServiceRunner([Service("stuck", gate.wait, lambda: None), Loop().service], runtime)
    runner.start()
    eventually(lambda: {each.state for each in runner.states()} == {"running"})
    assert runner.stop(1.5) == ["stuck"]
    gate.set()


def test_of_a_service_for_the_cluster_one_runs(runtime: Runtime, tmp_path: Path) -> None:
    """When its process ends, another one takes over."""
    with Runtime(runtime.settings) as other:
        first, second = Loop(scope="cluster"), Loop(scope="cluster")
        runners = [ServiceRunner([first.service], runtime), ServiceRunner([second.service], other)]
        runners[0].start()
        eventually(lambda: runners[0].states()[0].state == "running")
        runners[1].start()
        assert runners[1].states()[0] == ServiceState("loop", "cluster", "waiting", 0)
        runners[0].stop(10)
        eventually(lambda: runners[1].states()[0].state == "running")
        assert (first.starts, second.starts) == (1, 1)
        runners[1].stop(10)


def test_without_shared_leases_nobody_runs_a_service_for_the_cluster() -> None:
    """The state says what is missing."""
    with Runtime(Settings(cache="memory://")) as runtime:
        runner = ServiceRunner([Loop(scope="cluster").service], runtime)
        runner.start()
        assert "has no leases" in eventually(lambda: runner.states()[0].error)
        assert runner.stop(10) == []


PLUGIN = """
import threading
from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Service

ending = threading.Event()

@hookimpl
def rave_stop():
    print("stopped", flush=True)

def run():
    print("running", flush=True)
    ending.wait()
    print("ended", flush=True)

@hookimpl
def rave_services(context):
    return [Service("clock", run, ending.set), Service("watch", run, ending.set, scope="cluster")]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_lists_and_runs_them(shell: Any, number: signal.Signals) -> None:
    """Until a signal; the plugins stop after their services."""
    shell.install("beside", PLUGIN, "[rave.plugins]\nbeside = beside\n")
    listed = json.loads(shell.run("services", "list", "--json").stdout.partition("stopped")[2])
    assert listed == {
        "services": [{"name": "clock", "scope": "worker"}, {"name": "watch", "scope": "cluster"}],
        "problems": [],
    }
    unknown = shell.run("services", "run", "clok")
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "rave: error: there is no service 'clok'; did you mean 'clock'?\n",
    )
    process = shell.start(
        "services", "run", "clock", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=shell.environment()
    )
    assert process.stdout.readline() == b"running\n"
    os.kill(process.pid, number)
    said, noted = process.communicate(timeout=30)
    assert (process.returncode, said, noted) == (0, b"ended\nstopped\n", b"rave: runs clock; Ctrl-C stops it\n")

"""Services of plugins run in a process of their own, which the arbiter starts, watches, reloads and stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

Service = Any  # RunningService of the conftest

PLUGIN = """\
import os, threading
from pathlib import Path
from rave_core import current_runtime
from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Service

PLACE = Path(__file__).parent
ending = threading.Event()

def log(what):
    with (PLACE / "services.log").open("a") as file:
        file.write(f"{os.getpid()} {what}\\n")

def run():
    log(f"run {current_runtime().settings.lease_time:g}")
    ending.clear()
    while not ending.wait(0.05):
        if (PLACE / "fail").exists():
            (PLACE / "fail").unlink()
            raise RuntimeError("told to fail")
    log("ended")

@hookimpl
def rave_services(context):
    log("asked")
    if (PLACE / "die").exists():
        os._exit(7)
    if (PLACE / "none").exists():
        return None
    return [Service("clock", run, ending.set, check=lambda: "it is late" if (PLACE / "late").exists() else None)]
"""


def install(place: Path) -> dict[str, str]:
    """The environment of a service that finds the plugin."""
    info = place / "plugins" / "beside-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rave.plugins]\nbeside = beside\n")
    (place / "plugins" / "beside.py").write_text(PLUGIN)
    return {"PYTHONPATH": os.pathsep.join([f"{place}/plugins", os.environ.get("PYTHONPATH", "")])}


def test_it_runs_is_watched_reloaded_and_stopped(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """From the start of the service to its end; a kill, a failure and a reload included."""
    service = start_service(workers=1, anonymous=["view", "run", "debug", "metrics"], environ=install(tmp_path))
    log = tmp_path / "plugins" / "services.log"

    def lines(word: str) -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines() if word in line] if log.exists() else []

    def parts() -> dict[str, str]:
        return dict(service.get("/-/readyz").json()["parts"])

    wait_until(lambda: len(lines("run")) == 1, what="the start")
    first = int(lines("run")[0][0])
    assert psutil.Process(first).ppid() == service.process.pid
    # A check that finds something.
    (tmp_path / "plugins" / "late").touch()
    wait_until(lambda: parts().get("service clock") == "it is late", what="the report")
    page = service.get("/-/ui/status", headers={"Accept": "text/html"}).text
    assert "it is late" in page.partition(">Services<")[2]
    (tmp_path / "plugins" / "late").unlink()
    # A failure: the service alone starts again.
    (tmp_path / "plugins" / "fail").touch()
    wait_until(lambda: len(lines("run")) == 2, what="the start after a failure")
    assert "service clock failed: RuntimeError: told to fail; it starts again in" in service.log
    assert int(lines("run")[1][0]) == first
    # A kill: the whole process does.
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(lines("run")) == 3, what="the start after a kill")
    second = int(lines("run")[2][0])
    assert second != first
    # A reload: it gets the settings of now.
    settings = tmp_path / "rave.toml"
    settings.write_text(f"lease_time = 77\n{settings.read_text()}")
    os.kill(service.process.pid, signal.SIGHUP)
    wait_until(lambda: lines("run 77"), what="the start with other settings", seconds=30)
    assert lines("ended")[0][0] == str(second)
    assert service.get("/lab/square?n=3").status_code == 200
    # The end.
    assert service.stop() == 0
    assert len(lines("ended")) == 2
    assert not psutil.pid_exists(int(lines("run 77")[0][0]))


def test_it_ends_when_the_arbiter_is_killed(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Nothing is left behind."""
    service = start_service(workers=1, environ=install(tmp_path))
    log = tmp_path / "plugins" / "services.log"
    wait_until(log.exists, what="the start")
    pid = int(log.read_text().split()[0])
    os.kill(service.process.pid, signal.SIGKILL)
    wait_until(lambda: "ended" in log.read_text() and not psutil.pid_exists(pid), what="the end")


def test_no_process_stays_for_nothing_and_one_that_fails_is_given_time(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Without services it ends, until a reload; one that dies at once starts again ever later."""
    environ = install(tmp_path)
    plugins = tmp_path / "plugins"
    (plugins / "none").touch()
    service = start_service(workers=1, anonymous=["view", "run", "debug", "metrics"], environ=environ)

    def asked() -> list[int]:
        path = plugins / "services.log"
        return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []

    wait_until(asked, what="the question")
    wait_until(lambda: not psutil.pid_exists(asked()[0]), what="the end of the process")
    for _ in range(20):  # the arbiter looks more often than the service answers
        assert service.get("/-/readyz").status_code == 200
    (plugins / "die").touch()
    os.kill(service.process.pid, signal.SIGHUP)
    wait_until(lambda: "the process of the services ended; it starts again in" in service.log, what="the failure")
    assert len(asked()) == 2

"""Plugins live in every worker: started before it serves, drained and stopped with it, whatever one of them does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Service = Any  # RunningService of the conftest

PLUGIN = """\
import os, threading
from pathlib import Path
from rave_core import current_runtime
from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Declaration

LOG = Path(__file__).with_name("life.log")

def log(what):
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {__name__} {what}\\n")

@hookimpl
def rave_plugin():
    return Declaration(__name__, "1.2", %s)

@hookimpl
def rave_start(context):
    assert current_runtime().settings is context.settings
    log("start")
    %s

@hookimpl
def rave_drain(seconds):
    log(f"drain {seconds:g}")

@hookimpl
def rave_stop():
    log("stop")
"""


def install(place: Path, **codes: str) -> dict[str, str]:
    """The environment of a service that finds these modules as plugins of ``rave.plugins``."""
    for name, code in codes.items():
        info = place / "plugins" / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[rave.plugins]\n{name} = {name}\n")
        (place / "plugins" / f"{name}.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([f"{place}/plugins", os.environ.get("PYTHONPATH", "")])}


def test_they_start_and_stop_with_each_worker(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """In the order of what they require, and back; one that leaves, and one that needs it, do not keep others down."""
    found = install(
        tmp_path,
        alpha=PLUGIN % ('["zeta>=1"]', "pass"),
        zeta=PLUGIN % ("[]", "pass"),
        leaver=PLUGIN % ("[]", "raise SystemExit(3)"),
        follower=PLUGIN % ('["leaver"]', "pass"),
        slow=PLUGIN % ("[]", "threading.Event().wait(15)"),
    )
    service = start_service(workers=2, anonymous=["view", "run", "debug"], grace=3, environ=found)
    assert service.get("/lab/square?n=3").json()["square"] == 9

    def told() -> str:
        return str(service.get("/-/readyz").json()["parts"]["plugins"])

    log = tmp_path / "plugins" / "life.log"
    wait_until(lambda: log.exists() and log.read_text().count("alpha start") == 2, seconds=30)
    wait_until(lambda: "follower: follower requires leaver: activate failed" in told(), seconds=30)
    assert "leaver: activate failed: SystemExit: 3" in told()
    assert "the worker serves before all plugins have started: slow" in service.log
    workers = set(service.workers())
    service.stop(signal.SIGTERM)
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    assert {int(pid) for pid, _ in lines} == workers
    for worker in workers:
        own = [what for pid, what in lines if int(pid) == worker and "slow" not in what]
        assert own == ["leaver start", "zeta start", "alpha start"] + [
            f"{name} {step}" for step in ("drain 3", "stop") for name in ("alpha", "zeta")
        ]

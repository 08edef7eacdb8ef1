"""Plugins whose middleware or permissions block: each request waits for itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

Service = Any  # RunningService of the conftest
PLUGIN = """
import threading
from contextvars import ContextVar
from pathlib import Path
from rave_http.hookspecs import hookimpl

GATE = Path(__file__).with_name("gate")
told = ContextVar("told", default="")


def block():
    while not GATE.exists():
        threading.Event().wait(0.02)


class Slow:
    async def process_request(self, req, resp):
        told.set(req.get_header("X-Block", default=""))
        if told.get() == "middleware":
            block()


@hookimpl
def rave_http_middleware():
    return [Slow()]


@hookimpl
def rave_http_authorize(permission, namespace):
    if told.get() == "authorize" and (permission, namespace) == ("view", "lab"):
        block()
    return False if told.get() == "deny" and namespace == "lab" else None
"""


@pytest.fixture(name="service")
def _service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service of one worker with the plugin."""
    info = tmp_path / "plugins" / "blocking-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blocking\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rave.http]\nblocking = blocking\n")
    (tmp_path / "plugins" / "blocking.py").write_text(PLUGIN)
    path = os.pathsep.join([f"{tmp_path}/plugins", os.environ.get("PYTHONPATH", "")])
    return start_service(workers=1, environ={"PYTHONPATH": path})


@pytest.mark.parametrize("where", ["middleware", "authorize"])
def test_one_that_blocks_costs_its_own_request_only(service: Service, tmp_path: Path, where: str) -> None:
    """Which is answered at last; others are answered meanwhile."""
    with ThreadPoolExecutor(4) as pool:
        blocked = [pool.submit(service.get, f"/lab/square?n={n}", headers={"X-Block": where}) for n in range(4)]
        assert [service.get("/lab/square?n=7").status_code for _ in range(20)] == [200] * 20
        assert not any(each.done() for each in blocked)
        (tmp_path / "plugins" / "gate").touch()
        assert [each.result().status_code for each in blocked] == [200] * 4


def test_what_a_plugin_decides_counts_everywhere(service: Service) -> None:
    """For the operation, its description, the catalog and its products; it knows what its middleware learned."""
    href = service.get("/lab/square?n=7", headers={"Prefer": "return=minimal"}).headers["Location"]
    for path in ("/lab/square?n=7", "/lab", "/-/ops/lab/square", href):
        assert service.get(path).status_code == 200
        assert service.get(path, headers={"X-Block": "deny"}).status_code == 404
    listed = service.get("/-/ops", headers={"X-Block": "deny"}).json()
    assert "lab/" not in str(listed)

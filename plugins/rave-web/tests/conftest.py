"""A real service with the plugin, started and stopped by its own process ID."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from rave_core.testing import free_port

LAB = '''\
"""A namespace for tests."""

import asyncio

from rave_core import mime_type, op, typemap


class Company:
    """Those that wait side by side, until there are enough."""

    def __init__(self, enough):
        self.waiting, self.enough, self.is_met = 0, enough, asyncio.Event()

    async def join(self):
        self.waiting += 1
        if self.waiting == self.enough:
            self.is_met.set()
        await self.is_met.wait()


company = Company(enough=40)


@op(version=1)
@typemap(int)
async def nap(n: int) -> int:
    """Waits for the others, as for a network."""
    await company.join()
    return n


@op
@typemap(float)
async def sleep(seconds: float) -> float:
    """Waits."""
    await asyncio.sleep(seconds)
    return seconds


@op
@typemap(int)
def plain(n: int) -> int:
    """No coroutine function."""
    return n


@op
@typemap(int)
def rows(n: int):
    """A table."""
    return [{"name": f"row|{i}", "half": i / 2} for i in range(n)]


@op
@typemap(int)
@mime_type("text/csv")
def sheet(n: int):
    """A table that is CSV for whoever does not ask."""
    return [{"n": i} for i in range(n)]


__export__ = {"nap": nap, "sleep": sleep, "plain": plain, "rows": rows, "sheet": sheet}
'''
SETTINGS = """\
cache = "file://{place}/data"
products = "file://{place}/products"
disabled_plugins = "guestbook"
[namespaces]
lab = "{place}/lab"
[service]
bind = "127.0.0.1:{port}"
workers = 1
anonymous = []
[service.operations]
"lab/nap" = {{executor = "coroutines"}}
"lab/sleep" = {{executor = "coroutines", time_limit = 0.2}}
"lab/plain" = {{executor = "coroutines"}}
[plugins.web]
{web}
"""


@dataclass
class Running:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    url: str

    def get(self, path: str, **headers: str) -> requests.Response:
        """A GET."""
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30)


def launch(place: Path, web: str) -> Running:
    """Starts a service whose table ``[plugins.web]`` is ``web``, and waits until it is ready or ended."""
    (place / "lab").mkdir()
    (place / "lab" / "__init__.py").write_text(LAB)
    port = free_port()
    (place / "rave.toml").write_text(SETTINGS.format(place=place, port=port, web=web))
    environ = {**os.environ, "RAVE_CONFIG": str(place / "rave.toml"), "HOME": str(place)}
    with open(place / "log", "wb") as log:
        command = [str(Path(sys.executable).parent / "rave"), "serve"]
        process = subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log)
    running = Running(process, f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 60
    while process.poll() is None and not _is_ready(running):
        assert time.monotonic() < deadline, (place / "log").read_text()
        time.sleep(0.05)
    return running


def _is_ready(running: Running) -> bool:
    try:
        return running.get("/-/readyz").ok
    except requests.ConnectionError:
        return False


def stop(running: Running) -> int:
    """Stops a service; its exit code."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    return running.process.wait(timeout=40)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service with everything in ``[plugins.web]``, for tests that change nothing in it."""
    web = (
        'coroutines = 50\nhsts = "1d"\nheaders = {"Referrer-Policy" = "same-origin"}\n'
        '[plugins.web.networks]\n"127.0.0.0/8" = ["view", "run"]\n"127.0.0.1" = ["view", "metrics"]\n'
    )
    place = tmp_path_factory.mktemp("web")
    running = launch(place, web)
    assert running.process.poll() is None, (place / "log").read_text()
    yield running
    stop(running)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str], str]:
    """Gives what a service says that does not start, since its table ``[plugins.web]`` is wrong."""

    def ended(web: str) -> str:
        running = launch(tmp_path, web)
        assert stop(running) == 1
        return (tmp_path / "log").read_text()

    return ended

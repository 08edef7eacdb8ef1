"""A real service for tests: gunicorn, workers, sockets, files; started and stopped by its own process ID."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from rave_core.testing import free_port
from tests.http.running_service import RunningService

LAB = '''\
"""A namespace for tests."""

import os
import time
from pathlib import Path

from rave_core import duration_strategy, expires, list_of, mime_type, nocache, op, op_file, progress, typemap

LOG = Path(__file__).parents[1] / "runs.log"


def ran(what):
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {what}\\n")


@op
@typemap(int)
@mime_type("application/json")
def square(n: int):
    """The square of a number."""
    ran(f"square {n}")
    return {"n": n, "square": n * n}


@op
@typemap(str, float)
@mime_type("text/plain")
def slow(name: str, seconds: float = 1.0) -> str:
    """Takes its time, and tells how far it is."""
    ran(f"slow {name}")
    for step in range(10):
        progress(step, 10, f"step {step}")
        time.sleep(seconds / 10)
    return f"{name} slept"


@op
@typemap(str)
@mime_type("text/plain")
def gated(name: str) -> str:
    """Ends once the test opens its gate."""
    progress(1, 2, "waits at its gate")
    while not LOG.with_name(f"{name}.gate").exists():
        time.sleep(0.02)
    return f"{name} went through"


@op
@typemap(str)
def fails(message: str = "no luck") -> None:
    """Fails."""
    ran(f"fails {message}")
    raise ValueError(message)


@op(stale_while_revalidate=60)
@typemap(str)
@expires(duration_strategy(1))
@mime_type("text/plain")
def brief(name: str) -> str:
    """Is good for a second, and may be served stale for a minute."""
    ran(f"brief {name}")
    return f"{name} {time.time()}"


@op
@typemap(str)
@expires(duration_strategy(1))
@mime_type("text/plain")
def fleeting(name: str) -> str:
    """Is good for a second."""
    ran(f"fleeting {name}")
    return f"{name} {time.time()}"


@op
@expires(nocache)
@mime_type("text/plain")
def now() -> str:
    """Is never kept."""
    return str(time.time())


@op
@typemap(int)
def rows(n: int = 3):
    """A table."""
    return [{"i": i, "half": i / 2, "name": f"row {i}"} for i in range(n)]


@op_file
@typemap(int)
@mime_type("application/pdf")
def document(out, size: int = 1000) -> None:
    """A file of that many bytes."""
    ran(f"document {size}")
    with open(out, "wb") as file:
        for start in range(0, size, 1 << 20):
            count = min(1 << 20, size - start)
            file.write(bytes(range(256)) * (count // 256) + bytes(count % 256))


@op_file(behind="rows")
@typemap(int)
@mime_type("image/svg+xml")
def drawing(out, n: int = 3) -> None:
    """A picture of the rows."""
    Path(out).write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><title>{n}</title></svg>')


@op
@typemap(list_of(int))
@mime_type("text/plain")
def total(l: list) -> str:
    """The sum of a list."""
    return str(sum(l))


__export__ = {
    "square": square,
    "slow": slow,
    "gated": gated,
    "fails": fails,
    "brief": brief,
    "fleeting": fleeting,
    "now": now,
    "rows": rows,
    "files/document": document,
    "drawing": drawing,
    "total": total,
}
'''


DISABLED = "guestbook monitor dask valkey web"
"""Plugins that services do without: each would cost every process a while, and the first two a process more."""
_SERVES = "ASGI server listening"


def wait_until(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "it") -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> Callable[..., Any]:
    """Waits for a condition to give something true, and gives that: ``wait_until(condition, seconds=60)``."""
    return wait_until


@pytest.fixture(name="free_port")
def _free_port() -> Callable[[], int]:
    """Gives a port that nobody listens on just now."""
    return free_port


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., RunningService]]:
    """Starts services over one pair of directories; keywords are settings of ``[service]``.

    ``more`` is code that their namespace ends with.
    """
    started: list[RunningService] = []

    def start(
        *, port: int | None = None, environ: Mapping[str, str] | None = None, more: str = "", **service: Any
    ) -> RunningService:
        running = launch(tmp_path, port=port, environ=environ, more=more, service=service)
        started.append(running)
        return running

    yield start
    for running in started:
        running.end()


@pytest.fixture(scope="session", name="launch_service")
def _launch_service() -> Callable[..., RunningService]:
    """Starts a service in a directory: ``launch_service(place, service={…})``. The test stops it."""
    return launch


def launch(
    place: Path,
    *,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    more: str = "",
    service: Mapping[str, Any],
) -> RunningService:
    """Starts a service whose things lie in ``place``, and waits until it is ready."""
    lab = place / "lab"
    if not lab.exists():
        lab.mkdir()
        (lab / "__init__.py").write_text(LAB + more)
    port = port or free_port()
    table = {"bind": f"127.0.0.1:{port}", "workers": 2, **service}
    (place / "rave.toml").write_text(_toml(place, table))
    own = {"RAVE_CONFIG": str(place / "rave.toml"), "PYTHONDONTWRITEBYTECODE": "1"}
    full = {**os.environ, "RAVE_DISABLED_PLUGINS": DISABLED, **own, **(environ or {})}
    log_file = place / "service.log"
    earlier = log_file.read_text().count(_SERVES) if log_file.exists() else 0
    with log_file.open("ab") as log:
        # As `rave serve` goes on once it has found the command among those of plugins.
        command = [sys.executable, "-P", "-m", "rave_http.cli.serve", "serve"]
        process = subprocess.Popen(command, cwd=place, env=full, stdout=log, stderr=log)
    running = RunningService(process, f"http://127.0.0.1:{port}", place, full)
    try:
        wait_until(lambda: _is_ready(running), seconds=60, what="the service")
        count = int(table["workers"])
        wait_until(lambda: running.log.count(_SERVES) >= earlier + count, seconds=60, what="the last worker")
    except BaseException:
        running.stop(signal.SIGKILL)
        raise
    return running


def _is_ready(running: RunningService) -> bool:
    assert running.process.poll() is None, running.log
    try:
        return running.get("/-/readyz").status_code == 200
    except (requests.ConnectionError, requests.Timeout):  # it listens before its workers have started
        return False


def _toml(place: Path, table: Mapping[str, Any]) -> str:
    lines = [
        f'cache = ["memory://", "file://{place}/data"]',
        f'products = "file://{place}/products"',
        "[namespaces]",
        f'lab = "{place}/lab"',
        "[service]",
        *(f"{name} = {_value(value)}" for name, value in table.items()),
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service for all tests of a process that change nothing in it."""
    place = tmp_path_factory.mktemp("service")
    running = launch(place, environ={"HOME": str(place)}, service={})
    yield running
    running.end()

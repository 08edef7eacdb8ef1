"""A real service to measure: `rave serve`, with its workers, sockets and files, in a directory of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from rave_core.testing import free_port

PATIENCE = 40.0
_QUIET = {"RAVE_DISABLED_PLUGINS": "guestbook"}
"""Else each service would start a process more, that of the guest book of rave-example."""

BOARD = "rave-board-"
"""The name of the directory in which a service's workers meet."""


def wait_until(condition: Callable[[], Any], *, seconds: float = PATIENCE, what: str) -> Any:
    """Waits until ``condition`` returns something true, and returns that.

    Raises:
        TimeoutError: it did not happen.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.05)
    return found


def is_listening(port: int) -> bool:
    """Whether anybody accepts connections on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Started:
    """A started process, and where it listens. It ends with its ``with`` block."""

    process: subprocess.Popen[bytes]
    port: int
    place: Path
    last_signal: signal.Signals = signal.SIGTERM

    @classmethod
    def of(cls, command: list[str], port: int, place: Path, *, environ: Mapping[str, str] | None = None) -> Self:
        """Starts a command that listens on ``port``, and waits until it does. Its output goes to ``said.log``."""
        with (place / "said.log").open("ab") as said:
            process = subprocess.Popen(
                command, cwd=place, env={**os.environ, **(environ or {})}, stdout=said, stderr=said
            )
        started = cls(process, port, place)
        try:
            wait_until(started.listens, what=command[0])
        except BaseException:
            process.kill()
            raise
        return started

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Its output so far."""
        return (self.place / "said.log").read_text("utf-8", "replace")

    def listens(self) -> bool:
        """Whether it listens; it fails if the process has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.log[-2000:]}")
        return is_listening(self.port)

    def workers(self) -> list[psutil.Process]:
        """The forked processes that serve: for RAVE, those that listen to each other."""
        children = psutil.Process(self.process.pid).children()
        boards = list(self.place.glob(f"{BOARD}*"))
        return [each for each in children if not boards or _is_on(boards, each.pid)]

    def stop(self) -> int:
        """Ends it, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(self.last_signal)
        try:
            return self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_service(
    place: Path,
    namespaces: Mapping[str, str],
    service: Mapping[str, Any],
    *,
    memory: str = "256MiB",
    environ: Mapping[str, str] | None = None,
) -> Started:
    """Starts `rave serve` over directories in ``place``, and waits until every worker is ready.

    Args:
        place: where its files go.
        namespaces: the source of each namespace, which becomes a directory.
        service: settings of the service.
        memory: bytes of the memory tier.
        environ: further variables of its environment.
    """
    for name, source in namespaces.items():
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text(source, "utf-8")
    port = free_port()
    table = {"bind": f"127.0.0.1:{port}", "workers": 2, **service}
    (place / "rave.toml").write_text(_toml(place, namespaces, table, memory), "utf-8")
    command = [str(Path(sys.executable).parent / "rave"), "serve"]
    full = {"RAVE_CONFIG": str(place / "rave.toml"), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place)}
    full["RUNTIME_DIRECTORY"] = str(place)  # where the workers meet
    started = Started.of(command, port, place, environ={**_QUIET, **full, **(environ or {})})
    wait_until(lambda: _are_ready(started, int(table["workers"])), what="every worker")
    return started


def _is_on(boards: list[Path], pid: int) -> bool:
    return any((run_directory / f"worker-{pid}.socket").exists() for run_directory in boards)


def _are_ready(started: Started, workers: int) -> bool:
    """Whether all workers answer. The request IDs of each have their own beginning."""
    seen = set()
    for _ in range(20 * workers):
        connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/-/readyz")
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status == 200:
            seen.add((answer.getheader("X-Request-ID") or "").partition("-")[0])
        if len(seen) == workers:
            return True
    return False


def _toml(place: Path, namespaces: Mapping[str, str], table: Mapping[str, Any], memory: str) -> str:
    lines = [
        f'cache = ["memory://?max_bytes={memory}", "file://{place}/data"]',
        f'products = "file://{place}/products"',
        'disabled_plugins = ["web"]',  # its middleware sees every request, which would distort the figures
        "[namespaces]",
        *(f'{name} = "{place}/{name}"' for name in namespaces),
        "[service]",
        *(f"{name} = {_value(value)}" for name, value in table.items()),
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)

"""The small service of this folder, run by gunicorn with two workers, as the real one is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

HERE = Path(__file__).parent
PATIENCE = 60.0


def until(holds: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """Waits until ``holds()`` is true, and gives what it gave."""
    end = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


class Running:
    """A running service."""

    def __init__(
        self, listener: socket.socket, process: subprocess.Popen[bytes], directory: Path, boards: Path
    ) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.process = process
        self.log = directory / "server.log"
        self.access_log = directory / "access.log"
        self.boards = boards

    def get(self, path: str, *, headers: dict[str, str] | None = None, timeout: float = 10.0, **query: Any) -> Any:
        """One answer, over a connection of its own, so that either worker may give it."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(self.url + path, params=query, headers=headers, timeout=timeout)

    def workers(self) -> set[int]:
        """The ids of both workers, once both answer."""
        found: set[int] = set()

        def seen() -> bool:
            found.add(int(self.get("/trace").headers["x-pid"]))
            return len(found) == 2

        until(seen)
        return found

    def metrics(self) -> dict[str, float]:
        """Every sample of the metrics by its name and labels, as they are written."""
        text = self.get("/-/metrics").text
        return {
            sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def kill(self, pid: int) -> None:
        """Kills a worker, and waits until another has taken its place."""
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists())
        until(lambda: len(self.get("/-/statistics").json()["workers"]) == 2)

    def renew(self) -> None:
        """Has all workers replaced, as an administrator does by HUP."""
        old = set(self.get("/-/statistics").json()["workers"])
        self.process.send_signal(signal.SIGHUP)
        until(lambda: old.isdisjoint(self.get("/-/statistics").json()["workers"]))
        until(lambda: len(self.get("/-/statistics").json()["workers"]) == 2)

    def answered_by(self, pid: int, path: str, **query: Any) -> Any:
        """An answer of the worker ``pid``."""

        def answer() -> Any:
            response = self.get(path, **query)
            return response if response.headers["x-pid"] == str(pid) else None

        return until(answer)


@contextlib.contextmanager
def service(directory: Path) -> Iterator[Running]:
    """A service whose access log is ``access.log`` in ``directory``."""
    listener = socket.create_server(("127.0.0.1", 0))
    # The path of the board has to be short.
    with tempfile.TemporaryDirectory(prefix="rave-test-", dir="/tmp") as boards, listener:
        environ = os.environ | {"TMPDIR": boards, "ACCESS_LOG": str(directory / "access.log")}
        address = f"fd://{listener.fileno()}"
        command = [sys.executable, "-m", "gunicorn", "--chdir", str(HERE), "-c", "conf.py", "-b", address]
        with (directory / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=environ, stdout=log, stderr=log, cwd=HERE, pass_fds=[listener.fileno()]
            )
        running = Running(listener, process, directory, Path(boards))
        try:
            running.workers()
            yield running
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A service of the test's own."""
    with service(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that all tests of a module share, which neither stop it nor kill its workers."""
    with service(tmp_path_factory.mktemp("shared")) as found:
        yield found

"""Configurations, runtimes with stores of their own, and monitors in threads and in processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rave_monitor.monitor import Monitor
from rave_monitor.readers import growing_file
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_store import SampleStore

from rave_core import Runtime, Settings

COUNTING = """
[[readers]]
kind = "lines"
path = "app.log"

[[processors]]
kind = "counter"
name = "count"
"""


def wait_until(condition: Callable[[], Any], *, seconds: float = 30.0, what: str = "it") -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


class Place:
    """A directory with a configuration, a log that it reads, and what was sampled."""

    def __init__(self, directory: Path, documents: str = "sqlite:///monitor.sqlite") -> None:
        self.directory, self.documents = directory, documents
        self.log = directory / "app.log"
        self.config = directory / "monitor.toml"
        absolute = documents.replace("sqlite:///", f"sqlite:///{directory}/")
        self.store = SampleStore(SampleDatabase(absolute), "monitor")
        self.settings = Settings(
            cache=[f"file://{directory}/cache"],
            products=[f"file://{directory}/products"],
            documents=f"sqlite:///{directory}/documents.sqlite",
            lease_time=3,
        )

    counting = COUNTING
    wait = staticmethod(wait_until)

    def counts(self, number: int) -> None:
        """Waits until the counter has counted to a number, exactly."""
        wait_until(lambda: self.latest().get("n") == number, what=f"n = {number}")

    def configure(self, text: str = COUNTING, period: str = "0.05s") -> None:
        """Writes the configuration."""
        head = f'sample_period = "{period}"\ndocuments = "{self.documents}"\n'
        self.config.write_text(head + text)

    def append(self, *lines: str) -> None:
        """Appends lines to the log."""
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def latest(self, processor: str = "count") -> dict[str, Any]:
        """The newest sample of a processor."""
        found = self.store.samples(processor, 0, 1e12, limit=1)
        return found[0].values if found else {}

    def status(self) -> dict[str, Any]:
        """What the leader wrote last."""
        return self.store.status() or {}

    def processor(self, name: str) -> dict[str, Any]:
        """What the status says of a processor."""
        return next((each for each in self.status().get("processors", []) if each["name"] == name), {})

    def start(self) -> subprocess.Popen[bytes]:
        """A process of ``rave monitor run``."""
        (self.directory / "rave.toml").write_text(
            f'cache = "file://{self.directory}/cache"\nproducts = "file://{self.directory}/products"\nlease_time = 3\n'
        )
        environ = {**os.environ, "RAVE_CONFIG": str(self.directory / "rave.toml"), "HOME": str(self.directory)}
        command = [str(Path(sys.executable).parent / "rave"), "monitor", "run", str(self.config)]
        with (self.directory / "run.log").open("ab") as log:
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log)


@pytest.fixture(autouse=True)
def _no_wait_for_late_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated file is complete at once; monitors in processes of their own wait as they do elsewhere."""
    monkeypatch.setattr(growing_file, "QUIET", 0.0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place with the counting configuration."""
    found = Place(tmp_path)
    found.configure()
    yield found
    found.store.database.close()


@pytest.fixture
def start(place: Place) -> Iterator[Callable[..., Monitor]]:
    """Starts monitors of a place in threads of this process; they end with the test."""
    started: list[tuple[Monitor, threading.Thread, Runtime]] = []

    def run(at: Place = place) -> Monitor:
        runtime = Runtime(at.settings)
        monitor = Monitor(at.config, runtime)
        thread = threading.Thread(target=monitor.run)
        thread.start()
        started.append((monitor, thread, runtime))
        return monitor

    yield run
    for monitor, thread, runtime in started:
        monitor.stop()
        thread.join(20)
        assert not thread.is_alive()
        runtime.close()


@pytest.fixture
def start_process(place: Place) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts processes; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        started.append(place.start())
        return started[-1]

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait(10)


class Hook:
    """A receiver of webhooks that refuses the first post."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refused = 0
        self.refuses = 1
        self.answers = threading.Event()
        self.answers.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_refused = hook.refused < hook.refuses
                hook.refused += is_refused
                if not is_refused:
                    hook.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                hook.answers.wait(20)
                self.send_response(503 if is_refused else 204)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/hook" else 404)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def states(self) -> list[str]:
        """What it heard."""
        return [json.loads(body)["state"] for _, body in self.taken]


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A receiver."""
    made = Hook()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()

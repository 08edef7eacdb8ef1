"""A service that a test runs: what it is asked, what it wrote, and how it ends."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.http.representation.forms import BROWSER


def _session() -> requests.Session:
    """Connections of their own: any worker may answer, and none is open when the service stops."""
    session = requests.Session()
    session.headers["Connection"] = "close"
    return session


@dataclass
class RunningService:
    """A service that runs, and where its things lie."""

    process: subprocess.Popen[bytes]
    url: str
    place: Path
    environ: Mapping[str, str]
    session: requests.Session = field(default_factory=lambda: _session())

    def get(self, path: str, **options: Any) -> requests.Response:
        """A GET; redirections are not followed."""
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request; redirections are not followed."""
        return self.session.request(method, f"{self.url}{path}", **{"allow_redirects": False, "timeout": 30, **options})

    def page(self, path: str, **headers: str) -> requests.Response:
        """What a browser gets."""
        return self.get(path, headers={"Accept": BROWSER, **headers})

    def key_of(self, path: str) -> str:
        """The key of the product of a question."""
        return self.get(path).headers["Content-Location"].removeprefix("/-/products/")

    def sign_in(self, key: str) -> str:
        """The cookie of a new session of an API key's user, as their browser sends it."""
        cookie = self.ask("POST", "/-/session", data={"key": key}).headers["Set-Cookie"]
        return cookie.partition(";")[0]

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.place / "service.log").read_text()

    def runs(self, what: str = "") -> list[str]:
        """The bodies that ran, each with the process that ran it."""
        path = self.place / "runs.log"
        return [line for line in path.read_text().splitlines() if what in line] if path.exists() else []

    def open_gate(self, name: str) -> None:
        """Lets the computation of ``/lab/gated?name=…`` end."""
        (self.place / f"{name}.gate").touch()

    def workers(self) -> list[int]:
        """The process IDs of the workers that have not ended."""
        return [child.pid for child in psutil.Process(self.process.pid).children() if _is_worker(child)]

    def count(self, metric: str) -> float:
        """What a metric without labels stands at, in all workers."""
        found = re.search(rf"^{re.escape(metric)} (\S+)$", self.get("/-/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def end(self) -> None:
        """Kills it and its children at once, where a test does not ask how it stops."""
        self.session.close()
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = [*psutil.Process(self.process.pid).children(recursive=True)]
            self.process.kill()
            for each in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.wait(timeout=40)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops it, and gives its exit code."""
        self.session.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "rave_http.process.services" not in child.cmdline()
    except psutil.NoSuchProcess:  # it ended just now; a zombie is one of these
        return False

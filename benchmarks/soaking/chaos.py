"""What happens to the service under load: HUP, killed workers, edited code; and what its processes show."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from running import Started

from soaking import sources
from soaking.editions import Editions

HUP_EVERY: Final = 30.0
KILL_EVERY: Final = 20.0
EDIT_EVERY: Final = 6.0
TOLD_WITHIN: Final = 20.0
"""Seconds within which every worker has to serve an edit; without load, it takes much less."""


@dataclass(frozen=True)
class Kill:
    """A worker that was killed."""

    pid: int
    at: float


@dataclass
class Moments:
    """When something was done to the service, in Unix seconds."""

    kills: list[Kill] = field(default_factory=list)
    hups: list[float] = field(default_factory=list)


class Chaos:
    """Sends HUP and kills workers, until it is stopped."""

    def __init__(self, service: Started, moments: Moments, chance: random.Random) -> None:
        self._service = service
        self._moments = moments
        self._chance = chance

    def run(self, stopped: threading.Event) -> None:
        """Continues until ``stopped``."""
        hup_at = time.monotonic() + 5.0
        kill_at = hup_at + 12.0
        while not stopped.wait(0.1):
            now = time.monotonic()
            if now >= hup_at:
                hup_at += HUP_EVERY
                self._moments.hups.append(time.time())
                self._service.process.send_signal(signal.SIGHUP)
            if now >= kill_at:
                kill_at += KILL_EVERY * self._chance.uniform(0.7, 1.3)
                self._kill()

    def _kill(self) -> None:
        workers = self._service.workers()
        if workers:
            victim = self._chance.choice(workers)
            self._moments.kills.append(Kill(victim.pid, time.time()))
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()


class Editor:
    """Edits the code of a namespace, and watches when all workers serve it."""

    def __init__(self, service: Started, editions: Editions, wrong: Callable[[str], None]) -> None:
        self._port = service.port
        self._path = service.place / "trial" / "__init__.py"
        self._editions = editions
        self._wrong = wrong

    def run(self, stopped: threading.Event) -> None:
        """Continues until ``stopped``. Every fifth edit is a mistake at first."""
        while not stopped.wait(EDIT_EVERY):
            edition = self._editions.begin()
            if edition.number % 5 == 0:
                self._editions.broke(time.time())
                _write(self._path, sources.BROKEN)
                stopped.wait(2.0)
            _write(self._path, sources.trial(edition.number))
            edition.written_at = time.time()
            if edition.number % 5 == 0:
                self._editions.mended(time.time())
            if self._is_told(edition.number, stopped):
                edition.told_at = time.time()
            elif not stopped.is_set():
                self._wrong(f"edition {edition.number} was not served by every worker within {TOLD_WITHIN:g} s")

    def _is_told(self, number: int, stopped: threading.Event) -> bool:
        """Whether all workers report an edition in time.

        Chance decides which worker accepts a connection. Twenty answers in a row, each over a new connection, from at
        least two workers and over half a second, count as answers from all workers.
        """
        deadline = time.monotonic() + TOLD_WITHIN
        agreed: list[tuple[float, str]] = []
        while time.monotonic() < deadline and not stopped.is_set():
            try:
                worker, operations = self._operations()
            except (OSError, http.client.HTTPException, ValueError, LookupError):
                continue  # a worker was killed just then
            agreed.append((time.monotonic(), worker))
            if f"trial/number-{number}" not in operations:
                agreed.clear()
            elif len(agreed) >= 20 and agreed[-1][0] - agreed[0][0] >= 0.5 and len({each[1] for each in agreed}) > 1:
                return True
            time.sleep(0.01)
        return False

    def _operations(self) -> tuple[str, list[str]]:
        """Who answers, and what it serves of the namespace."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TOLD_WITHIN)
        try:
            connection.request("GET", "/-/namespaces")
            answer = connection.getresponse()
            found: list[dict[str, Any]] = json.loads(answer.read())["namespaces"]
        finally:
            connection.close()
        worker = str(answer.getheader("X-Request-ID")).partition("-")[0]
        return worker, next(each["operations"] for each in found if each["name"] == "trial")


def _write(path: Path, text: str) -> None:
    """Replaces a file, as editors do."""
    new = path.with_name("__init__.py.tmp")
    new.write_text(text, "utf-8")
    os.replace(new, path)

"""Databases in trouble: full, stopped, another one. What was read meanwhile is counted and sampled all the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.monitor import Monitor

from rave_core.errors import FenceError
from rave_core.testing import free_port

AWAY = 60.0 if "RAVE_STRESS" in os.environ else 0.5
"""Seconds for which the database is away."""


class PostgresServer:
    """A server of the tests' own, on a port of the loopback; it can be stopped and started."""

    def __init__(self, place: Path, programs: Path) -> None:
        self.place, self.programs, self.port = place, programs, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user: Any = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
        if self._as_user:  # it refuses to run as root
            shutil.chown(place, "nobody", "nogroup")
        command = [
            programs / "initdb",
            "-D",
            place / "data",
            "-U",
            "rave",
            "--auth",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as_user)
        self.dsn = f"host=127.0.0.1 port={self.port} user=rave dbname=postgres"
        self.url = f"postgresql+psycopg://rave@127.0.0.1:{self.port}/postgres"

    def start(self, wait: Callable[..., Any]) -> None:
        """Starts it, and waits until it answers."""
        command = [self.programs / "postgres", "-D", self.place / "data", "-p", str(self.port), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd="/", stdout=quiet, stderr=quiet, **self._as_user)
        wait(self._answers, what="PostgreSQL")

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.dsn, connect_timeout=2).close()
            return True
        return False

    def stop(self) -> None:
        """Ends it at once, with all connections."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def programs() -> Path:
    """Where PostgreSQL's programs are; without them the tests are skipped and say so, and fail in CI."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    for folder in (*found, *sorted(Path("/usr/lib/postgresql").glob("*/bin"))):
        if (folder / "initdb").exists():
            return folder
    assert not os.environ.get("CI"), "CI installs postgresql by .ci/servers, so that no test is left out"
    pytest.skip("needs PostgreSQL: apt-get install postgresql")


@pytest.fixture(scope="module")
def postgres(programs: Path) -> Iterator[PostgresServer]:
    """A server."""
    with tempfile.TemporaryDirectory() as folder:  # the directories above pytest's own keep other users out
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder), programs)
        yield server
        server.stop()


@pytest.fixture
def on_postgres(place: Any, postgres: PostgresServer) -> Iterator[Any]:
    """A place whose samples are in that server, under the name of a monitor that no other test uses."""
    if postgres.process is None:
        postgres.start(place.wait)
    made = type(place)(place.directory, postgres.url)
    made.settings = place.settings
    made.store.monitor = f"m{time.monotonic_ns()}"
    made.configure(f'name = "{made.store.monitor}"\n' + made.counting)
    yield made
    made.store.database.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB. Needs root, as CI has."""
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "CI runs this as root, so that no test is left out"
        pytest.skip("this test mounts a file system: run it as root, as CI does")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def goes_on_without_a_gap(
    place: Any, monitor: Monitor, begin_trouble: Callable[[], object], end_trouble: Callable[[], object]
) -> None:
    """Lines that are written during a trouble are counted, and sampled at their own times."""
    place.append("1", "2")
    place.counts(2)
    taken: list[tuple[float, int]] = []
    begin_trouble()
    place.wait(lambda: monitor.trouble, what="the trouble")
    monitor._runtime.events.subscribe(
        "sample.taken", lambda event: taken.append((event.data["time"], event.data["sample"]["n"]))
    )
    place.append("3", "4")
    place.wait(lambda: taken and taken[-1][1] == 4)
    began = time.monotonic()
    place.wait(lambda: time.monotonic() > began + AWAY, seconds=2 * AWAY + 30)
    meanwhile = set(taken)
    end_trouble()
    place.append("5")
    place.counts(5)
    place.wait(lambda: monitor.trouble is None)
    samples = place.store.samples("count", 0, 1e12)
    assert len({each.time for each in samples}) == len(samples)
    assert meanwhile <= {(each.time, each.values["n"]) for each in samples}
    assert place.status()["dropped"] == 0


def test_a_full_disk_loses_no_line_and_no_sample(disk: Path, place: Any, start: Any) -> None:
    """What is read and sampled meanwhile is written once there is space."""
    full = type(place)(place.directory, "sqlite:///disk/monitor.sqlite")
    full.settings = place.settings
    full.configure()
    ballast = disk / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    goes_on_without_a_gap(full, start(full), fill, ballast.unlink)
    full.store.database.close()


def test_a_database_that_is_stopped_loses_no_line_and_no_sample(
    on_postgres: Any, start: Any, postgres: PostgresServer
) -> None:
    """``make stress`` leaves it away for a minute."""
    goes_on_without_a_gap(on_postgres, start(on_postgres), postgres.stop, lambda: postgres.start(on_postgres.wait))


def test_postgresql_keeps_samples_as_sqlite_does(on_postgres: Any) -> None:
    """In order, once, behind a fence; thinned and removed; with requests to reload."""
    store = on_postgres.store
    assert store.status() is None
    assert store.claim(7) == Checkpoint()
    samples = [Sample("count", float(second), {"n": second}) for second in range(1000, 1300)]
    for _ in range(2):
        store.commit(7, Checkpoint(events=5, settled=1300.0), samples, {"pid": 1})
    assert store.samples("count", 1000, 1003, limit=2) == samples[2:0:-1]
    assert (store.claim(8).events, store.status(), store.settled_before()) == (5, {"pid": 1}, 1300.0)
    with pytest.raises(FenceError):
        store.commit(7, Checkpoint(), [Sample("count", 2.0, {})], {})
    assert store.thin(8, 1020.0, 1200.0, 60.0) == 177
    assert [each.time for each in store.samples("count", 1020, 1201)] == [1200.0, 1140.0, 1080.0, 1020.0]
    assert (store.expire(8, 1020.0), store.oldest()) == (20, 1020.0)
    assert store.ask_reload() == 1
    store.answer_reload(8, 1, "no")
    assert (store.reload_request().done, store.reload_request().error) == (1, "no")
    assert store.monitor in store.monitors()

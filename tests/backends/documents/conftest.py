"""A real PostgreSQL, and new databases in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rave_core.testing import free_port


class PostgresServer:
    """A server of the tests' own, on a port of the loopback; it can be stopped and started."""

    def __init__(self, place: Path, programs: Path) -> None:
        self.data, self.programs = place / "data", programs
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user: Any = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
        if self._as_user:  # it refuses to run as root
            shutil.chown(place, "nobody", "nogroup")

    def make(self) -> None:
        """Makes an empty cluster."""
        command = [
            self.programs / "initdb",
            "-D",
            self.data,
            "-U",
            "rave",
            "--auth",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as_user)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        command = [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=80"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd="/", stdout=quiet, stderr=quiet, **self._as_user)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, "PostgreSQL ended at once"
                assert time.monotonic() < deadline, "PostgreSQL does not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Ends it at once, with all connections."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    @property
    def dsn(self) -> str:
        """Where it is, for its own client."""
        return f"host=127.0.0.1 port={self.port} user=rave dbname=postgres"

    def new_database(self) -> str:
        """The URL of a new, empty database; the password, which nobody asks for, must never be seen."""
        name = f"rave_{uuid.uuid4().hex}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql+psycopg://rave:s3cret@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Where PostgreSQL's programs are; without them the tests are skipped and say so, and fail in CI."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in found:
        if (folder / "initdb").exists():
            return folder
    assert not os.environ.get("CI"), "CI installs postgresql by .ci/servers, so that no test is left out"
    pytest.skip("needs PostgreSQL: apt-get install postgresql")


@pytest.fixture(scope="session")
def make_postgresql(postgresql_programs: Path) -> Iterator[Callable[[], PostgresServer]]:
    """Starts servers, each with an empty cluster; they end with the tests."""
    servers: list[PostgresServer] = []
    with tempfile.TemporaryDirectory() as folder:  # the directories above pytest's own keep other users out
        Path(folder).chmod(0o755)

        def make() -> PostgresServer:
            place = Path(folder, str(len(servers)))
            place.mkdir()
            servers.append(PostgresServer(place, postgresql_programs))
            servers[-1].make()
            servers[-1].start()
            return servers[-1]

        yield make
        for server in servers:
            server.stop()


@pytest.fixture(scope="session")
def postgresql(make_postgresql: Callable[[], PostgresServer]) -> PostgresServer:
    """A server that runs all the time."""
    return make_postgresql()


@pytest.fixture(scope="session")
def _unsteady_postgresql(make_postgresql: Callable[[], PostgresServer]) -> PostgresServer:
    return make_postgresql()


@pytest.fixture
def postgresql_to_restart(_unsteady_postgresql: PostgresServer) -> PostgresServer:
    """A server that a test may stop and start; it runs when the test begins, whatever the test before did."""
    if _unsteady_postgresql.process is None:
        _unsteady_postgresql.start()
    return _unsteady_postgresql

"""Databases of the tests: SQLite, DuckDB, and a real PostgreSQL server, each with the same table."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rave_sql.operations import queries

from rave_core import Runtime, Settings, using
from rave_core.testing import free_port

ROWS = [
    (1, "ada", 2.5, "2024-05-14", "2024-05-14 10:00:00"),
    (2, "bob", None, "2024-05-15", "2024-05-15 11:30:00"),
    (3, "eve", -1.0, None, None),
]
TABLE = "CREATE TABLE people (id integer, name text, score double precision, born date, updated_at timestamp)"


class Server:
    """A PostgreSQL server of the tests' own, on a socket of the loopback; it can be stopped and started."""

    def __init__(self, place: Path, programs: Path) -> None:
        self.data, self.programs = place / "data", programs
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
        if self._as_user:  # the server refuses to run as root
            shutil.chown(place, "nobody", "nogroup")

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs to its end."""
        subprocess.run([self.programs / program, *arguments], check=True, capture_output=True, cwd="/", **self._as_user)

    def make(self) -> None:
        """Makes an empty cluster."""
        self.run("initdb", "-D", str(self.data), "-U", "rave", "--auth", "trust", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        import psycopg

        command = [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=30"]
        self.process = subprocess.Popen(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as_user
        )
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
        """Ends it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    @property
    def dsn(self) -> str:
        """Where it is, for its own client."""
        return f"host=127.0.0.1 port={self.port} user=rave dbname=postgres"

    @property
    def url(self) -> str:
        """The same, for SQLAlchemy; the password, which nobody asks for, must never be seen."""
        return f"postgresql+psycopg://rave:s3cret@127.0.0.1:{self.port}/postgres"


@pytest.fixture(scope="session")
def programs() -> Path:
    """Where PostgreSQL's programs are; without them the tests are skipped and say so, and fail in CI."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in found:
        if (folder / "initdb").exists():
            return folder
    assert not os.environ.get("CI"), "CI installs postgresql by .ci/servers, so that no test is left out"
    pytest.skip("needs PostgreSQL: apt-get install postgresql")


@pytest.fixture(scope="session")
def postgresql(programs: Path) -> Iterator[Server]:
    """A server with an empty cluster."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # the directories above pytest's own keep other users out
        server = Server(Path(folder), programs)
        server.make()
        server.start()
        yield server
        server.stop()


def change_sqlite(path: Path) -> Callable[..., None]:
    """Changes an SQLite file."""

    def change(sql: str, *rows: Any) -> None:
        with sqlite3.connect(path) as connection:
            connection.executemany(sql, rows) if rows else connection.execute(sql)
        connection.close()

    return change


def change_duckdb(path: Path) -> Callable[..., None]:
    """Changes a DuckDB file."""
    import duckdb

    def change(sql: str, *rows: Any) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.executemany(sql, rows) if rows else connection.execute(sql)

    return change


def change_postgresql(server: Server) -> Callable[..., None]:
    """Changes the tables of a server."""
    import psycopg

    def change(sql: str, *rows: Any) -> None:
        with psycopg.connect(server.dsn) as connection:
            for row in rows or ((),):
                connection.execute(sql.replace("?", "%s"), row)

    return change


class Place:
    """A database with the table ``people``; ``change`` writes to it, as others would."""

    def __init__(self, kind: str, url: str, change: Callable[..., None]) -> None:
        self.kind, self.url, self.change = kind, url, change
        change("DROP TABLE IF EXISTS people")
        change(TABLE)
        change("INSERT INTO people VALUES (?, ?, ?, ?, ?)", *ROWS)


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of database in turn."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        return Place("postgresql", server.url, change_postgresql(server))
    path = tmp_path / f"people.{request.param}"
    change = change_sqlite(path) if request.param == "sqlite" else change_duckdb(path)
    return Place(request.param, f"{request.param}:///{path}", change)


@pytest.fixture
def sqlite(tmp_path: Path) -> Place:
    """A file alone, where the kind does not matter."""
    path = tmp_path / "people.sqlite"
    return Place("sqlite", f"sqlite:///{path}", change_sqlite(path))


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes operations of queries, given by name, over a database, in use until the test ends."""
    for name in [name for name in os.environ if name.startswith("RAVE_")]:
        monkeypatch.delenv(name)
    with ExitStack() as stack:

        def serve(url: str, **sources: str) -> dict[str, Any]:
            directory = tmp_path / "queries"
            directory.mkdir(exist_ok=True)
            for name, text in sources.items():
                (directory / f"{name}.sql").write_text(text)
            caches = {"cache": [f"file://{tmp_path}/cache"], "products": [f"file://{tmp_path}/products"]}
            settings = Settings(**caches, plugins={"sql": {"database": url}})
            stack.enter_context(using(stack.enter_context(Runtime(settings))))
            return queries(directory, namespace="tried")

        yield serve

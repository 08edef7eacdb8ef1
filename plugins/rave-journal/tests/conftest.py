"""Real services with the plugin, a real PostgreSQL, and pyrainer as it comes from its registry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from rave_core.testing import free_port

SETTINGS = """\
cache = "file://{place}/data"
products = "file://{place}/products"
documents = "{documents}"
disabled_plugins = ["example", "flow", "sql", "valkey", "web"]
[namespaces]
lab = "{place}/lab"
[service]
bind = "127.0.0.1:{port}"
{service}
{more}
"""
LAB = '''\
"""A namespace for tests."""

import pathlib
import threading

from rave_core import op, typemap
from rave_journal import one_of_journal

PLACE = pathlib.Path(__file__).parents[1]


@op
@typemap("journal", int)
def scaled(config, n: int = 1) -> str:
    """A number, as its configuration says."""
    with (PLACE / "runs.log").open("a") as file:
        file.write(f"{config} {n}\\n")
    gate = PLACE / "gate"
    while config.json().get("slow") and not gate.exists():
        threading.Event().wait(0.02)
    return f"{config}: {config.json()['factor'] * n}"


@op
@typemap(one_of_journal("sites"))
def of_site(site: str) -> str:
    """Something of one site."""
    return site


@op
@typemap(int)
def square(n: int) -> int:
    """The square of a number."""
    return n * n


@op
def check_radar(payload: bytes) -> None:
    """Returns if a radar can work like that."""
    if int(payload) > 11:
        raise ValueError(f"{int(payload)} is too loud")
    if int(payload) < 0:
        raise KeyError("quiet")


__export__ = {"square": square, "check_radar": check_radar, "scaled": scaled, "of_site": of_site}
'''
_SERVES = "ASGI server listening"


def wait_until(condition: Callable[[], Any], *, seconds: float = 20.0, what: str = "it") -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


@dataclass
class JournalService:
    """A service that runs with the plugin."""

    process: subprocess.Popen[bytes]
    url: str
    place: Path

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request, over a connection of its own, so that any worker may answer; redirections are not followed."""
        options = {"timeout": 30, "allow_redirects": False, **options}
        with requests.Session() as session:
            session.headers["Connection"] = "close"
            return session.request(method, f"{self.url}{path}", **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """A GET."""
        return self.ask("GET", path, **options)

    def commit(self, path: str, payload: bytes, author: str = "gian", **headers: str) -> requests.Response:
        """A commit."""
        return self.ask("POST", path, data=payload, headers={"X-Rainer-Author": author, **headers})

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.place / "service.log").read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stops it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def launch(
    place: Path,
    *,
    workers: int = 1,
    documents: str = "",
    service: Mapping[str, Any] | None = None,
    more: str = "",
    lab: str = LAB,
) -> JournalService:
    """Starts a service whose things lie in ``place``, and waits until all of its workers serve."""
    (place / "lab").mkdir(exist_ok=True)
    (place / "lab" / "__init__.py").write_text(lab)
    port = free_port()
    table = {"workers": workers, "anonymous": ["view", "run", "write"], **(service or {})}
    lines = "\n".join(f"{name} = {_toml(value)}" for name, value in table.items())
    documents = documents or f"sqlite:///{place}/documents.sqlite"
    (place / "rave.toml").write_text(
        SETTINGS.format(place=place, port=port, documents=documents, service=lines, more=more)
    )
    environ = {**os.environ, "RAVE_CONFIG": str(place / "rave.toml"), "HOME": str(place)}
    log_file = place / "service.log"
    before = log_file.read_text().count(_SERVES) if log_file.exists() else 0
    with log_file.open("ab") as log:
        command = [str(Path(sys.executable).parent / "rave"), "serve"]
        process = subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log)
    running = JournalService(process, f"http://127.0.0.1:{port}", place)
    wait_until(lambda: _is_up(running, before + workers), seconds=60, what="the service")
    return running


def _is_up(running: JournalService, count: int) -> bool:
    assert running.process.poll() is None, running.log
    if running.log.count(_SERVES) < count:
        return False
    try:
        return running.get("/-/readyz").status_code == 200
    except requests.ConnectionError:
        return False


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture(scope="session", name="wait_until")
def _wait_until() -> Callable[..., Any]:
    """Waits for a condition to give something true, and gives that."""
    return wait_until


@pytest.fixture(scope="session")
def launch_service() -> Callable[..., JournalService]:
    """Starts services; see `launch`. The test stops them."""
    return launch


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JournalService]:
    """Two workers on SQLite with some journals, one of which few may see. Each test has keys of its own."""
    place = tmp_path_factory.mktemp("journal")
    schema = {"type": "object", "properties": {"level": {"type": "integer"}}, "required": ["level"]}
    (place / "schema.json").write_text(json.dumps(schema))
    names = 'journals = ["diary", "sites", "secret", "strict", "radar", "odd", "places", "empty"]'
    checks = 'checks = {radar = "lab/check_radar", odd = "lab/absent"}'
    running = launch(
        place,
        workers=2,
        service={
            "proxy_header": "X-Remote-User",
            "namespaces": " journal:places ",
            "namespace_root": str(place),
            "permissions": {
                "ada": {"*": ["view", "write"], "journal:places": ["view", "write", "reload"]},
                "bob": {"*": ["view"]},
                "eve": {"*": ["view"], "journal:secret": []},
            },
        },
        more=f'[plugins.journal]\n{names}\n{checks}\nschemas = {{strict = "{place}/schema.json"}}',
    )
    yield running
    running.stop()


class Postgres:
    """A server of the tests' own, on a port of the loopback; it can be stopped and started."""

    def __init__(self, place: Path, programs: Path) -> None:
        self.data, self.programs = place / "data", programs
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user: Any = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
        if self._as_user:  # it refuses to run as root
            shutil.chown(place, "nobody", "nogroup")
        command = [programs / "initdb", "-D", self.data, "-U", "rave", "--auth", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as_user)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        command = [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd="/", stdout=quiet, stderr=quiet, **self._as_user)
        wait_until(self._answers, what="PostgreSQL")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

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
        """The URL of a new, empty database."""
        name = f"rave_{uuid.uuid4().hex}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql+psycopg://rave@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server; without its programs the tests are skipped and say so, and fail in CI."""
    found = [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = next((folder for folder in found if (folder / "initdb").exists()), None)
    if programs is None:
        assert not os.environ.get("CI"), "CI installs postgresql by .ci/servers, so that no test is left out"
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:  # the directories above pytest's own keep other users out
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder), programs)
        server.start()
        yield server
        server.stop()


PYRAINER = (
    # Where nobody is logged in, the system has no login name for it.
    "import os, runpy, sys\nos.getlogin = lambda: 'gian'\n"
    "sys.argv = ['rainer', *sys.argv[1:]]\nrunpy.run_module('pyrainer.rainer', run_name='__main__')"
)


@pytest.fixture
def pyrainer(service: JournalService) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs pyrainer's own command line on the default journal."""

    def run(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PYRAINER, "--url", f"{service.url}/-/journal", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, **environ},
        )

    return run

"""Real processes of the service around an application that stands in for ours: these tests look at the frame only."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from rave_core.testing import free_port

STAND_IN = '''
"""Answers with facts about the worker. What it does beyond that, files in its directory say."""
import asyncio, gc, json, logging, os, sys
from pathlib import Path

def create_app(settings, service, board):
    trouble = Path(os.environ["STAND_IN"], "trouble")
    if trouble.exists():
        raise RuntimeError(trouble.read_text())
    return App(settings, service, board)

class App:
    def __init__(self, settings, service, board):
        self.settings, self.service, self.board, self.attached = settings, service, board, False

    def attach(self, worker):
        self.attached = worker.asgi is self

    def reopen(self):
        Path(os.environ["STAND_IN"], f"reopened-{os.getpid()}").touch()

    def facts(self):
        return {
            "pid": os.getpid(), "parent": os.getppid(), "wait": self.service.wait, "threads": self.service.threads,
            "cache": self.settings.cache, "products": self.settings.products, "attached": self.attached,
            "expire": [self.settings.data_expire_after, self.settings.products_expire_after],
            "purge": [self.settings.data_purge_every, self.settings.products_purge_every],
            "board": str(self.board.directory), "metrics": os.environ["PROMETHEUS_MULTIPROC_DIR"], "cwd": os.getcwd(),
            "namespaces": dict(self.settings.namespaces), "url_base": self.service.url_base,
            "config": self.service.namespace_config, "root": self.service.namespace_root,
            "fatal": self.service.load_error_fatal, "allow_anonymous": self.service.allow_anonymous,
            "frozen": gc.get_freeze_count(),
            "imported": sorted(name for name in ("numpy", "pandas", "rave_flow") if name in sys.modules),
        }

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        word, _, rest = scope["path"].strip("/").partition("/")
        if word == "slow":
            Path(os.environ["STAND_IN"], "asked").touch()
            await asyncio.sleep(float(rest))
        if word == "log":
            logging.getLogger("rave.http").warning("told to say %s", rest)
        body = json.dumps({**self.facts(), "scheme": scope["scheme"]}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
'''

DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
import stand_in
sys.modules["rave_http.app"] = stand_in
command = sys.argv[2]
sys.argv = [command, *sys.argv[3:]]
if command == "raved":
    from rave_http.cli.raved import main
else:
    from rave_core.cli.main import COMMANDS, main
    COMMANDS["serve"] = ("rave_http.cli.serve:serve", "")  # as it does itself when it starts over
    sys.argv[0:1] = ["rave", "serve"]
main()
"""

PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until ``condition`` holds; what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


@dataclass
class Place:
    """Where services of one test are started, and all that it takes to look at them and to stop them.

    Attributes:
        directory: theirs alone.
        port: one that was free.
        pids: of arbiters, for the end.
        told: the lines before and with the last banner.
    """

    directory: Path
    port: int
    pids: list[int] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def bind(self) -> str:
        """Where a service may listen."""
        return f"127.0.0.1:{self.port}"

    def start(
        self,
        command: str,
        *arguments: str,
        passed: int | None = None,
        open_too: int | None = None,
        terminal: int | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Starts ``rave serve`` or ``raved``.

        The listening socket ``passed`` is passed on as systemd does it, the file ``open_too`` as careless callers do;
        with a ``terminal`` it runs in a session there.
        """
        start = [sys.executable, "-c", DRIVER, str(self.directory), command, *arguments]
        if passed is not None:
            start[1:1] = ["-c", PASS, str(passed)]
        if terminal is not None:
            start[1:1] = ["-c", AT_TERMINAL]
        process = subprocess.Popen(
            start,
            cwd=self.directory,
            pass_fds=[each for each in (passed, open_too) if each is not None],
            env={**os.environ, **self._home(), "STAND_IN": str(self.directory), **environment},
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            start_new_session=terminal is not None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def start_installed(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts ``rave`` as it is installed, around the real application; what is in the directory looks installed."""
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("rave")), *arguments],
            cwd=self.directory,
            env={**os.environ, **self._home(), "PYTHONPATH": str(self.directory), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def _home(self) -> dict[str, str]:
        home = str(self.directory / "home")
        return {"HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "XDG_CONFIG_HOME": f"{home}/config"}

    def run(self, command: str, *arguments: str, **environment: str) -> tuple[int, str]:
        """Runs it to the end of the process that was started; exit code and what it wrote to standard error."""
        process = self.start(command, *arguments, **environment)
        _, told = process.communicate(timeout=30)
        return process.returncode, told

    def serve(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts ``rave serve`` with one worker, and waits until it says that it serves."""
        process = self.start("serve", "--bind", self.bind, "--workers", "1", *arguments, **environment)
        self.pids.append(process.pid)
        assert process.stderr is not None
        self.told = []
        for line in process.stderr:
            self.told.append(line)
            if " serves " in line:
                return process
        raise AssertionError("".join(self.told))

    def daemon(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Starts ``raved`` as a daemon with one worker; its process ID, and what was said."""
        switches = ("--listen-port", str(self.port), "--workers", "1", "--pidfile", str(self.directory / "raved.pid"))
        code, said = self.run("raved", *switches, *arguments, **environment)
        assert code == 0, said
        pid = int((self.directory / "raved.pid").read_text())
        self.pids.append(pid)
        return pid, said

    def ask(self, path: str = "/", headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The facts of a worker."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close", **(headers or {})})
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found

    def write(self, name: str, content: str) -> Path:
        """A file in the directory."""
        path = self.directory / name
        path.write_text(content)
        return path

    def end(self) -> None:
        """Kills what is left, and makes sure that nothing is."""
        own = [process.pid for process in self.processes if process.poll() is None]
        for pid in {*self.pids, *own}:
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                process = psutil.Process(pid)
                family = [process, *process.children(recursive=True)]
                boards = _boards(pid)
                for each in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
                psutil.wait_procs(family, timeout=10)
                for run_directory in boards:
                    shutil.rmtree(run_directory, ignore_errors=True)
        for started in self.processes:
            started.wait()
            for stream in (started.stdout, started.stderr):
                if stream is not None:
                    stream.close()


def _boards(pid: int) -> list[str]:
    """The directories that a service would have removed at its end."""
    held = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return [path for path in held if "/rave-board-" in path]


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session")
def make_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Place]]:
    """Makes places; whatever was started in one is gone when all tests have ended."""
    made = []

    def make() -> Place:
        directory = tmp_path_factory.mktemp("place").resolve()
        (directory / "stand_in.py").write_text(STAND_IN)
        made.append(Place(directory, free_port()))
        return made[-1]

    yield make
    for place in made:
        place.end()


@pytest.fixture
def place(make_place: Callable[[], Place]) -> Iterator[Place]:
    """Where services of the test are started; they are gone when it ends."""
    place = make_place()
    yield place
    place.end()


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Waits for a condition."""
    return until


@pytest.fixture(name="is_running")
def _is_running() -> Callable[[int], bool]:
    """Tells whether a process is there."""
    return is_running

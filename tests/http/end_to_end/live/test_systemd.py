"""The service as systemd starts it: the units, the settings and the log configuration of the examples."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from rave_core.text.durations import parse_duration
from rave_http.cli.serve import serve
from rave_http.process.gunicorn_app import MARGIN
from rave_http.settings import ServiceSettings

KNOWN = {
    "Unit": {"Description", "After", "Requires"},
    "Socket": {"ListenStream", "SocketMode", "SocketUser", "SocketGroup"},
    "Install": {"WantedBy"},
    "Service": {
        *("Type", "TimeoutStartSec", "User", "Group", "ExecStart", "ExecReload", "KillMode", "TimeoutStopSec"),
        *("Restart", "RestartSec", "RestartPreventExitStatus", "OOMPolicy", "LimitNOFILE", "UMask"),
        *("RuntimeDirectory", "CacheDirectory", "StateDirectory", "LogsDirectory"),
        *("RuntimeDirectoryMode", "CacheDirectoryMode", "StateDirectoryMode", "LogsDirectoryMode"),
        *("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectControlGroups", "ProtectHome"),
        *("ProtectKernelModules", "ProtectKernelTunables", "ProtectSystem"),
    },
}
PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""
LOGS = ("rave.log", "audit.log", "access.log")


@dataclass
class Systemd:
    """As much of systemd as the units need: the socket, the directories, and an ear for what the service tells.

    Attributes:
        place: of everything.
        told: what the service told so far.
    """

    place: Path
    command: list[str]
    listener: socket.socket
    ear: socket.socket
    told: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where requests go."""
        return self.place / "rave.sock"

    def start(self, mask: int) -> subprocess.Popen[bytes]:
        """Starts the service, and waits until it says that it is ready."""
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(self.place / "notify"),
            "RUNTIME_DIRECTORY": str(self.place / "run"),
        }
        environ |= {"HOME": str(self.place), "PYTHONDONTWRITEBYTECODE": "1"}
        passing = [sys.executable, "-c", PASS, str(self.listener.fileno()), *self.command]
        with (self.place / "journal").open("ab") as journal:
            self.process = subprocess.Popen(
                passing,
                cwd="/",
                env=environ,
                umask=mask,
                pass_fds=[self.listener.fileno()],
                stdout=journal,
                stderr=journal,
            )
        self.hear("READY=1")
        return self.process

    def hear(self, word: str) -> list[str]:
        """What the service tells from now on, up to ``word``."""
        heard: list[str] = []
        while word not in heard:
            heard += self.ear.recv(4096).decode().splitlines()
        self.told += heard
        return heard

    def ask(self, target: str) -> bytes:
        """What the service answers, whole."""
        answer = b""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(self.socket))
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: rave\r\nConnection: close\r\n\r\n".encode())
            while more := client.recv(1 << 16):
                answer += more
        return answer

    def log(self, name: str) -> str:
        """What was logged to a file, also before it was rotated."""
        paths = (self.place / "log" / f"{name}.1", self.place / "log" / name)
        return "".join(path.read_text("utf-8") for path in paths if path.exists())


def unit(text: str) -> configparser.ConfigParser:
    """A unit; what stands twice in it is an error."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    parser.read_string(text)
    return parser


@contextmanager
def systemd(place: Path, adapted: Callable[..., str]) -> Iterator[Systemd]:
    """What systemd does before it starts the service, and when all is over."""
    (place / "log").mkdir()
    (place / "run").mkdir(mode=0o700)
    changes = {"/var/cache/rave": f"{place}/cache", "/srv/rave/lab": f"{place}/lab", "/var/lib/rave": str(place)}
    (place / "rave.toml").write_text(adapted("rave.toml", {**changes, "/var/log/rave": f"{place}/log"}))
    (place / "logging.ini").write_text(adapted("logging.ini", {"/var/log/rave": f"{place}/log"}))
    service = adapted("rave.service", {"/opt/rave/bin": str(Path(sys.executable).parent), "/etc/rave": str(place)})
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place / "notify"))
        ear.settimeout(60)
        listener.bind(str(place / "rave.sock"))
        listener.listen(128)
        made = Systemd(place, shlex.split(unit(service)["Service"]["ExecStart"]), listener, ear)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.send_signal(signal.SIGTERM)
                made.process.wait(timeout=30)


@pytest.fixture(scope="module")
def units(adapted: Callable[..., str]) -> dict[str, configparser.ConfigParser]:
    """Both units."""
    return {name: unit(adapted(name, {})) for name in ("rave.service", "rave.socket")}


@pytest.fixture(scope="module")
def mask(units: dict[str, configparser.ConfigParser]) -> int:
    """The mask of the unit."""
    return int(units["rave.service"]["Service"]["UMask"], 8)


@pytest.fixture(scope="module")
def running(make_place: Callable[[], Path], adapted: Callable[..., str], mask: int) -> Iterator[Systemd]:
    """The service, as it was started by its unit."""
    with systemd(make_place(), adapted) as made:
        made.start(mask)
        yield made


def test_the_units_say_what_systemd_knows(units: dict[str, configparser.ConfigParser]) -> None:
    """Sections and directives, none of them misspelt, and the switches of the command."""
    for parser in units.values():
        for section in parser.sections():
            assert parser[section].keys() <= KNOWN[section]
    command = shlex.split(units["rave.service"]["Service"]["ExecStart"])
    at = command.index("serve")
    assert command[1:at] == ["--config", "/etc/rave/rave.toml"]
    help_text = CliRunner().invoke(serve, ["--help"], terminal_width=200).output
    assert all(word in help_text for word in command[at:] if word.startswith("--"))


def test_systemd_has_no_complaint(adapted: Callable[..., str], needed: Callable[..., str], tmp_path: Path) -> None:
    """Its own check of the units finds nothing."""
    program = needed("systemd-analyze", "systemd")
    (tmp_path / "rave.service").write_text(adapted("rave.service", {"/opt/rave/bin": str(Path(sys.executable).parent)}))
    (tmp_path / "rave.socket").write_text(adapted("rave.socket", {}))
    command = [program, "verify", "--man=no", str(tmp_path / "rave.service"), str(tmp_path / "rave.socket")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_times_fit_together(units: dict[str, configparser.ConfigParser]) -> None:
    """systemd waits longer for the end than the service waits for its computations, and then for its workers."""
    assert parse_duration(units["rave.service"]["Service"]["TimeoutStopSec"]) > ServiceSettings().grace + MARGIN


def test_it_serves_on_the_socket_that_it_is_handed(running: Systemd) -> None:
    """And not where its settings say; it told that it is ready, and nothing before."""
    assert running.told[0] == "READY=1"
    assert b'{"n":7,"square":49}' in running.ask("/lab/square?n=7")
    assert "Listening at: unix:" in running.log("rave.log")
    assert "127.0.0.1" not in running.log("rave.log")


def test_a_reload_is_told(running: Systemd) -> None:
    """It begins and ends, with the time that systemd wants to know."""
    assert running.process is not None
    running.process.send_signal(signal.SIGHUP)
    begun, when, *_, ended = running.hear("READY=1")
    assert (begun, when.partition("=")[0], ended) == ("RELOADING=1", "MONOTONIC_USEC", "READY=1")


def test_each_log_has_its_own(running: Systemd, wait_until: Callable[..., Any]) -> None:
    """The service and its processes, refusals, and requests; nothing of theirs goes to the journal."""
    assert b" 401 " in running.ask("/-/metrics")
    wait_until(lambda: "/-/metrics" in running.log("access.log"))
    assert "INFO" in running.log("rave.log")
    assert "rave.server: " in running.log("rave.log")
    assert "refused: 'metrics' '/-/metrics' by anonymous" in running.log("audit.log")
    assert "refused" not in running.log("rave.log")
    journal = (running.place / "journal").read_text()
    assert [line for line in journal.splitlines() if not line.startswith("rave: serves ")] == []


def test_logs_are_rotated_without_a_loss(running: Systemd, wait_until: Callable[..., Any]) -> None:
    """After USR1 to the first process, all of them go on in new files."""
    assert running.process is not None
    logs, family = running.place / "log", psutil.Process(running.process.pid)
    running.ask("/-/version")
    wait_until(lambda: "/-/version" in running.log("access.log"), what="the line of the log")
    for name in LOGS:
        (logs / name).rename(logs / f"{name}.1")
    running.process.send_signal(signal.SIGUSR1)

    def is_new() -> bool:
        running.ask("/-/metrics")
        opened = [file.path for each in (family, *family.children()) for file in each.open_files()]
        return all((logs / name).exists() for name in LOGS) and not any(path.endswith(".1") for path in opened)

    wait_until(is_new, what="the new files")
    running.ask("/-/metrics")
    assert json.loads((logs / "access.log").read_text().splitlines()[0])["path"] == "/-/metrics"
    assert "'/-/metrics'" in (logs / "audit.log").read_text()


def test_a_restart_refuses_nobody(make_place: Callable[[], Path], adapted: Callable[..., str], mask: int) -> None:
    """While the service is away, requests wait at the socket, and the next one answers them."""
    with systemd(make_place(), adapted) as made, ThreadPoolExecutor(1) as pool:
        process = made.start(mask)
        process.send_signal(signal.SIGTERM)
        made.hear("STOPPING=1")
        assert process.wait(timeout=30) == 0
        answer = pool.submit(made.ask, "/lab/square?n=7")
        made.start(mask)
        assert b'{"n":7,"square":49}' in answer.result(timeout=30)
        assert len(list((made.place / "run").glob("rave-board-*"))) == 1

"""The service behind another server, that server, and the examples that both are set up by."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples" / "service"
MARK = "adapt"


def adapted(name: str, changes: Mapping[str, str]) -> str:
    """A file of the examples with what its marked lines name replaced; nothing else in it is touched.

    A line is marked by a comment in it, or by the comment in the line before it.
    """
    lines = (EXAMPLES / name).read_text("utf-8").splitlines()
    pairs = zip(["", *lines[:-1]], lines, strict=True)
    marked = [MARK in line or bool(re.match(rf"\s*[#;] {MARK}", before)) for before, line in pairs]
    for old, new in changes.items():
        hits = [at for at, line in enumerate(lines) if old in line and not line.lstrip().startswith(("#", ";"))]
        assert hits, f"{name} has no {old!r}"
        assert all(marked[at] for at in hits), f"{name}: {old!r} stands in a line that is not marked"
        for at in hits:
            lines[at] = lines[at].replace(old, new)
    return "\n".join(lines) + "\n"


def until(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "it") -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


def needed(program: str, package: str) -> str:
    """Where a program is; CI has it installed by .ci/servers, elsewhere the test says what is missing."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        assert not os.environ.get("CI"), f"CI installs {package} by .ci/servers, so that no test is left out"
        pytest.skip(f"needs {program}: apt-get install {package}")
    return found


@dataclass
class Behind:
    """The service, as the example's settings have it, on a Unix socket.

    Attributes:
        place: of its things, which the group of the server in front may enter.
        process: the first of it.
        port: of the server in front whose URLs it gives out, which start with ``url_base``.
        keys: an API key of each user that has one.
    """

    place: Path
    process: subprocess.Popen[bytes]
    port: int
    url_base: str
    keys: Mapping[str, str]

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.place / "rave.sock"

    def accesses(self, request_id: str) -> dict[str, Any]:
        """The line of the access log about one request, once it is written."""
        path = self.place / "access.log"

        def found() -> dict[str, Any] | None:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            return next((each for each in map(json.loads, lines) if each["request_id"] == request_id), None)

        line: dict[str, Any] = until(found, what=f"the line of {request_id}")
        return line

    def open_gate(self, name: str) -> None:
        """Lets the computation of ``/lab/gated?name=…`` end."""
        (self.place / f"{name}.gate").touch()

    def runs(self, what: str) -> int:
        """How often a body ran."""
        path = self.place / "runs.log"
        return sum(what in line for line in path.read_text("utf-8").splitlines()) if path.exists() else 0

    def headers(self, target: str) -> dict[str, str]:
        """The headers of its own answer, by their names in small letters."""
        lines = asked(self.socket, target).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def workers(self) -> list[psutil.Process]:
        """Its workers, those that ended but are not reaped left out."""
        children = psutil.Process(self.process.pid).children()
        return [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@dataclass
class Front:
    """A server in front of the service.

    Attributes:
        url: where it listens, without the path below which the service is.
        base: that path.
    """

    url: str
    base: str
    service: Behind
    place: Path
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **options: Any) -> requests.Response:
        """A GET; redirections are not followed."""
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request."""
        given = {"allow_redirects": False, "timeout": 30, **options}
        return self.session.request(method, f"{self.url}{self.base}{path}", **given)

    def fresh(self, path: str, **options: Any) -> requests.Response:
        """A GET by a connection of its own, from any thread."""
        return requests.get(f"{self.url}{self.base}{path}", allow_redirects=False, timeout=60, **options)


def rave(place: Path) -> list[str]:
    """The command, with the settings that stand in ``place``."""
    return [str(Path(sys.executable).parent / "rave"), "--config", str(place / "rave.toml")]


def settings(place: Path, url_base: str, service: Mapping[str, str]) -> str:
    """The example's settings, over ``place``; ``service`` are other values of single settings, as TOML."""
    changes = {
        "/var/cache/rave": f"{place}/cache",
        "/srv/rave/lab": f"{place}/lab",
        '"127.0.0.1:8888"': f'"unix:{place}/rave.sock"',
        "https://rave.example.org/rave": url_base,
        "/var/lib/rave/keys": f"{place}/keys",
        "/var/log/rave/access.log": f"{place}/access.log",
    }
    text = adapted("rave.toml", changes)
    for name, value in service.items():
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"rave.toml has no {name}"
    return text


def serves(behind: Behind) -> bool:
    """Whether a service answers; it fails if that one has ended."""
    assert behind.process.poll() is None, (behind.place / "service.log").read_text("utf-8")
    try:
        return b" 200 " in asked(behind.socket, "/-/readyz")
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def asked(path: Path, target: str) -> bytes:
    """What the service on the Unix socket ``path`` answers, up to the end of its headers at least."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: rave\r\nConnection: close\r\n\r\n".encode())
        while b"\r\n\r\n" not in answer and (more := client.recv(4096)):
            answer += more
    return answer


def end(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Stops a process of ours by its ID."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

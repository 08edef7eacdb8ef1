"""The service behind real servers, both from the files in ``examples/service``, changed only where these say so."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples" / "service"
MARK = "adapt"
WWW = "www-data"
MODULES = ("mpm_event", "authz_core", "authn_core", "authn_file", "auth_basic", "authz_user")


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


def until(condition: Callable[[], Any], *, seconds: float = 20.0, what: str = "it") -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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

    def runs(self, what: str) -> int:
        """How often a body ran."""
        path = self.place / "runs.log"
        return sum(what in line for line in path.read_text("utf-8").splitlines()) if path.exists() else 0

    def headers(self, target: str) -> dict[str, str]:
        """The headers of its own answer, by their names in small letters."""
        lines = asked(self.socket, target).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def workers(self) -> list[psutil.Process]:
        """Its workers."""
        return list(psutil.Process(self.process.pid).children())


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


@pytest.fixture(name="adapted", scope="session")
def _adapted() -> Callable[[str, Mapping[str, str]], str]:
    """A file of the examples, changed where its marks allow that."""
    return adapted


@pytest.fixture(name="needed", scope="session")
def _needed() -> Callable[[str, str], str]:
    """Where a program of a package is; without it the test is skipped, or fails in CI."""
    return needed


@pytest.fixture(scope="session")
def make_place(request: pytest.FixtureRequest) -> Iterator[Callable[[], Path]]:
    """Makes directories with the namespace of the tests, which the group of a server in front may enter."""
    made = []
    source = request.config.pluginmanager.getplugin(str(HERE.parents[1] / "conftest.py"))

    def make() -> Path:
        # Short, since sockets go there, and not below the directories of pytest, which nobody else may enter.
        place = Path(tempfile.mkdtemp(prefix="rave-behind-"))
        made.append(place)
        place.chmod(0o711)
        (place / "lab").mkdir()
        (place / "lab" / "__init__.py").write_text(source.LAB + (HERE / "more-operations.txt").read_text("utf-8"))
        (place / "cache").mkdir(mode=0o750)
        return place

    yield make
    for place in made:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def start_behind(make_place: Callable[[], Path]) -> Iterator[Callable[..., Behind]]:
    """Starts services from the example's settings: ``start_behind("/rave", users=["carol"], sendfile='"x-accel"')``."""
    with contextlib.ExitStack() as stack:

        def start(path: str, *, users: Sequence[str] = (), **service: str) -> Behind:
            place, port = make_place(), free_port()
            url_base = f"http://127.0.0.1:{port}{path}"
            (place / "rave.toml").write_text(settings(place, url_base, service))
            keys = {user: _key(place, user) for user in users}
            with (place / "service.log").open("wb") as log:
                environ = {**os.environ, "HOME": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
                process = subprocess.Popen([*rave(place), "serve"], cwd=place, env=environ, stdout=log, stderr=log)
            stack.callback(end, process, signal.SIGTERM)
            behind = Behind(place, process, port, url_base, keys)
            until(lambda: serves(behind), seconds=60, what="the service")
            return behind

        yield start


@pytest.fixture(scope="session")
def behind(start_behind: Callable[..., Behind]) -> Behind:
    """One service for all tests that need nothing but the example's settings, with two users."""
    return start_behind("/rave", users=["carol", "dave"])


def serves(behind: Behind) -> bool:
    """Whether a service answers; it fails if that one has ended."""
    assert behind.process.poll() is None, (behind.place / "service.log").read_text("utf-8")
    try:
        return b" 200 " in asked(behind.socket, "/-/readyz")
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def _key(place: Path, user: str) -> str:
    command = [*rave(place), "key", "create", user]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


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


@pytest.fixture(scope="session")
def start_nginx(make_place: Callable[[], Path], start_behind: object) -> Iterator[Callable[..., Front]]:
    """Starts nginx with a file of the examples in front of a service: ``start_nginx("nginx-direct.conf", service)``.

    It ends before the service, which would wait for connections that nginx keeps.
    """
    program = needed("nginx", "nginx")
    with contextlib.ExitStack() as stack:

        def start(name: str, service: Behind, *, is_public: bool = True, **changes: str) -> Front:
            place, port = make_place(), service.port if is_public else free_port()
            common = {"/run/rave.sock": str(service.socket), "rave.example.org": "127.0.0.1"}
            common |= {"listen 80;": f"listen 127.0.0.1:{port};"}
            common |= {"/etc/nginx/snippets/rave-proxy.conf": f"{place}/proxy.conf"}
            (place / "site.conf").write_text(adapted(name, {**common, **changes}))
            (place / "proxy.conf").write_text(adapted("nginx-proxy.conf", {}))
            # In the service's group, as the guide says; that of these tests is whoever runs them.
            user = f"user {WWW} {grp.getgrgid(os.getegid()).gr_name};" if os.geteuid() == 0 else ""
            (place / "nginx.conf").write_text(_around("nginx-main.conf", place=str(place), user=user))
            command = [program, "-p", str(place), "-e", f"{place}/error.log", "-c", f"{place}/nginx.conf"]
            return _front(stack, command, signal.SIGQUIT, Front(f"http://127.0.0.1:{port}", "/rave", service, place))

        yield start


@pytest.fixture(scope="session")
def start_apache(make_place: Callable[[], Path], start_behind: object) -> Iterator[Callable[..., Front]]:
    """Starts Apache likewise: ``start_apache("apache-direct.conf", service, "proxy", …)``."""
    program = needed("apache2", "apache2")
    with contextlib.ExitStack() as stack:

        def start(name: str, service: Behind, *modules: str, is_public: bool = True, more: str = "") -> Front:
            place, port = make_place(), service.port if is_public else free_port()
            changes = {
                "/run/rave.sock": str(service.socket),
                "rave.example.org": "127.0.0.1",
                "*:80": f"127.0.0.1:{port}",
            }
            if "xsendfile" in modules:
                changes["/var/cache/rave"] = f"{service.place}/cache"
            (place / "site.conf").write_text(adapted(name, changes) + more)
            user = f"User {WWW}\nGroup #{os.getegid()}" if os.geteuid() == 0 else ""
            loads = "\n".join(f"LoadModule {each}_module {_module(each)}" for each in (*MODULES, *modules))
            text = _around("apache-main.conf", place=str(place), user=user, modules=loads, port=str(port))
            (place / "apache.conf").write_text(text)
            command = [program, "-f", f"{place}/apache.conf", "-DFOREGROUND"]
            front = Front(f"http://127.0.0.1:{port}", "/rave-proxy", service, place)
            return _front(stack, command, signal.SIGTERM, front)

        yield start


def _around(name: str, **values: str) -> str:
    text = (HERE / name).read_text("utf-8")
    for word, value in values.items():
        text = text.replace(f"@{word}@", value)
    return text


def _module(name: str) -> str:
    path = f"/usr/lib/apache2/modules/mod_{name}.so"
    if not os.path.exists(path):
        assert name == "xsendfile", f"there is no {path}"
        needed("mod_xsendfile", "libapache2-mod-xsendfile")
    return path


def _front(stack: contextlib.ExitStack, command: list[str], stop: signal.Signals, front: Front) -> Front:
    """Starts a server, and waits until it listens."""
    with (front.place / "said.log").open("wb") as said:
        process = subprocess.Popen(command, cwd=front.place, stdout=said, stderr=said)
    stack.callback(end, process, stop)
    stack.callback(front.session.close)

    def listens() -> bool:
        assert process.poll() is None, (front.place / "said.log").read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", int(front.url.rpartition(":")[2]))) == 0

    until(listens, what=command[0])
    return front

"""The service behind real servers, both from the files in ``examples/service``, changed only where these say so."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rave_core.testing import free_port
from tests.http.browser import Browser, opened
from tests.http.end_to_end.live import job_lab
from tests.http.end_to_end.live.behind import (
    HERE,
    Behind,
    Front,
    adapted,
    end,
    needed,
    rave,
    serves,
    settings,
    until,
)

WWW = "www-data"
MODULES = ("mpm_event", "authz_core", "authn_core", "authn_file", "auth_basic", "authz_user")


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with opened(tmp_path_factory.mktemp("profile")) as made:
        yield made


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


def _key(place: Path, user: str) -> str:
    command = [*rave(place), "key", "create", user]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def start_jobs(launch_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Gives services whose users a proxy names: one for each set of settings."""
    started: dict[str, Any] = {}

    def started_with(**settings: Any) -> Any:
        name = json.dumps(settings)
        if name not in started:
            place = tmp_path_factory.mktemp("jobs")
            started[name] = launch_service(
                place,
                more=job_lab.WORK,
                environ={"HOME": str(place)},
                service={"proxy_header": "X-Remote-User", **settings},
            )
        return started[name]

    yield started_with
    for service in started.values():
        service.end()

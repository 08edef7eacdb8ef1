"""A service among systemd, terminals and log configurations; and what its commands cost."""

from __future__ import annotations

import http.client
import json
import os
import pty
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from rave_core.cli.main import rave
from tests.http.end_to_end.starting.serving import INSTALLED, said

_INI = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
formatter = plain
args = ({path!r}, "a")
[formatter_plain]
format = %(levelname)s {{%(name)s}} %(message)s
"""


def test_a_log_configuration_counts_in_arbiter_and_workers(place: Any) -> None:
    """gunicorn's lines and ours go the same way, and none elsewhere."""
    path = place.directory / "rave.log"
    place.write("log.ini", _INI.format(path=str(path)))
    process = place.serve("--log-config", "log.ini")
    place.ask("/log/hello")
    process.send_signal(signal.SIGTERM)
    assert said(process) == ""
    log = path.read_text()
    assert "WARNING {rave.http} told to say hello" in log
    assert "INFO {rave.server} Booting worker" in log
    assert "INFO {rave.server} Shutting down" in log


def test_systemd_hears_of_it_when_it_serves(place: Any) -> None:
    """READY comes with the first worker that serves, not before; RELOADING and STOPPING frame what they name."""
    path = str(place.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
        system.bind(path)
        system.settimeout(20)
        process = place.serve(NOTIFY_SOCKET=path)
        assert system.recv(1000) == b"READY=1"
        process.send_signal(signal.SIGHUP)
        assert system.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert system.recv(1000) == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert system.recv(1000) == b"STOPPING=1"
        assert process.wait(20) == 0


def test_it_listens_where_systemd_does(place: Any) -> None:
    """A socket that is passed on counts more than the address of the settings, and is checked like one."""
    with socket.socket() as passed:
        passed.bind(("127.0.0.1", place.port))
        passed.listen()
        process = place.start("serve", passed=passed.fileno())
        place.pids.append(process.pid)
        assert any(f"serves {INSTALLED} namespaces at http://{place.bind}" in line for line in process.stderr)
    assert place.ask()["parent"] == process.pid


def test_it_ends_with_its_terminal(place: Any) -> None:
    """Who closes the window in which it runs ends it, though otherwise the same signal reloads."""
    ours, theirs = pty.openpty()
    process = place.start("serve", "--bind", place.bind, "--workers", "1", terminal=theirs)
    place.pids.append(process.pid)
    os.close(theirs)
    assert any(" serves " in line for line in process.stderr)
    os.close(ours)
    assert "The terminal is gone" in said(process)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def served(make_place: Callable[[], Any]) -> Any:
    """A place with a service that several tests ask."""
    place = make_place()
    place.serve()
    return place


@pytest.mark.parametrize(
    ("request_line", "status", "slug"),
    [
        ("GET /%s HTTP/1.1" % ("x" * 9000), 414, "/-/problems/uri-too-long"),  # shorter like this
        ("GET", 400, "/-/problems/bad-request"),
        ("GET / HTTP/1.1\r\nA: " + "x" * 9000, 431, "about:blank"),
    ],
)
def test_what_is_no_request_is_answered_with_a_problem(served: Any, request_line: str, status: int, slug: str) -> None:
    """Too long, too large, or no HTTP at all: the form of the answer is that of all others."""
    with socket.create_connection(("127.0.0.1", served.port), 20) as connection:
        connection.sendall(f"{request_line}\r\nHost: x\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        problem = json.loads(response.read())
    assert response.status == problem["status"] == status
    assert response.getheader("Content-Type") == "application/problem+json"
    assert problem["type"].endswith(slug)
    assert problem["detail"]


PLUGIN = """
import sys
from rave_core.plugins.discovery import FoundPlugin, Plugins
import rave_http.plugin
found = Plugins([FoundPlugin("http", "rave_http.plugin", rave_http.plugin)])
before = [name for name in ("click", "falcon", "gunicorn", "rave_http.cli") if name in sys.modules]
commands = list(found.commands)
print(before, commands, [name for name in ("falcon", "gunicorn", "prometheus_client") if name in sys.modules])
"""


def test_the_commands_cost_nothing_until_they_are_asked_for(run_python: Callable[..., str]) -> None:
    """Who calls operations from a program imports no click; and showing the commands imports no server."""
    assert run_python("-c", PLUGIN) == "[] ['serve', 'jobs', 'key', 'events', 'dashboards'] []"


def test_what_is_not_installed_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is there all the same, and says what to install."""
    monkeypatch.setitem(sys.modules, "gunicorn", None)
    for name in [
        name
        for name in sys.modules
        if name in ("rave_http.process.gunicorn_app", "rave_http.process.arbiter", "rave_http.process.worker")
    ]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(rave, ["serve"])
    assert result.exit_code == 2
    assert result.stderr == (
        "rave: error: the service needs gunicorn, which is not installed: pip install 'rave-framework[http]'\n"
    )

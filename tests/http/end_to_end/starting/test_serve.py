from __future__ import annotations

import contextlib
import http.client
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from rave_core.cli.main import rave
from rave_core.errors import ConfigurationError
from rave_http.cli.serve import serve
from rave_http.process.sockets import listen

SWITCHES = (
    *("--bind", "--workers", "--threads", "--executor", "--url-base", "--wait", "--allow-anonymous", "--access-log"),
    *("--namespace", "--namespace-config", "--namespace-root", "--log-config", "--load-error-fatal", "--pidfile"),
)

INSTALLED = len(entry_points(group="rave.namespaces"))
"""Namespaces that are there beside those of the tests."""


def _said(process: Any) -> str:
    _, told = process.communicate(timeout=30)
    return str(told)


def test_every_switch_has_its_help() -> None:
    """Those of the interface, each with a line that says what it does."""
    text = CliRunner().invoke(serve, ["--help"], terminal_width=200).output
    told = {line.split()[0]: line.split("  ")[-1] for line in text.splitlines() if line.startswith("  --")}
    assert told.keys() - {"--help"} == set(SWITCHES)
    assert all(told.values())


def test_it_serves_and_says_where(place: Any) -> None:
    """The banner has the address; workers have the board, and hear of signals. Nothing of that is left at the end."""
    process = place.serve()
    facts = place.ask()
    assert facts["parent"] == process.pid
    assert facts["attached"] is True
    assert facts["metrics"] == f"{facts['board']}/metrics"
    assert Path(facts["metrics"]).is_dir()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not Path(facts["board"]).exists()


def test_the_process_that_forks_has_opened_and_imported_nothing(place: Any) -> None:
    """Of ours, so that workers start afresh; and nothing but the service listens, gunicorn's control socket least."""
    process = place.serve("--load-error-fatal")
    assert place.ask()["imported"] == []
    arbiter = psutil.Process(process.pid)
    assert not any(f"{place.directory}/" in file.path for file in arbiter.open_files())
    listening = {
        connection.laddr
        for each in (arbiter, *arbiter.children())
        for connection in each.net_connections("all")
        if connection.status == psutil.CONN_LISTEN or (connection.family == socket.AF_UNIX and connection.laddr)
    }
    assert listening == {("127.0.0.1", place.port)}
    assert not (place.directory / "home" / ".gunicorn").exists()


SPY = """
import os
with open(os.environ["SPIED"], "a") as file:
    print(os.getpid(), file=file)
"""


def test_plugins_that_the_command_line_loaded_are_not_in_the_workers(place: Any) -> None:
    """The command is found through them; the workers load their own, so that a reload sees newer ones."""
    info = place.directory / "spy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rave.plugins]\nspy = spy\n")
    place.write("spy.py", SPY)
    spied = place.directory / "spied"
    process = place.start_installed("serve", "--bind", place.bind, "--workers", "1", SPIED=str(spied))
    place.pids.append(process.pid)
    assert any(f"serves {INSTALLED} namespaces at http://{place.bind}" in line for line in process.stderr)
    (worker,) = psutil.Process(process.pid).children()
    assert str(worker.pid) in spied.read_text().split()


def test_switches_are_stronger_than_the_settings_file(place: Any) -> None:
    """Of [service] and of the core; what has no switch comes from the file."""
    place.write("rave.toml", '[service]\nwait = "3s"\nthreads = 7\n[namespaces]\nlab = "lab"\n')
    spaces = place.directory / "spaces"
    spaces.mkdir()
    (place.directory / "lab").mkdir()
    place.serve("--wait", "4s", "--namespace", f"other={spaces}")
    facts = place.ask()
    assert (facts["wait"], facts["threads"]) == (4.0, 7)
    assert facts["namespaces"] == {"lab": f"{place.directory}/lab", "other": str(spaces)}


@pytest.mark.parametrize(
    ("toml", "switches", "told"),
    [
        ("", ["--bind", "nowhere"], "'nowhere' is no address to listen on: write HOST:PORT, [IPv6]:PORT or unix:/PATH"),
        ("", ["--bind", "host.invalid:80"], "host.invalid:80 can't be listened on: the host is unknown"),
        ("", ["--bind", "192.0.2.1:0"], "192.0.2.1:0 can't be listened on: Cannot assign requested address"),
        ("[service]\nworkerz = 3\n", [], "unknown setting 'workerz': did you mean 'workers'?"),
        ("", ["--wait", "long"], "'wait' is 'long'"),
        ("", ["--namespace-config", "missing.ini"], "'missing.ini' does not exist"),
        ("", ["--namespace", "lab"], "'lab': NAME=DIR expected"),
        ("", ["--namespace", "lab=nowhere"], "'lab=nowhere': there is no such directory"),
        ("", ["--pidfile", "no/where.pid"], "there is no directory"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, switches: list[str], told: str
) -> None:
    """With exit code 2, whether the mistake is in the file or in a switch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rave.toml").write_text(toml)
    result = CliRunner().invoke(rave, ["serve", *switches])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert result.stderr.startswith("rave: error: ")
    assert told in result.stderr


CHECKS = """
import os, sys
import rave_http.worker.service  # once, and not in the child of each check
from rave_core.errors import ConfigurationError
from rave_core.settings import Settings
from rave_http.process.launch import Launch
from rave_http.process.log_setup import Log
from rave_http.process.preflight import Check
from rave_http.settings import ServiceSettings

here = os.getcwd()
for settings, service, log, outside in eval(sys.argv[1]):
    launch = Launch(
        directory=here, working_directory=here, environ=os.environ, settings=settings, service=service, log=Log(log)
    )
    try:
        findings = Check(launch, *launch.read(), outside=outside).wait()
    except ConfigurationError as error:
        print(error)
    else:
        print(findings.namespaces, *findings.warnings)
"""


def test_what_takes_opening_to_see_is_checked_too(place: Any) -> None:
    """In a process that ends with it, so that the one that asked stays clean; the answer has one line."""
    place.write("none.ini", "[loggers]\n")
    wrong: list[tuple[dict[str, Any], dict[str, Any], str | None, str, str]] = [
        ({}, {"executor": "threats"}, None, "", "no executor is called 'threats'; did you mean 'threads'?"),
        ({}, {"trusted_proxies": ["x"]}, None, "", "given: 'trusted_proxies' has 'x'"),
        ({"cache": "tape://"}, {}, None, "", "tape://: no backend is called 'tape'"),
        ({}, {}, f"{place.directory}/none.ini", "", f"{place.directory}/none.ini: is no logging configuration that"),
        ({}, {"namespace_config": f"{place.directory}/none.ini"}, None, "", f"{place.directory}/none.ini"),
        ({}, {}, None, "[::]:1", "[::]:1 can be reached from outside and no authentication is configured"),
        ({}, {"proxy_header": "X-User"}, None, "[::]:1", f"{INSTALLED}\n"),
        (
            {"cache": "memory://"},
            {},
            None,
            "",
            f"{INSTALLED} the workers can't share what they compute, since 'cache' is kept in",
        ),
        ({"cache": "memory://"}, {"workers": 1}, None, "", f"{INSTALLED}\n"),
    ]
    command = [sys.executable, "-c", CHECKS, repr([case[:4] for case in wrong])]
    done = subprocess.run(command, cwd=place.directory, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    for line, (*_, told) in zip(done.stdout.splitlines(keepends=True), wrong, strict=True):
        assert line.startswith(told)


def test_a_namespace_that_does_not_load_is_fatal_only_where_that_is_asked_for(place: Any) -> None:
    """The message has what the namespace's code raised."""
    broken = place.directory / "broken"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('no luck')")
    switches = ("--namespace", f"broken={broken}")
    place.serve(*switches)
    code, said = place.run("serve", "--bind", "127.0.0.1:0", *switches, "--load-error-fatal")
    assert code == 2
    assert "could not be loaded: RuntimeError: no luck" in said


def test_a_port_in_use_is_named(place: Any) -> None:
    """At once, and not after five tries."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", place.port))
        other.listen()
        code, said = place.run("serve", "--bind", place.bind)
    assert code == 2
    assert said == (
        f"rave: error: {place.bind} can't be listened on: another process listens there; stop it, or choose another "
        "port\n"
    )


def test_an_outside_address_needs_authentication(place: Any) -> None:
    """It is refused with advice, unless it is asked for aloud."""
    code, said = place.run("serve", "--bind", f"0.0.0.0:{place.port}")
    assert code == 2
    assert said == (
        f"rave: error: 0.0.0.0:{place.port} can be reached from outside and no authentication is configured: create a "
        "key with 'rave key create USER', set proxy_header, or say --allow-anonymous\n"
    )
    place.serve("--bind", f"0.0.0.0:{place.port}", "--allow-anonymous")
    assert place.ask()["allow_anonymous"] is True


def test_a_socket_in_the_file_system_is_for_our_group_alone(place: Any) -> None:
    """One that a crash left is replaced, one that is in use is not; it is gone after the end."""
    path = place.directory / "rave.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    process = place.serve("--bind", f"unix:{path}")
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(ConfigurationError, match="another process listens there"):
        listen(f"unix:{path}")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not path.exists()
    path.write_text("")
    with pytest.raises(ConfigurationError, match="it is no socket"):
        listen(f"unix:{path}")


def test_what_is_amiss_with_the_caches_is_told(place: Any) -> None:
    """A store that can't be written keeps nothing, and the service does without."""
    place.serve(RAVE_PRODUCTS="file:///proc/nowhere")
    assert place.told[0].startswith("rave: warning: nothing can be kept in 'products', file:///proc/nowhere: ")


def test_term_lets_a_request_finish(place: Any, until: Callable[..., Any]) -> None:
    """It is answered though the service stops, and nobody is let in any more."""
    process = place.serve()
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(place.ask("/slow/1.5")))
    asking.start()
    until((place.directory / "asked").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    asking.join(20)
    assert answers
    with pytest.raises(ConnectionRefusedError):
        place.ask()


def test_a_connection_that_was_to_be_kept_gets_one_more_answer(place: Any, until: Callable[..., Any]) -> None:
    """A client may have sent its next request before it could know of the end; the answer announces that."""
    process = place.serve()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        process.send_signal(signal.SIGTERM)
        until(lambda: not _accepts(place.port))
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        answer.read()
    assert process.wait(4) == 0  # not after the time that an idle connection is kept


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("name", ["QUIT", "INT"])
def test_quit_ends_at_once(place: Any, until: Callable[..., Any], name: str) -> None:
    """A request under way is cut off."""
    process = place.serve()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", place.port)) as connection:
        connection.request("GET", "/slow/60")
        until((place.directory / "asked").exists)
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.wait(10) == 0
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.getresponse()


def test_a_worker_that_overstays_its_grace_is_cut_off(place: Any, until: Callable[..., Any]) -> None:
    """The grace time is the setting's, with a margin in which a worker can still end well."""
    place.write("rave.toml", '[service]\ngrace = "1s"\n')
    process = place.serve()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", place.port)) as connection:
        connection.request("GET", "/slow/60")
        until((place.directory / "asked").exists)
        process.send_signal(signal.SIGTERM)
        told = _said(process)
    assert process.returncode == 0
    assert "Forcing close of 1 connections" in told
    assert "SIGKILL" not in told


def test_hup_serves_with_new_settings(place: Any, until: Callable[..., Any], is_running: Callable[[int], bool]) -> None:
    """New workers take over, and a request of an old one is answered; switches keep their strength.

    Of the new settings one is which proxies are believed, here about encryption.
    """
    place.write("rave.toml", '[service]\nwait = "3s"\nthreads = 7\n')
    process = place.serve("--threads", "9")
    before = place.ask(headers={"X-Forwarded-Proto": "https"})
    assert before["scheme"] == "https"
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(place.ask("/slow/3")))
    asking.start()
    until((place.directory / "asked").exists)
    place.write("rave.toml", '[service]\nwait = "5s"\nthreads = 8\ntrusted_proxies = []\n')
    process.send_signal(signal.SIGHUP)
    until(lambda: place.ask()["wait"] == 5.0)
    asking.join(20)
    assert answers[0]["pid"] == before["pid"]
    after = place.ask(headers={"X-Forwarded-Proto": "https"})
    assert (after["threads"], after["parent"], after["scheme"]) == (9, process.pid, "http")
    until(lambda: not is_running(before["pid"]))


def test_hup_with_wrong_settings_changes_nothing(place: Any, until: Callable[..., Any]) -> None:
    """The log says what is wrong, and the same workers go on; mended, the next HUP reloads."""
    place.write("rave.toml", '[service]\nwait = "3s"\n')
    process = place.serve()
    before = place.ask()
    place.write("rave.toml", '[service]\nwait = "soon"\n')
    process.send_signal(signal.SIGHUP)
    line = next(line for line in process.stderr if "reload is refused" in line)
    assert "'wait' is 'soon'" in line
    assert place.ask()["pid"] == before["pid"]
    place.write("rave.toml", '[service]\nwait = "4s"\n')
    process.send_signal(signal.SIGHUP)
    until(lambda: place.ask()["wait"] == 4.0)


def test_workers_that_can_not_start_do_not_take_the_service_down(place: Any, until: Callable[..., Any]) -> None:
    """Old workers serve until new ones do, which are tried again and again."""
    process = place.serve()
    before = place.ask()
    trouble = place.write("trouble", "out of luck")
    process.send_signal(signal.SIGHUP)
    assert any("RuntimeError: out of luck" in line for line in process.stderr)
    assert any("exited with code 1" in line for line in process.stderr)
    assert place.ask()["pid"] == before["pid"]
    trouble.unlink()
    until(lambda: place.ask()["pid"] != before["pid"])


def test_a_worker_that_can_not_start_at_first_ends_it(place: Any) -> None:
    """With exit code 1, and the reason in the log."""
    place.write("trouble", "out of luck")
    code, said = place.run("serve", "--bind", place.bind, "--workers", "2")
    assert code == 1
    assert "RuntimeError: out of luck" in said
    assert "HaltServer" not in said


def test_many_hups_leave_as_many_workers_as_there_should_be(place: Any, until: Callable[..., Any]) -> None:
    """However fast they come, and whatever was only half started; no request is refused meanwhile."""
    process = place.serve("--workers", "2")
    for _ in range(3):
        process.send_signal(signal.SIGHUP)
        place.ask()
    arbiter = psutil.Process(process.pid)
    until(lambda: len(arbiter.children()) == 2)
    assert place.ask()["pid"] in {child.pid for child in arbiter.children()}


def test_a_killed_worker_is_replaced(place: Any, until: Callable[..., Any]) -> None:
    """As soon as it is gone."""
    place.serve()
    before = place.ask()["pid"]
    os.kill(before, signal.SIGKILL)
    until(lambda: place.ask()["pid"] != before)


def test_term_right_after_the_start_is_not_lost(place: Any) -> None:
    """A worker that has no handlers yet gets the signal when it has; nobody waits for the grace time."""
    process = place.start("serve", "--bind", place.bind, "--workers", "4")
    place.pids.append(process.pid)
    for line in process.stderr:
        if "Booting worker" in line:
            process.send_signal(signal.SIGTERM)
            break
    process.communicate(timeout=15)
    assert process.returncode == 0


def test_usr1_opens_the_log_files_again(place: Any, until: Callable[..., Any]) -> None:
    """In the arbiter and in every worker, and the application hears of it too."""
    place.write("log.toml", _LOG.format(path=place.directory / "rave.log"))
    process = place.serve("--log-config", "log.toml")
    (place.directory / "rave.log").rename(place.directory / "rave.log.1")
    process.send_signal(signal.SIGUSR1)
    until(lambda: list(place.directory.glob("reopened-*")))
    place.ask("/log/hello")
    assert "told to say hello" in (place.directory / "rave.log").read_text()


_LOG = """
[formatters.plain]
format = "%(levelname)s {{%(name)s}} %(message)s"
[handlers.file]
class = "logging.FileHandler"
filename = "{path}"
formatter = "plain"
[root]
level = "INFO"
handlers = ["file"]
"""

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
    assert _said(process) == ""
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
    assert "The terminal is gone" in _said(process)
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
    assert run_python("-c", PLUGIN) == "[] ['serve', 'key'] []"


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

"""None"""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from rave_core.cli.main import rave
from rave_core.documents import open_store
from rave_core.errors import ConfigurationError
from rave_http.cli.serve import serve
from rave_http.process.sockets import listen
from tests.http.end_to_end.starting.serving import INSTALLED

SWITCHES = (
    *("--bind", "--workers", "--threads", "--executor", "--url-base", "--wait", "--allow-anonymous", "--access-log"),
    *("--namespace", "--namespace-config", "--namespace-root", "--log-config", "--load-error-fatal", "--pidfile"),
    "--release",
)


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


def test_the_process_that_forks_has_opened_nothing_and_imported_no_plugin(place: Any) -> None:
    """Workers load them, and share the rest. Nothing but the service listens, gunicorn's control socket least."""
    process = place.serve("--load-error-fatal")
    facts = place.ask()
    assert facts["imported"] == []
    assert facts["frozen"] > 10_000  # objects of modules, which no worker copies
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
    children = {str(child.pid) for child in psutil.Process(process.pid).children()}
    assert children & set(spied.read_text().split())


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
        (
            "",
            ["--bind", "nowhere"],
            "'nowhere' is not an address to listen on: write HOST:PORT, [IPv6]:PORT or unix:/PATH",
        ),
        ("", ["--bind", "host.invalid:80"], "host.invalid:80 can't be listened on: the host is unknown"),
        ("", ["--bind", "192.0.2.1:0"], "192.0.2.1:0 can't be listened on: Cannot assign requested address"),
        ("[service]\nworkerz = 3\n", [], "unknown setting 'workerz': did you mean 'workers'?"),
        ("", ["--wait", "long"], "'wait' is 'long'"),
        ("", ["--namespace-config", "missing.ini"], "'missing.ini' does not exist"),
        ("", ["--namespace", "lab"], "'lab': expected NAME=DIR"),
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
        ({}, {}, f"{place.directory}/none.ini", "", f"{place.directory}/none.ini: is not a logging configuration that"),
        ({}, {"namespace_config": f"{place.directory}/none.ini"}, None, "", f"{place.directory}/none.ini"),
        ({}, {}, None, "[::]:1", "[::]:1 can be reached from outside and no authentication is configured"),
        ({}, {"proxy_header": "X-User"}, None, "[::]:1", f"{INSTALLED}\n"),
        (
            {"cache": "memory://"},
            {},
            None,
            "",
            f"{INSTALLED} the workers can't share what they compute, since 'cache' is stored in",
        ),
        ({"cache": "memory://"}, {"workers": 1}, None, "", f"{INSTALLED}\n"),
        ({"plugins": {"web": {"hstss": 1}}}, {}, None, "", f"{INSTALLED} given [plugins.web]: unknown setting 'hstss'"),
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


def test_a_release_that_names_the_unknown_is_refused(place: Any) -> None:
    """Before anything starts; the message names it."""
    for app, told in (
        ('name = "backend"', "app 'backend' can't start: no such plugin is installed; did you mean 'backends'?"),
        ('name = "backends"\nversion = ">=9"', "app 'backends' can't start: the release wants the version >=9, and 0"),
    ):
        (place.directory / "release.toml").write_text(f"[[release.apps]]\n{app}\n")
        code, said = place.run("serve", "--bind", "127.0.0.1:0", "--release", "release.toml")
        assert code == 2
        assert said.startswith(f"rave: error: release: {told}")


def test_a_wrong_store_of_documents_is_refused(place: Any) -> None:
    """Before anything starts: an unknown scheme, with what would be right; and a store of a later version."""
    path = place.directory / "documents.sqlite"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rave_store SET schema = 99")
    connection.close()
    for url, told in (
        ("sqlit:////x", "no document store is called 'sqlit'; did you mean 'sqlite'?"),
        (f"sqlite:///{path}", "upgrade"),
    ):
        code, said = place.run("serve", "--bind", "127.0.0.1:0", RAVE_DOCUMENTS=url)
        assert code == 2
        assert said.startswith("rave: error: ")
        assert told in said


def test_a_database_that_is_away_is_a_warning(place: Any, free_port: Callable[[], int]) -> None:
    """Which names it, and says what to do. The service starts: the database may come back at any time."""
    port = free_port()
    place.serve(RAVE_DOCUMENTS=f"postgresql://rave:s3cret@127.0.0.1:{port}/x")
    warning = next(line for line in place.told if "documents" in line)
    assert warning.startswith("rave: warning: documents can be neither read nor saved: ")
    assert f"127.0.0.1:{port}" in warning
    assert "check that the server runs" in warning
    assert "s3cret" not in warning


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
    with pytest.raises(ConfigurationError, match="it is not a socket"):
        listen(f"unix:{path}")


def test_what_is_amiss_with_the_caches_is_told(place: Any) -> None:
    """A store that can't be written keeps nothing, and the service does without."""
    place.serve(RAVE_PRODUCTS="file:///proc/nowhere")
    assert place.told[0].startswith("rave: warning: nothing can be stored in 'products', file:///proc/nowhere: ")

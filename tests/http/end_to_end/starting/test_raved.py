from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from rave_http.cli.raved import main, raved

SWITCHES = (
    *("--listen-addr", "--listen-port", "--data-dir", "--data-expire-after", "--data-purge-every", "--output-dir"),
    *("--vis-expire-after", "--vis-purge-every", "--threads", "--namespace-config", "--namespace-root", "--log-config"),
    *("--load-error-fatal", "--url-base", "--no-daemon", "--working-dir", "--pidfile"),
    *("--workers", "--config", "--allow-anonymous", "--version"),
)

INSTALLED = len(entry_points(group="rave.namespaces"))
"""Namespaces that are there beside those of the tests."""


def test_every_switch_of_2007_has_its_help() -> None:
    """Under its own name, with the defaults of then, beside a few new ones."""
    text = CliRunner().invoke(raved, ["--help"], terminal_width=200).output
    told = {line.split()[0]: line.split("  ")[-1] for line in text.splitlines() if line.startswith("  -")}
    assert told.keys() == {"-h,", *SWITCHES}
    assert all(told.values())
    for switch, default in (("--listen-addr", "127.0.0.1"), ("--listen-port", "8888"), ("--threads", "5")):
        assert told[switch] == f"[{default}]"


def test_the_daemon_is_on_its_own(place: Any) -> None:
    """In a session of its own, led by nobody, at the root, with the mask 022, and with streams that lead nowhere."""
    pid, said = place.daemon()
    process = psutil.Process(pid)
    assert os.getsid(pid) not in (os.getsid(0), pid)
    assert process.ppid() not in (os.getpid(), place.processes[0].pid)
    assert process.cwd() == "/"
    assert "Umask:\t0022" in Path(f"/proc/{pid}/status").read_text()
    assert {os.readlink(f"/proc/{pid}/fd/{stream}") for stream in (0, 1, 2)} == {"/dev/null"}
    log = place.directory / "home" / "cache" / "rave" / "raved.log"
    where = "in the system's log" if os.path.exists("/dev/log") else f"in {log}"
    url = f"http://{place.bind}"
    assert said == (
        f"raved: serves {INSTALLED} namespaces at {url}; API: {url}/-/openapi.json, as pid {pid}; the log is {where}\n"
    )
    facts = place.ask()
    assert (facts["parent"], facts["cwd"], facts["imported"]) == (pid, "/", [])


def test_what_the_caller_had_open_is_closed(place: Any) -> None:
    """All but the socket, and the files of the service itself; so a caller's pipe ends when the caller is told."""
    reading, writing = os.pipe()
    process = place.start(
        "raved", "--listen-port", str(place.port), "--pidfile", "raved.pid", "--workers", "1", open_too=writing
    )
    os.close(writing)
    assert process.wait(20) == 0
    place.pids.append(int((place.directory / "raved.pid").read_text()))
    with open(reading, "rb") as pipe:
        assert pipe.read() == b""
    assert place.ask()["parent"] == place.pids[-1]


def test_a_socket_of_systemd_is_passed_on_to_the_daemon(place: Any) -> None:
    """Though the daemon is another process than the one that it was meant for."""
    with socket.socket() as passed:
        passed.bind(("127.0.0.1", place.port))
        passed.listen()
        process = place.start("raved", "--pidfile", "raved.pid", "--workers", "1", passed=passed.fileno())
        assert process.wait(20) == 0, process.stderr.read()
        place.pids.append(int((place.directory / "raved.pid").read_text()))
    assert place.ask()["parent"] == place.pids[-1]


def test_signals_reload_and_stop_it(place: Any, until: Callable[..., Any], is_running: Callable[[int], bool]) -> None:
    """SIGHUP reads the settings anew, from where the daemon was started; SIGTERM ends it, and its PID file is gone."""
    place.write("rave.toml", '[service]\nwait = "3s"\n')
    pid, _ = place.daemon()
    assert place.ask()["wait"] == 3.0
    place.write("rave.toml", '[service]\nwait = "4s"\n')
    os.kill(pid, signal.SIGHUP)
    until(lambda: place.ask()["wait"] == 4.0)
    assert int((place.directory / "raved.pid").read_text()) == pid
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_running(pid))
    assert not (place.directory / "raved.pid").exists()


def test_the_switches_are_settings_under_other_names(place: Any) -> None:
    """Directories are those that were meant when it was started; seconds are plain numbers, or written with units."""
    (place.directory / "root").mkdir()
    place.write("spaces.ini", "[namespaces]\nlab = %(nsroot)s/lab\n")
    switches = (
        *("--listen-addr", "127.0.0.1", "--data-dir", "data", "--data-expire-after", "300"),
        *("--data-purge-every", "1h", "--output-dir", "out put", "--vis-expire-after", "2h30m"),
        *("--vis-purge-every", "60", "--threads", "9", "--namespace-config", "spaces.ini", "--namespace-root", "root"),
        *("--load-error-fatal", "--url-base", "http://rave.example.com/x/", "--working-dir", str(place.directory)),
    )
    lab = place.directory / "root" / "lab"
    lab.mkdir()
    (lab / "__init__.py").write_text("from rave_core import op\n@op\ndef f(): pass\n__export__ = {'f': f}\n")
    _, said = place.daemon(*switches)
    assert f"serves {INSTALLED + 1} namespaces at http://rave.example.com/x (from http://127.0.0.1:" in said
    facts = place.ask()
    assert facts["cache"] == ["memory://", f"file://{place.directory}/data"]
    assert facts["products"] == [f"file://{place.directory}/out%20put"]
    assert (facts["expire"], facts["purge"]) == ([300.0, 9000.0], [3600.0, 60.0])
    assert (facts["config"], facts["root"]) == (f"{place.directory}/spaces.ini", f"{place.directory}/root")
    assert (facts["threads"], facts["fatal"], facts["cwd"]) == (9, True, str(place.directory))


def test_without_daemon_it_stays(place: Any) -> None:
    """In the foreground, where it was started, with the log on standard error."""
    process = place.start("raved", "--no-daemon", "--listen-port", str(place.port), "--workers", "1")
    place.pids.append(process.pid)
    assert any(f"raved: serves {INSTALLED} namespaces at http://{place.bind}" in line for line in process.stderr)
    facts = place.ask("/log/hello")
    assert (facts["parent"], facts["cwd"]) == (process.pid, str(place.directory))
    process.send_signal(signal.SIGTERM)
    assert "told to say hello" in process.communicate(timeout=20)[1]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("switches", "told"),
    [
        (["--data-expire-after", "soon"], "'data_expire_after' is 'soon'"),
        (["--listen-port", "99999"], "'127.0.0.1:99999' is not an address to listen on"),
        (["--workers", "0"], "'workers' is 0: write a whole number, 1 at least"),
        (["--workers", "100000"], "'workers' is 100000: write a whole number from 1 to 1024"),
        (["--listen-adr", "x"], "No such option '--listen-adr'"),
        (["--working-dir", "nowhere"], "'nowhere' does not exist"),
        (["--config", "odd.toml"], "unknown setting 'cach': did you mean 'cache'?"),
    ],
)
def test_bad_usage_is_told_before_anything_is_forked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    switches: list[str],
    told: str,
) -> None:
    """In one line, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["raved", *switches])
    (tmp_path / "odd.toml").write_text('cach = "memory://"\n')
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1), said
    assert said.startswith("raved: error: ")
    assert told in said


def test_the_caller_learns_why_the_daemon_did_not_start(place: Any) -> None:
    """What happens after it detached counts too: the caller waits, and tells the first error that was logged."""
    place.write("trouble", "out of luck")
    code, said = place.run("raved", "--listen-port", str(place.port), "--pidfile", "raved.pid")
    assert code == 1
    assert said == "raved: error: the service did not start: a worker can't start: RuntimeError: out of luck\n"
    assert not (place.directory / "raved.pid").exists()


def test_a_second_start_is_refused(place: Any) -> None:
    """By the PID file, with the ID of the one that runs, or else by the port; the first one goes on."""
    pid, _ = place.daemon()
    code, said = place.run("raved", "--listen-port", "0", "--pidfile", "raved.pid")
    assert code == 2
    assert said.startswith(f"raved: error: raved already runs as pid {pid} ({place.directory}/raved.pid)")
    code, said = place.run("raved", "--listen-port", str(place.port))
    assert code == 2
    assert "another process listens there" in said
    assert place.ask()["parent"] == pid


def test_a_daemon_that_was_killed_leaves_nothing_in_the_way(
    place: Any, until: Callable[..., Any], is_running: Callable[[int], bool]
) -> None:
    """Its workers end by themselves, and the next one replaces its PID file."""
    pid, _ = place.daemon()
    worker = place.ask()["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_running(worker))
    assert (place.directory / "raved.pid").exists()
    again, _ = place.daemon()
    assert again != pid


def test_the_system_s_log_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own form, with the name and the ID of the process."""
    import logging

    from rave_http.process import log_setup

    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
        system.bind(path)
        system.settimeout(10)
        monkeypatch.setattr(log_setup, "_SYSTEM_SOCKET", path)
        log = log_setup.of_daemon(tmp_path)
        assert str(log) == "in the system's log"
        handler = log._handler()
        handler.emit(logging.makeLogRecord({"name": "rave.http", "levelname": "WARNING", "msg": "watch out"}))
        handler.close()
        assert system.recv(1000).rstrip(b"\0").endswith(f"raved[{os.getpid()}]: WARNING rave.http: watch out".encode())

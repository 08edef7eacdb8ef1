"""Signals, replaced workers and log files of a service in the foreground."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.http.end_to_end.starting.serving import said


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
        told = said(process)
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

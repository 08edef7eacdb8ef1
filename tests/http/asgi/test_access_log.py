"""The access log: what a line tells, what it hides, and that no disk holds up a request."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rave_core.errors import ConfigurationError
from rave_http.asgi.access_log import AccessLog, shown
from rave_http.asgi.line_sinks import FileSink, LineSink
from rave_http.auth.authorization import Principal
from rave_http.protocol.request_record import RequestRecord

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class EvictingMap(LineSink):
    """Keeps lines; while it is shut, it takes as long as a dead disk."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.lines: list[bytes] = []
        self.opened = threading.Event()
        self.reached = threading.Event()
        if is_open:
            self.opened.set()

    def write(self, lines: Sequence[bytes]) -> None:
        """Waits until the shelf is open."""
        self.reached.set()
        self.opened.wait()
        self.lines += lines


def until(holds: Callable[[], Any]) -> None:
    """Waits until ``holds()`` is true."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def scope(path: str = "/flow/top", query: bytes = b"") -> dict[str, Any]:
    """The scope of a request."""
    return {"method": "GET", "path": path, "query_string": query}


def request(**noted: Any) -> RequestRecord:
    """What was noted of a request."""
    return RequestRecord(
        **{"request_id": "r-1", "trace": TRACE, "status": 200, "sent": 12, "client": "192.0.2.1"} | noted
    )


def lines_of(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines that the log has for requests."""
    shelf = EvictingMap()
    log = AccessLog(shelf)
    for each in requests:
        log.note(
            each.get("scope", scope()),
            each.get("note", request()),
            each.get("seconds", 0.25),
            each.get("user_agent", b"curl/8"),
        )
    log.close()
    return [json.loads(line) for line in shelf.lines]


def test_a_line_tells_everything_of_a_request() -> None:
    """In one order, with the time at which it came in, in UTC."""
    noted = request(principal=Principal("ann", "key"), operation="flow/top", cache="hit", key="flow/top/abc")
    [line] = lines_of({"note": noted, "scope": scope("/flow/top", b"day=2024-01-01")})
    came = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z", came)
    assert line == {
        "request_id": "r-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "client": "192.0.2.1",
        "principal": "ann",
        "method": "GET",
        "path": "/flow/top",
        "query": "day=2024-01-01",
        "status": 200,
        "bytes": 12,
        "seconds": 0.25,
        "operation": "flow/top",
        "cache": "hit",
        "key": "flow/top/abc",
        "user_agent": "curl/8",
    }


def test_whoever_brings_no_credentials_is_a_dash() -> None:
    """Also where nobody got as far as asking who it is."""
    assert lines_of({"note": request()})[0]["principal"] == "-"


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("token=abc&n=1", "token=***&n=1"),
        ("Password=abc", "Password=***"),
        ("api_key=abc", "api_key=***"),
        ("apiKey=abc", "apiKey=***"),
        ("key=abc", "key=***"),
        ("sort-key=abc", "sort-key=***"),
        ("access_token=abc", "access_token=***"),
        ("client_secret=a=b", "client_secret=***"),
        ("X-Amz-Signature=abc", "X-Amz-Signature=***"),
        ("p%61ssword=abc", "p%61ssword=***"),
        ("pass+word=abc&pass=x", "pass+word=***&pass=***"),
        ("author=ann&monkey=1&passengers=3", "author=ann&monkey=1&passengers=3"),
        ("n=token", "n=token"),
        ("token", "token"),
        ("a=1&&b=%zz&=", "a=1&&b=%zz&="),
        ("", ""),
    ],
)
def test_values_of_secret_parameters_are_hidden(query: str, seen: str) -> None:
    """By their names, however these are written; other values stay as they are."""
    assert shown(query.encode()) == seen


NASTY = [
    '"}\n{"status":200}',
    "\r\n\x00\x1b[2J\x7f",
    "\u009b2J\u2028\u202e\u2066",
    "\ud800",
    "ü€😀",
    "\\" * 30,
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_a_client_sends_breaks_a_line(text: str) -> None:
    """Each request is one line of JSON, without any character that a terminal or viewer could take for an order."""
    shelf = EvictingMap()
    log = AccessLog(shelf)
    agent = text.encode("latin-1", "replace")
    log.note(
        scope(f"/{text}", agent), request(principal=Principal(text, "proxy"), operation=text, client=text), 0.1, agent
    )
    log.close()
    [line] = shelf.lines
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u202e\u2066]", line.decode())
    assert json.loads(line)["status"] == 200


@pytest.mark.parametrize("letter", ["x", "\x01", "\\", "ü", "😀", "\ud800"])
def test_a_line_is_never_longer_than_a_pipe_keeps_together(letter: str) -> None:
    """What is too long is cut short; short fields stay whole."""
    long = letter * 20_000
    shelf = EvictingMap()
    log = AccessLog(shelf)
    agent = long.encode("latin-1", "replace")
    log.note(scope(long, agent), request(operation=long, key="k" * 300), 0.1, agent)
    log.close()
    [line] = shelf.lines
    assert len(line) < 4096
    found = json.loads(line)
    assert found["path"].endswith("...")
    assert (found["status"], found["client"]) == (200, "192.0.2.1")


def test_a_dead_disk_holds_up_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """Lines wait up to a limit; further ones are dropped and counted, and the log says so once it is written again."""
    shelf = EvictingMap(is_open=False)
    log = AccessLog(shelf, queue=50)
    log.note(scope(), request(), 0.1, b"")
    assert shelf.reached.wait(10)
    for _ in range(60):  # each would wait until the disk is opened below
        log.note(scope(), request(), 0.1, b"")
    assert log.dropped == 10
    shelf.opened.set()
    until(lambda: caplog.records)
    log.close()
    assert len(shelf.lines) == 51
    assert caplog.messages == ["10 lines of the access log were dropped: they came faster than they could be written"]


def test_a_full_disk_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    """Its lines are counted as lost, and that is told once, not once for each."""
    log = AccessLog.of("/dev/full")
    assert log is not None
    for number in (1, 2):
        log.note(scope(), request(), 0.1, b"")
        until(lambda number=number: log.dropped == number)
    log.close()
    assert caplog.messages == ["1 lines of the access log were dropped: OSError: [Errno 28] No space left on device"]


def test_a_line_that_was_cut_off_by_a_full_disk_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after it starts on a line of its own."""
    sink = FileSink(str(tmp_path / "log"))
    write = os.write
    script = iter([lambda fd, data: write(fd, data[:2]), OSError(28, "full")])

    def fails(descriptor: int, data: Any) -> int:
        step = next(script, None)
        if isinstance(step, OSError):
            raise step
        return step(descriptor, data) if step else write(descriptor, data)

    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(OSError, match="full"):
        sink.write([b"first"])
    sink.write([b"second", b"third"])
    sink.close()
    assert (tmp_path / "log").read_text() == "fi\nsecond\nthird\n"


def test_a_file_that_can_not_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    """With the path and the reason."""
    with pytest.raises(ConfigurationError, match=r"the access log .*nowhere/log can't be written: No such file"):
        AccessLog.of(str(tmp_path / "nowhere" / "log"))


def test_a_file_is_opened_anew_when_it_is_told_to(tmp_path: Path) -> None:
    """And also where it was moved away or removed, without being told; nobody else may read it."""
    path = tmp_path / "log"
    sink = FileSink(str(path))
    sink.write([b"1"])
    path.rename(tmp_path / "old")
    sink.write([b"2"])
    path.unlink()
    sink.write([b"3"])
    sink.reopen()
    sink.write([b"4"])
    sink.close()
    assert (path.read_text(), (tmp_path / "old").read_text()) == ("3\n4\n", "1\n")
    assert path.stat().st_mode & 0o007 == 0


WRITER = """
import sys
from rave_http.asgi.access_log import AccessLog
from rave_http.protocol.request_record import RequestRecord
log = AccessLog.of(sys.argv[1])
for number in range(2000):
    note = RequestRecord(request_id=f"{sys.argv[2]}-{number}", status=200)
    log.note({"method": "GET", "path": "/" + "x" * (number % 900), "query_string": b""}, note, 0.1, b"")
"""


@pytest.mark.parametrize("where", ["file", "pipe"])
def test_lines_of_several_workers_never_mix(tmp_path: Path, where: str) -> None:
    """Two processes append thousands of lines to one file, or to one pipe; each is whole, and none is lost at exit."""
    path = tmp_path / "log"
    reader, writer = os.pipe()
    target = str(path) if where == "file" else "-"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, target, name], stdout=writer) for name in ("one", "two")
    ]
    os.close(writer)
    with open(reader, "rb") as pipe:
        data = pipe.read()
    assert [process.wait() for process in processes] == [0, 0]
    found = [json.loads(line) for line in (path.read_bytes() if where == "file" else data).splitlines()]
    assert sorted(line["request_id"] for line in found) == sorted(
        f"{name}-{number}" for name in ("one", "two") for number in range(2000)
    )


def test_a_configured_logger_takes_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log configuration gives `rave.access` a handler, that one decides, and no file is written."""
    records: list[logging.LogRecord] = []

    class ChildProcess(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger = logging.getLogger("rave.access")
    monkeypatch.setattr(logger, "handlers", [ChildProcess()])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager._clear_cache()
    log = AccessLog.of(str(tmp_path / "log"))
    assert log is not None
    log.note(scope(), request(), 0.1, b"")
    log.close()
    assert [json.loads(record.getMessage())["request_id"] for record in records] == ["r-1"]
    assert not (tmp_path / "log").exists()


def test_no_log_is_none() -> None:
    """It costs nothing."""
    assert AccessLog.of("") is None


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    """Also where nothing was ever written."""
    log = AccessLog.of(str(tmp_path / "log"))
    assert log is not None
    log.close()
    log.close()

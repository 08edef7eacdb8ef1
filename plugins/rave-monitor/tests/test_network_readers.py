"""Readers of the network: real sockets, and positions from which nothing is lost or repeated."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rave_monitor import Event, Merged, Reader
from rave_monitor.readers import queued_reader
from rave_monitor.readers.http import HttpReader
from rave_monitor.readers.lines import LinesReader
from rave_monitor.readers.sse import SseParser, SseReader
from rave_monitor.readers.syslog import SyslogReader, split_messages
from rave_monitor.readers.syslog_message import parse_message

from rave_core.testing import free_port

MESSAGES: list[tuple[str, dict[str, Any]]] = [
    (
        "<165>1 2003-10-11T22:14:15.003Z host.example.com evntslog - ID47 "
        '[x@1 iut="3" say="a \\"b\\" [c\\]"][y@2] An event',
        {
            "facility": "local4", "severity": "notice", "time": "2003-10-11T22:14:15.003Z", "host": "host.example.com",
            "program": "evntslog", "id": "ID47", "data": {"x@1": {"iut": "3", "say": 'a "b" [c]'}, "y@2": {}},
            "message": "An event",
        },
    ),
    ("<34>1 - - - - - -", {"facility": "auth", "severity": "crit", "message": ""}),
    (
        "<34>Oct 11 22:14:15 mymachine su[123]: 'su root' failed",
        {
            "facility": "auth", "severity": "crit", "time": "Oct 11 22:14:15", "host": "mymachine", "program": "su",
            "pid": "123", "message": "'su root' failed",
        },
    ),
    ("<13>hello", {"facility": "user", "severity": "notice", "message": "hello"}),
    ("<999>hello", {"facility": "user", "severity": "notice", "message": "<999>hello"}),
]  # fmt: skip


class Source:
    """A web server whose ``/poll`` answers what it is given, and whose ``/stream`` sends it as events."""

    def __init__(self) -> None:
        self.answer: Any = []
        self.since: list[str | None] = []
        self.requests = 0
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.requests += 1
                if self.path == "/stream":
                    self.stream()
                    return
                self.send_response(200 if self.path == "/poll" else 500)
                self.end_headers()
                self.wfile.write(json.dumps(source.answer).encode())

            def stream(self) -> None:
                """Sends what follows the last identifier, and ends the connection."""
                last = self.headers.get("last-event-id")
                source.since.append(last)
                self.send_response(200)
                self.end_headers()
                for number in range(int(last or -1) + 1, len(source.answer)):
                    data = json.dumps(source.answer[number])
                    self.wfile.write(f"id: {number}\r\nevent: row\r\ndata: {data}\r\n\r\n".encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()


@pytest.fixture
def source() -> Iterator[Source]:
    """A web server."""
    made = Source()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued_reader, "_FIRST_PAUSE", 0.02)


def read(place: Any, reader: Reader, number: int) -> list[Event]:
    """The next events of a reader, as many as that."""
    found: list[Event] = []
    place.wait(lambda: found.extend(reader.read(100)) or len(found) >= number, what=f"{number} events")
    return found


def test_http_gives_what_the_answer_before_did_not_have(place: Any, source: Source) -> None:
    """Also over a restart."""
    source.answer = [{"n": 1}, {"n": 2}]
    first = HttpReader(url=f"{source.url}/poll", every="0.01s")
    first.open(None)
    assert read(place, first, 2) == [{"n": 1}, {"n": 2}]
    before = source.requests
    place.wait(lambda: source.requests > before + 2)
    source.answer = [{"n": 2}, {"n": 3}, {"n": 3}]
    place.wait(lambda: first.position()["waiting"])
    first.close()
    second = HttpReader(url=f"{source.url}/poll", every="0.01s")
    second.open(json.loads(json.dumps(first.position())))
    assert read(place, second, 1) == [{"n": 3}]
    source.answer = "text"
    assert read(place, second, 1) == [{"value": "text"}]
    second.close()


def test_sse_goes_on_after_the_last_event(place: Any, source: Source) -> None:
    """Over connections that end, and over restarts; what was received and not read is read then."""
    source.answer = [{"n": 1}, [2]]
    first = SseReader(url=f"{source.url}/stream")
    first.open(None)
    assert read(place, first, 2) == [{"n": 1, "event": "row"}, {"data": "[2]", "event": "row"}]
    place.wait(lambda: "the connection ended" in str(first.trouble))
    source.answer = [*source.answer, {"n": 3}]
    place.wait(lambda: first.position()["waiting"])
    first.close()
    second = SseReader(url=f"{source.url}/stream")
    second.open(json.loads(json.dumps(first.position())))
    source.answer = [*source.answer, {"n": 4}]
    assert read(place, second, 2) == [{"n": 3, "event": "row"}, {"n": 4, "event": "row"}]
    second.close()
    assert source.since[0] is None
    assert "1" in source.since


@pytest.mark.parametrize("kind", [HttpReader, SseReader])
def test_a_source_that_refuses_is_a_trouble(place: Any, source: Source, kind: Any) -> None:
    """And asked again."""
    reader = kind(url=f"{source.url}/none")
    reader.open(None)
    place.wait(lambda: "/none answered 500; tries again" in str(reader.trouble))
    assert reader.read(10) == []
    reader.close()


def test_events_of_a_stream_may_come_in_pieces() -> None:
    """Comments are none; data of several lines are one."""
    parser = SseParser()
    text = b": hello\n\nid: 7\nid\ndata: a\ndata:b\n\ndata: {}\n\n"
    assert [event for byte in text for event in parser.feed(bytes([byte]))] == [{"data": "a\nb"}, {}]
    assert parser.identifier == ""


@pytest.mark.parametrize(("text", "wanted"), MESSAGES)
def test_a_message_of_syslog_is_taken_apart(text: str, wanted: dict[str, Any]) -> None:
    """By RFC 5424, by RFC 3164, or not at all."""
    assert parse_message(text) == wanted


def test_messages_over_tcp_end_with_a_line_or_have_a_length() -> None:
    """At the end of a connection, the rest is one."""
    assert split_messages(b"<1>a\n5 <2>b\n<3>c", at_end=False) == ([b"<1>a\n", b"<2>b\n"], b"<3>c")
    assert split_messages(b"9 <3>c", at_end=False) == ([], b"9 <3>c")
    assert split_messages(b"<3>c", at_end=True) == ([b"<3>c"], b"")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_syslog_is_read_from_a_socket(place: Any, transport: Any) -> None:
    """What was received and not read waits in the position."""
    port = free_port()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    first = SyslogReader(listen=f"127.0.0.1:{port}", transport=transport)
    first.open(None)

    def send(text: bytes) -> bool:
        with socket.socket(socket.AF_INET, kind) as sending:
            return sending.connect_ex(("127.0.0.1", port)) == 0 and sending.send(text) > 0

    if transport == "tcp":
        place.wait(lambda: send(b"<13>one\n"))
        assert [each["message"] for each in read(place, first, 1)] == ["one"]
        send(b"<13>two\n<13>three")
    else:
        place.wait(lambda: (send(b"<13>one"), first.position()["waiting"])[1])
        first.read(100)
        send(b"<13>two")
        send(b"<13>three")
    place.wait(lambda: [each for each in first.position()["waiting"] if each["message"] == "three"])
    first.close()
    second = SyslogReader(listen=f"127.0.0.1:{port}", transport=transport)
    second.open(json.loads(json.dumps(first.position())))
    assert [each["message"] for each in read(place, second, 2) if each["message"] != "one"] == ["two", "three"]
    second.close()


def test_what_comes_faster_than_it_is_read_is_lost_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a source that can't wait."""
    monkeypatch.setattr(queued_reader, "MOST_WAITING", 3)
    told: list[str] = []
    reader = SyslogReader()
    reader.tell = told.append
    reader.arrived_or_lost([{"n": number} for number in range(5)])
    assert [each["n"] for each in reader.read(10)] == [0, 1, 2]
    assert told == ["2 events were lost: they came faster than they were read"]


def test_merged_readers_have_their_turns_and_positions(place: Any) -> None:
    """Each reader's events in order."""

    def joined() -> Merged:
        return Merged(a=LinesReader(path=place.directory / "a.log"), b=LinesReader(path=place.directory / "b.log"))

    (place.directory / "a.log").write_text("a1\na2\n")
    first = joined()
    first.open(None)
    assert read(place, first, 2) == [{"line": "a1"}, {"line": "a2"}]
    place.wait(lambda: not first.read(10) and "b: " in str(first.trouble))
    (place.directory / "b.log").write_text("b1\n")
    place.wait(lambda: first.read(10) == [{"line": "b1"}])
    position = json.loads(json.dumps(first.position()))
    first.close()
    with (place.directory / "a.log").open("a") as log:
        log.write("a3\n")
    second = joined()
    second.open(position)
    assert read(place, second, 1) == [{"line": "a3"}]
    second.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SyslogReader(listen="514"), "expected host:port"),
        (lambda: HttpReader(url="app.log"), "expected http://"),
        (lambda: HttpReader(url="http://a", every="often"), "bad duration"),
        (lambda: Merged(), "expected readers"),
    ],
)
def test_arguments_that_can_not_be_right_are_refused(make: Any, told: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValueError, match=told):
        make()

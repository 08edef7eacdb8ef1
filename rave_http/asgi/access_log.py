"""The access log: one line of JSON for each request, written by a thread so that no disk can hold up the event loop."""

from __future__ import annotations

import atexit
import logging
import re
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_plus

import msgspec

from rave_core.clock import Clock, SystemClock
from rave_core.errors import describe_error
from rave_http.asgi.line_sinks import ATOMIC, FileSink, LineSink, LoggerSink, StandardOutput
from rave_http.protocol.request_record import ANONYMOUS_NAME, RequestRecord
from rave_http.protocol.tracing import trace_id

LOGGER: Final = "rave.access"
"""The logger that takes the lines where a log configuration gives it a handler."""

HIDDEN: Final = "***"
"""The placeholder in the log for a value whose name looks secret."""

QUEUE: Final = 10_000
"""Lines that may wait to be written. Further lines are dropped and counted."""

_BLOCK: Final = 500  # lines that are made and written at once; requests may go on in between
_GATHERING: Final = 0.05  # seconds for which lines are gathered, so that one write takes many
_FAREWELL: Final = 2.0  # seconds that the last lines get when a worker stops
_COMPLAINTS: Final = 60.0  # seconds between two complaints about lines that can't be written
_LONG: Final = 1000  # characters of a field that clients choose
_SHORT: Final = 100  # the same in a line that would be too long otherwise
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|(api|access|private|signing).?key"
    r"|(?<![a-z])(pass|pwd|pin|auth|authorization|signature|sig|session|sessionid|cookie|key)(?![a-z])"
)
# JSON treats these as ordinary characters; a terminal or a viewer may obey them as commands.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_log = logging.getLogger("rave.http")


class Line(msgspec.Struct):
    """One request, with its fields in the order of the log."""

    time: datetime
    request_id: str
    trace_id: str
    client: str
    principal: str
    method: str
    path: str
    query: str
    status: int
    bytes: int
    seconds: float
    operation: str
    cache: str
    key: str
    user_agent: str


_Noted: TypeAlias = tuple[float, float, str, str, bytes, bytes, str, str, str, Any, str, str, str, int, int]
"""What a line is made of: the parameters of `_line`, in order."""


class AccessLog:
    """Writes lines from its own thread, which starts with the first line. Create it after the fork.

    A slow disk does not delay requests: when too many lines wait, further lines are dropped and counted.
    """

    def __init__(self, sink: LineSink, *, clock: Clock | None = None, queue: int = QUEUE) -> None:
        self._sink = sink
        self._clock = clock or SystemClock()
        self._waiting: deque[bytes | _Noted] = deque()
        self._queue = queue
        self._encode = msgspec.json.Encoder().encode
        self._is_called = False
        self._call = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._overflowed = 0
        self._failed = 0
        self._told_at: float | None = None
        self._told = 0

    @property
    def dropped(self) -> int:
        """Lines that were lost: too many waited, or they could not be written. Some of the latter may be there."""
        return self._overflowed + self._failed

    @classmethod
    def of(cls, where: str, *, clock: Clock | None = None) -> AccessLog | None:
        """The log that goes ``where``: ``-`` for standard output, a path, or empty for none.

        It goes to the logger ``rave.access`` instead where the log configuration gives that one a handler. May wait
        for a disk.

        Raises:
            ConfigurationError: the file can't be written.
        """
        logger = logging.getLogger(LOGGER)
        if logger.handlers:
            return cls(LoggerSink(logger), clock=clock)
        if not where:
            return None
        return cls(StandardOutput() if where == "-" else FileSink(where), clock=clock)

    def note(self, scope: Mapping[str, Any], note: RequestRecord, seconds: float, user_agent: bytes) -> None:
        """Logs one request that was answered, or given up, after ``seconds``. Does not wait for anything.

        The writer makes the line, many in a row, which takes less time than one between two requests.
        """
        if len(self._waiting) >= self._queue:
            self._overflowed += 1
            return
        path, query = scope["path"], scope["query_string"]
        asked = (self._clock.now() - seconds, seconds, scope["method"], path, query, user_agent)
        known = (note.request_id, note.trace, note.client, note.principal, note.operation, note.cache, note.key)
        noted = (*asked, *known, note.status, note.sent)
        # What is long is cut at once, so that little memory waits for a slow disk.
        is_long = len(path) + len(query) + len(user_agent) > _LONG
        self._waiting.append(self._encoded(_line(*noted)) if is_long else noted)
        if not self._is_called:
            self._wake()

    def _wake(self) -> None:
        """Calls the writer, once for all lines that gather until it comes."""
        self._is_called = True
        if self._thread is None:
            self._start()
        self._call.set()

    def reopen(self) -> None:
        """Reopens the file with the next line. A file that was moved or removed is noticed without this call."""
        self._sink.reopen()

    def close(self) -> None:
        """Writes the waiting lines, for a short time at most. Calling it twice is harmless."""
        self._stop.set()
        self._call.set()
        thread, self._thread = self._thread, None
        if thread is None:
            self._sink.close()
            return
        thread.join(_FAREWELL)
        atexit.unregister(self.close)

    def _encoded(self, line: Line) -> bytes:
        if len(line.path) + len(line.query) + len(line.user_agent) > _LONG:
            _shorten(line, _LONG)
        try:
            data = self._encode(line)
        except UnicodeEncodeError:  # lone surrogates, which no server should let through
            data = self._encode(_printable(line))
        if b"\x7f" in data or not data.isascii():
            data = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()
        if len(data) >= ATOMIC:
            line = _printable(line)
            _shorten(line, _SHORT)
            data = self._encode(line)
        return data

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._write, name="rave-access-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _write(self) -> None:
        while not self._stop.is_set():
            self._call.wait()
            self._stop.wait(_GATHERING)
            self._call.clear()
            self._is_called = False
            self._write_waiting()
        self._write_waiting()
        self._sink.close()

    def _write_waiting(self) -> None:
        while count := min(len(self._waiting), _BLOCK):
            noted = [self._waiting.popleft() for _ in range(count)]
            try:
                self._sink.write([each if isinstance(each, bytes) else self._encoded(_line(*each)) for each in noted])
            except Exception as error:  # noqa: BLE001  # a handler of a log configuration may raise anything
                self._failed += count
                self._complain(describe_error(error))
        if self.dropped > self._told:
            self._complain("they came faster than they could be written")

    def _complain(self, reason: str) -> None:
        now = self._clock.monotonic()
        if self._told_at is None or now - self._told_at > _COMPLAINTS:
            self._told_at = now
            _log.warning("%d lines of the access log were dropped: %s", self.dropped - self._told, reason)
            self._told = self.dropped


def _line(
    time: float,
    seconds: float,
    method: str,
    path: str,
    query: bytes,
    user_agent: bytes,
    request_id: str,
    trace: str,
    client: str,
    principal: object,
    operation: str,
    cache: str,
    key: str,
    status: int,
    sent: int,
) -> Line:
    return Line(
        datetime.fromtimestamp(time, UTC),
        request_id,
        trace_id(trace),
        client,
        getattr(principal, "name", ANONYMOUS_NAME),
        method,
        path,
        shown(query),
        status,
        sent,
        round(seconds, 6),
        operation,
        cache,
        key,
        user_agent.decode("latin-1"),
    )


def shown(query: bytes) -> str:
    """A query string as the log shows it: without the values of parameters whose names look secret."""
    if not query:
        return ""
    return "&".join(map(_shown, query.decode("latin-1").split("&")))


def _shown(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={HIDDEN}" if equals and _is_secret(name[:_SHORT]) else parameter


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    """Whether a parameter's name, as it stands in a URL, suggests that its value is secret."""
    return _SECRET.search(unquote_plus(name).lower()) is not None


def _shorten(line: Line, length: int) -> None:
    for name in ("path", "query", "user_agent", "operation", "key", "principal"):
        text = getattr(line, name)
        if len(text) > length:
            setattr(line, name, f"{text[:length]}...")


def _printable(line: Line) -> Line:
    """The line, with everything but ASCII in the form of Python's escapes."""
    texts = {name: value for name, value in msgspec.structs.asdict(line).items() if isinstance(value, str)}
    safe = {name: text.encode("ascii", "backslashreplace").decode() for name, text in texts.items()}
    return msgspec.structs.replace(line, **safe)

"""The event stream of a ticket (``text/event-stream``), as the HTML standard describes it."""

from __future__ import annotations

import codecs
import json
import math
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import requests

from rave_http.client.deadline import Deadline
from rave_http.client.errors import UnexpectedAnswer
from rave_http.client.transport import read_some

MEDIA_TYPE: Final = "text/event-stream"
_AT_ONCE: Final = 1 << 16
_LONGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        name: ``message`` where the service gave none.
        data: what its JSON holds; ``None`` if it is no JSON.
    """

    name: str
    data: Any


class EventReader:
    """Parses bytes into events as they arrive."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._name = ""
        self._data: list[str] = []

    def read(self, part: bytes) -> Iterator[Event]:
        """The events that are complete with ``part``.

        Raises:
            UnexpectedAnswer: a line has no end.
        """
        text = self._rest + self._decoder.decode(part)
        # A carriage return may be the first half of a line end.
        held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = text.split("\n")
        self._rest = rest + held
        if len(self._rest) > _LONGEST or sum(map(len, self._data)) > _LONGEST:
            raise UnexpectedAnswer(f"an event of more than {_LONGEST} characters")
        for line in lines:
            event = self._take(line)
            if event is not None:
                yield event

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._finished()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        return None

    def _finished(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Event(name, _json("\n".join(data))) if data or name != "message" else None


def events(response: requests.Response, limit: Deadline) -> Generator[Event, None, None]:
    """The events of a stream until it ends, or until ``limit``.

    Raises:
        ConnectionFailed: the connection was cut, or is silent for too long.
        UnexpectedAnswer: it is no such stream.
    """
    reader = EventReader()
    with _cut_at(limit, response):
        while not limit.passed:
            part = read_some(response, _AT_ONCE)
            if not part:
                return
            yield from reader.read(part)


@contextmanager
def _cut_at(limit: Deadline, response: requests.Response) -> Iterator[None]:
    """Ends a wait for bytes at ``limit``: heartbeats keep the read timeout from ending it."""
    if math.isinf(limit.at):
        yield
        return
    timer = threading.Timer(min(limit.left, threading.TIMEOUT_MAX), _cut, [response])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(response: requests.Response) -> None:
    with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
        response.raw.shutdown()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

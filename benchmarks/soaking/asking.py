"""Asks the service, and watches for what may go wrong on the way."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

IDLE: Final = 3.0
"""Seconds after which a connection is not reused: the service closes it after five."""

PATIENCE: Final = 45.0
BUSY: Final = (429, 503)
"""A client that has its share, or a service that has no room, is told to ask again."""
LATER: Final = (202, *BUSY)
_ALLOWED: Final = {(503, "busy"), (504, "not-kept"), (504, "time-limit")}
_PROBLEM: Final = "application/problem+json"


class WrongError(Exception):
    """The service did what it must not do."""


class CutError(Exception):
    """A connection ended before the answer was complete."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How a connection ended.

    Attributes:
        act: what was being done.
        path: what was asked for.
        alive_at: when it was last known to work.
        asked_at: when the request began; ``seen_at`` when its end was seen. All in Unix seconds.
        was_used: whether an earlier request was answered on it.
        error: what was seen.
    """

    act: str
    path: str
    alive_at: float
    asked_at: float
    seen_at: float
    was_used: bool
    error: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered.

    Attributes:
        asked_at, seen_at: when it was asked, and when the answer was complete; Unix seconds.
    """

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: float
    seen_at: float

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        """The kind of problem; empty if the answer is not a problem."""
        if not self.headers.get("content-type", "").startswith(_PROBLEM):
            return ""
        return str(self.json["type"]).rpartition("/")[2]

    @property
    def is_lost(self) -> bool:
        """Whether it says that the body's process died twice: then the operation has to be asked again."""
        return self.status == 500 and self.slug == "operation-failed" and b"WorkerLostError" in self.body

    def wrong(self, why: str) -> WrongError:
        """The complaint that this is not the right answer."""
        return WrongError(f"{why}: {self.path[:200]} gave {self.status} {dict(self.headers)} {self.body[:300]!r}")

    def need(self, *statuses: int) -> None:
        """Complains of any other status."""
        if self.status not in statuses:
            raise self.wrong(f"expected {' or '.join(map(str, statuses))}")

    def need_body(self, expected: bytes) -> None:
        """Complains of any other body."""
        self.need(200)
        if self.body != expected:
            raise self.wrong(f"{len(expected)} other bytes expected, {expected[:100]!r}")


@dataclass
class Tally:
    """What all clients counted. Safe for threads.

    Attributes:
        acts: how often each act came to which end.
        statuses: how often each status was answered.
        cuts: connections that ended early.
        wrongs: what must not happen.
        hits: seconds of answers from memory.
    """

    acts: dict[str, dict[str, int]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def act(self, name: str, end: str) -> None:
        """Counts an act."""
        with self._lock:
            ends = self.acts.setdefault(name, {})
            ends[end] = ends.get(end, 0) + 1

    def answered(self, answer: Answer) -> None:
        """Counts an answer."""
        label = f"{answer.status} {answer.slug}".strip() if answer.status >= 400 else str(answer.status)
        with self._lock:
            self.statuses[label] = self.statuses.get(label, 0) + 1

    def wrong(self, complaint: str) -> None:
        """Records what must not happen."""
        with self._lock:
            self.wrongs.append(complaint)

    def cut(self, cut: Cut) -> None:
        """Notes a connection that ended early."""
        with self._lock:
            self.cuts.append(cut)

    def hit(self, seconds: float) -> None:
        """Notes how long a hit took."""
        with self._lock:
            self.hits.append(seconds)


class Client:
    """One client, with one connection that it keeps. For one thread."""

    def __init__(self, port: int, tally: Tally, address: str = "127.0.0.1") -> None:
        self.port = port
        self.address = address
        self.tally = tally
        self.act = ""
        self._connection: http.client.HTTPConnection | None = None
        self._alive_at = 0.0

    def get(self, path: str, arguments: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """A GET; in the names of headers ``_`` stands for ``-``."""
        return self.ask("GET", path, arguments, **headers)

    def ask(
        self,
        method: str,
        path: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        body: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """Any request.

        Raises:
            CutError: the connection ended.
            WrongError: the answer is a failure of the service that its documentation does not mention.
        """
        if arguments:
            path = f"{path}?{urlencode(arguments)}"
        now = time.time()
        if self._connection is not None and now - self._alive_at > IDLE:
            self.close()
        was_used = self._connection is not None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            answer = self._exchange(method, path, body, named, now)
        except (OSError, http.client.HTTPException) as error:
            alive_at = self._alive_at if was_used else now
            self.close()
            seen = f"{type(error).__name__}: {error}"
            self.tally.cut(Cut(self.act, path, alive_at, now, time.time(), was_used, seen))
            raise CutError(str(error)) from error
        self._check(answer)
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], now: float) -> Answer:
        if self._connection is None:
            self._connection = self.connection()
        connection = self._connection
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        data = response.read()
        self._alive_at = time.time()
        if response.will_close:
            self.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(path, response.status, found, data, now, self._alive_at)

    def _check(self, answer: Answer) -> None:
        """What is true of every answer."""
        self.tally.answered(answer)
        if "x-request-id" not in answer.headers:
            raise answer.wrong("expected a request ID")
        if answer.status >= 400 and answer.body and not answer.slug:
            raise answer.wrong("expected a problem")
        if answer.status in BUSY and "retry-after" not in answer.headers:
            raise answer.wrong("advice expected when to ask again")
        if answer.status < 500 or answer.is_lost or (self.act == "failure" and answer.slug == "operation-failed"):
            return
        if answer.body and (answer.status, answer.slug) not in _ALLOWED:
            raise answer.wrong("an undocumented failure")

    def connection(self) -> http.client.HTTPConnection:
        """A new connection from the client's own address, by which the service tells clients apart."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(self.address, 0))

    def raw(self) -> socket.socket:
        """A connection of its own, for misbehaving clients."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE, (self.address, 0))

    def close(self) -> None:
        """Drops the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

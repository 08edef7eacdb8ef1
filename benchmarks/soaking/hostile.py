"""Clients that do not behave, beside the others: a flood, requests that never come to their end, calls that kill."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from soaking.asking import Tally

FLOODER: Final = "127.0.3.1"
STALLER: Final = "127.0.3.2"
POISONER: Final = "127.0.3.3"

_FLOOD_PAUSE: Final = 0.02
_STALLED: Final = 60
_SLACK: Final = 15.0  # seconds by which a stalled connection may be closed late: workers may be busy, or stopped
_POISON_EVERY: Final = 90.0
_POISON_ENDS: Final = 60.0


class Hostile:
    """Misbehaves until it is stopped."""

    def __init__(self, port: int, tally: Tally, *, header_time: float) -> None:
        self._port = port
        self._tally = tally
        self._header_time = header_time
        self._count = itertools.count()

    def flood(self, stopped: threading.Event) -> None:
        """Asks for slow products without end, each a new one, and waits for none."""
        while not stopped.wait(_FLOOD_PAUSE):
            query = f"/lab/slow?name=flood{next(self._count)}&seconds=3"
            status, _ = self._ask(FLOODER, query, Prefer="respond-async")
            if status:
                self._tally.act("flood", str(status))
            if status not in (0, 202, 429, 503):
                self._tally.wrong(f"the flood was answered with {status}")

    def stall(self, stopped: threading.Event) -> None:
        """Begins requests, and sends nothing more. The service has to close each connection in time."""
        half: dict[socket.socket, float] = {}
        while not stopped.wait(0.2):
            while len(half) < _STALLED:
                connection = socket.create_connection(("127.0.0.1", self._port), 10, (STALLER, 0))
                connection.sendall(
                    random.choice((b"GET /lab", b"GET /lab/square?n=1 HTTP/1.1\r\nHost: x\r\n", b"\r\n"))
                )
                half[connection] = time.monotonic()
            for connection in select.select(list(half), [], [], 0)[0]:
                self._tally.act("stall", _word(connection))
                connection.close()
                del half[connection]
            for connection, since in list(half.items()):
                if time.monotonic() - since > self._header_time + _SLACK:
                    self._tally.wrong("half of a request kept its connection")
                    connection.close()
                    del half[connection]
        for connection in half:
            connection.close()

    def poison(self, stopped: threading.Event) -> None:
        """Asks now and then for what kills its worker. After two deaths it has to be a failure, with the reason."""
        while not stopped.wait(_POISON_EVERY / 2):
            name = f"poison{next(self._count)}"
            end = time.monotonic() + _POISON_ENDS
            path, told = f"/lab/poison?name={name}", 0
            while time.monotonic() < end:
                status, body = self._ask(POISONER, path, Prefer="respond-async")
                if status == 202:
                    path = json.loads(body)["href"]
                elif status == 500:
                    told = status
                    break
                time.sleep(0.3)
            if not told:
                self._tally.wrong(f"{path} came to no end within {_POISON_ENDS:g} s")
            elif b"WorkerLostError" not in body:
                self._tally.wrong(f"{path} failed for another reason: {body[:300]!r}")
            self._tally.act("poison", "failed" if told else "endless")
            stopped.wait(_POISON_EVERY / 2)

    def acts(self) -> tuple[Callable[[threading.Event], None], ...]:
        """All of it, each for a thread of its own."""
        return self.flood, self.stall, self.poison

    def _ask(self, source: str, path: str, **headers: Any) -> tuple[int, bytes]:
        """Status and body of an answer over a connection of its own; 0 if that ended, as when its worker is killed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30, source_address=(source, 0))
        with contextlib.closing(connection):
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return 0, b""


def _word(connection: socket.socket) -> str:
    """How the service ended a connection."""
    with contextlib.suppress(OSError):
        told = connection.recv(1000)
        return told.split()[1].decode() if told else "closed"
    return "reset"

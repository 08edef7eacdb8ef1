"""Reload and stop lose nothing: who waits gets the answer or a ticket, and no connection breaks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil
import pytest

Service = Any  # RunningService of the conftest
CONNECTIONS = 50
NEVER_KEPT = """

@op
@expires(nocache)
@typemap(str, float)
@mime_type("text/plain")
def never(name: str, seconds: float) -> str:
    \"\"\"Takes its time, and is never kept.\"\"\"
    time.sleep(seconds)
    return name


__export__["never"] = never
"""


class Crowd:
    """Clients that keep their connections, and ask for something new each time."""

    def __init__(self, port: int, path: str, seconds: float) -> None:
        self._port, self._path = port, path
        self._seconds, self._end = seconds, time.monotonic() + seconds
        self.seen: Counter[int] = Counter()
        self.broken: list[str] = []

    async def run(self, hup: Callable[[], None]) -> None:
        """Asks until time is up, while ``hup`` is called twice."""
        clients = [asyncio.create_task(self._client(number)) for number in range(CONNECTIONS)]
        for part in (4, 2):
            while time.monotonic() < self._end - self._seconds * (1 - 1 / part):
                await asyncio.sleep(0.05)
            hup()
        await asyncio.gather(*clients)

    async def _client(self, number: int) -> None:
        count = 0
        while time.monotonic() < self._end:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                is_kept = True
                while is_kept and time.monotonic() < self._end:
                    count += 1
                    writer.write(
                        f"GET {self._path % (number * 100_000 + count)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                    )
                    status, is_kept = await self._answer(reader)
                    self.seen[status] += 1
            except (OSError, EOFError) as error:
                self.broken.append(repr(error))
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bool]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r")[0]))
        return int(head.split()[1]), "connection: close" not in head


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/lab/square?n=%d", {200}),
        ("/lab/slow?name=n%d&seconds=0.2", {200, 202}),
        ("/lab/never?name=n%d&seconds=0.1", {200}),
    ],
    ids=["fast", "slow", "never kept"],
)
def test_a_reload_under_fifty_connections_of_misses_loses_nothing(
    start_service: Callable[..., Service], path: str, expected: set[int]
) -> None:
    """Each request is answered with its result, or with a ticket where there are any; no connection breaks."""
    service = start_service(more=NEVER_KEPT)
    crowd = Crowd(int(service.url.rpartition(":")[2]), path, 5.0)
    asyncio.run(crowd.run(lambda: service.process.send_signal(signal.SIGHUP)))
    assert crowd.broken == []
    assert set(crowd.seen) <= expected
    assert crowd.seen[200] > CONNECTIONS


def test_a_worker_that_stops_answers_what_it_has_accepted(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Connections that come in the very moment of the signal are answered, by this worker or its successor."""
    service = start_service(workers=1)
    port = int(service.url.rpartition(":")[2])
    (pid,) = service.workers()
    for _ in range(3):
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
        for client in clients:
            client.sendall(b"GET /-/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 40
        for client in clients:
            client.close()
        (pid,) = wait_until(lambda pid=pid: (now := service.workers()) != [pid] and len(now) == 1 and now)


def last_answer(service: Service, path: str, **headers: str) -> tuple[int, bytes]:
    """What the only worker gives that a reload has asked to stop, over a connection that it promised to keep."""
    port = int(service.url.rpartition(":")[2])
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2)]
    with contextlib.closing(connections[0]), contextlib.closing(connections[1]):
        assert not any(_closes(each) for each in connections)
        service.process.send_signal(signal.SIGHUP)
        while not _closes(connections[0]):  # in turn, so that the other one was promised before
            connections.reverse()
            time.sleep(0.02)
        kept = connections[1]
        kept.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = kept.getresponse()
        assert answer.will_close
        return answer.status, answer.read()


def _closes(connection: http.client.HTTPConnection) -> bool:
    """Whether the worker closes a connection after the next answer on it."""
    connection.request("GET", "/-/livez")
    answer = connection.getresponse()
    answer.read()
    return answer.will_close


def test_a_worker_that_stops_promises_what_nobody_waits_for(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """It gives a ticket, another worker does the work, and the old one ends soon."""
    service = start_service(workers=1)
    (old,) = service.workers()
    status, body = last_answer(service, "/lab/square?n=12", Prefer="respond-async")
    assert status == 202
    href = json.loads(body)["href"]
    product = wait_until(lambda: (found := service.get(href)).status_code == 200 and found)
    assert product.json()["square"] == 144
    assert f"{old} square 12" not in service.runs()
    wait_until(lambda: old not in service.workers())


def test_a_service_that_reloads_is_ready(start_service: Callable[..., Service]) -> None:
    """A worker that stops has successors, so a balancer that asks it must not take the service out."""
    status, _ = last_answer(start_service(workers=1), "/-/readyz")
    assert status == 200


def test_events_of_a_worker_that_stops_end_without_an_error(start_service: Callable[..., Service]) -> None:
    """A client that opens them hears how things are, and asks again, elsewhere."""
    service = start_service(workers=1)
    href = service.get("/lab/slow?name=events&seconds=10", headers={"Prefer": "respond-async"}).json()["href"]
    status, body = last_answer(service, f"{href}/events")
    assert status == 200
    assert b"event: progress" in body

"""Limits of connections: time for requests, idle ones, how many there may be, and what happens without descriptors."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

Service = Any  # RunningService of the conftest
HEAD = b"GET /-/livez HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE = 40.0
"""Seconds, for a machine that does other things as well."""
NETWORK = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""


@contextlib.contextmanager
def connected(service: Service, count: int = 1, *, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """Connections to a service, from an address."""
    port = int(service.url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        made = [socket.create_connection(("127.0.0.1", port), 10, (source, 0)) for _ in range(count)]
        for each in made:
            stack.enter_context(contextlib.closing(each))
        yield made


def rest_of(client: socket.socket) -> bytes:
    """What comes until the service closes the connection; it fails if that does not happen."""
    client.settimeout(PATIENCE)
    told = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            told += part
    return told


def problem(answer: bytes) -> tuple[int, str]:
    """Status and kind of a problem, whose answer announces the end of its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["type"].rpartition("/")[2]


@pytest.fixture(scope="module")
def impatient(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker that gives its clients a second for everything."""
    times = dict.fromkeys(("header_time", "body_time", "stall_time"), "1s")
    place = tmp_path_factory.mktemp("impatient")
    running = launch_service(place, environ={"HOME": str(place)}, service={"workers": 1, **times})
    yield running
    running.stop()


@pytest.mark.parametrize("begun", [b"GET /-/li", HEAD + b"X-A: "], ids=["request line", "header"])
def test_a_request_that_does_not_come_to_its_end_is_a_408(impatient: Service, begun: bytes) -> None:
    """The head has its time as a whole: another letter now and then buys no more, and would go on for ever here."""
    started = time.monotonic()
    with connected(impatient) as (client,):
        client.sendall(begun)
        with contextlib.suppress(OSError):
            while time.monotonic() - started < PATIENCE:
                client.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    if client.recv(1, socket.MSG_PEEK):
                        break
                client.sendall(b"x")
        assert 1 <= time.monotonic() - started < PATIENCE
        assert problem(rest_of(client)) == (408, "request-timeout")


def test_a_connection_that_asks_nothing_is_closed(impatient: Service) -> None:
    """Without a word, since there is nothing to answer."""
    with connected(impatient) as (client,):
        assert rest_of(client) == b""


def test_a_body_that_does_not_come_is_a_408(impatient: Service) -> None:
    """The body has its own time."""
    head = (
        b"POST /lab/square HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    with connected(impatient) as (client,):
        client.sendall(head + b'{"n"')
        assert problem(rest_of(client)) == (408, "request-timeout")


def test_an_idle_connection_has_its_time(start_service: Callable[..., Service]) -> None:
    """And half of a next request does not end with it."""
    service = start_service(workers=1, keep_alive="1s")
    with connected(service, 2) as (idle, busy):
        for client in (idle, busy):
            client.sendall(HEAD + b"\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        busy.sendall(HEAD)
        assert rest_of(idle) == b""
        busy.sendall(b"Connection: close\r\n\r\n")
        assert rest_of(busy).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_is_dropped(impatient: Service, wait_until: Callable[..., Any]) -> None:
    """It would hold its connection and the buffers of its answer."""
    assert impatient.get("/lab/files/document?size=50000000").status_code == 200
    (worker,) = (psutil.Process(pid) for pid in impatient.workers())

    def established() -> int:
        return sum(each.status == psutil.CONN_ESTABLISHED for each in worker.net_connections("inet"))

    wait_until(lambda: established() == 0)  # those of other tests
    with connected(impatient) as (client,):
        client.sendall(b"GET /lab/files/document?size=50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: established() == 1)
        wait_until(lambda: established() == 0)


def test_a_new_connection_takes_the_place_of_an_idle_one(start_service: Callable[..., Service]) -> None:
    """The one that has been idle for longest; connections with a request under way stay."""
    service = start_service(workers=1, max_connections=5, keep_alive="60s")
    with connected(service, 4) as clients:
        for client in clients:
            client.sendall(HEAD + b"\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert [service.get("/-/livez").status_code for _ in range(3)] == [200] * 3
        with connected(service, 2) as others:
            assert rest_of(clients[0]) == b""
            others[0].sendall(HEAD + b"\r\n")
            assert others[0].recv(4096).startswith(b"HTTP/1.1 200")


def test_a_connection_beyond_the_limit_is_a_503(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Where all others are in use, be they of the same client; with advice when to ask again, and later answered."""
    service = start_service(workers=1, max_connections=5, client_share=100)
    for source in ("127.0.0.1", NETWORK):
        with connected(service, 5, source=source) as clients:
            for client in clients:
                client.sendall(HEAD)
            with connected(service, source=source) as (late,):
                late.sendall(HEAD + b"\r\n")
                answer = rest_of(late)
                assert problem(answer) == (503, "busy")
                assert b"Retry-After: " in answer
        wait_until(lambda: service.get("/-/livez").status_code == 200)
    assert service.log.count("connections are refused") == 1


def test_one_client_leaves_connections_to_others(start_service: Callable[..., Service]) -> None:
    """Its share of them; what it has beyond that is a 429. Addresses of trusted proxies are those of many."""
    service = start_service(workers=1, max_connections=10)
    with connected(service, 8, source=NETWORK) as mine:
        for each in mine:
            each.sendall(HEAD)
        with connected(service, source=NETWORK) as (beyond,):
            beyond.sendall(HEAD + b"\r\n")
            assert problem(rest_of(beyond)) == (429, "too-many-requests")
        with connected(service, source="127.0.0.3") as (other,):
            other.sendall(HEAD + b"Connection: close\r\n\r\n")
            assert rest_of(other).startswith(b"HTTP/1.1 200")


def test_a_worker_without_descriptors_recovers_and_floods_no_log(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Connections wait until it can accept them; it says so once, however often it tries."""
    service = start_service(workers=1)
    (pid,) = service.workers()
    before = len(service.log.splitlines())
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with connected(service, 30) as clients:
        for client in clients:
            client.sendall(HEAD)
        wait_until(lambda: psutil.Process(pid).num_fds() >= 30)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (psutil.Process(pid).num_fds(), hard))
        with connected(service, 5) as late:
            for client in late:
                client.sendall(HEAD + b"Connection: close\r\n\r\n")
            wait_until(lambda: "can't be accepted" in service.log)
            later = time.monotonic() + 2.5
            wait_until(lambda: time.monotonic() > later, what="more attempts")
            for client in clients:
                client.close()
            assert [rest_of(client)[:12] for client in late] == [b"HTTP/1.1 200"] * 5
    assert len(service.log.splitlines()) - before <= 2
    assert "Traceback" not in service.log

"""Crowds: those who wait or listen cost those nothing who ask for what is kept; the exact ratios are `make bench`'s."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

Service = Any  # RunningService of the conftest


def typical(url: str, count: int = 200) -> float:
    """Milliseconds that half of the requests stay below, over one connection: other programs disturb the slow half."""
    took = []
    with requests.Session() as session:
        for _ in range(count):
            started = time.perf_counter()
            assert session.get(url, timeout=10).status_code == 200
            took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


async def beside(
    service: Service, paths: list[str], arrived: Callable[[], object], measure: Callable[[], float]
) -> float:
    """What ``measure`` gives while all ``paths`` are being asked for, once ``arrived`` has seen that they are."""
    port = int(service.url.rpartition(":")[2])
    writers = []
    for path in paths:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await writer.drain()
        writers.append(writer)
    try:
        await asyncio.to_thread(arrived)
        return await asyncio.to_thread(measure)
    finally:
        for writer in writers:
            writer.close()


def test_a_crowd_that_waits_and_listens_does_not_slow_what_is_kept(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """With 200 waiting requests and 50 event streams a hit takes about as long as without them."""
    service = start_service(workers=1, wait="60s", grace="1s")
    hit = f"{service.url}/lab/square?n=7"
    typical(hit)
    idle = min(typical(hit) for _ in range(3))
    slow = "/lab/slow?name=crowd&seconds=25"
    href = service.get(slow, headers={"Prefer": "respond-async"}).json()["href"]
    paths = [slow] * 200 + [f"{href}/events"] * 50

    def arrived() -> object:
        return wait_until(lambda: all(service.count(f"rave_{name}") == n for name, n in crowd.items()), what="a crowd")

    crowd = {"waiting_requests": 200, "event_streams": 50}
    busy = asyncio.run(beside(service, paths, arrived, lambda: min(typical(hit) for _ in range(3))))
    assert busy < 4 * idle + 5  # a machine that does other things as well makes both of them slow, now and then
    assert len(service.runs("slow crowd")) == 1


async def statuses(service: Service, paths: list[str], *headers: str) -> list[tuple[int, bool]]:
    """The status of each path, all asked for at once by connections of their own, and whether it advises a wait."""
    port = int(service.url.rpartition(":")[2])
    lines = "".join(f"{each}\r\n" for each in ("Host: localhost", "Connection: close", *headers))

    async def ask(path: str) -> tuple[int, bool]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = await reader.read()
        writer.close()
        head = answer.partition(b"\r\n\r\n")[0].lower()
        return int(head.split(b" ", 2)[1]), b"\r\nretry-after: " in head

    return list(await asyncio.gather(*map(ask, paths)))


def test_a_flood_of_cold_keys_is_answered_or_refused_in_good_order(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Of 1,000 keys at once, each is computed, promised, or refused with advice; nothing else comes of it."""
    service = start_service(workers=2, queue=100, wait="2s")
    paths = [f"/lab/slow?name=flood{n}&seconds=0.1" for n in range(1000)]
    found = asyncio.run(statuses(service, paths))
    seen = Counter(status for status, _ in found)
    assert set(seen) <= {200, 202, 429}
    assert all(advises for status, advises in found if status in (202, 429))
    assert seen[429] > 0
    assert seen[200] + seen[202] >= 100
    wait_until(lambda: service.get("/lab/square?n=1").status_code == 200, what="what was accepted")


def test_one_client_does_not_take_what_others_need(start_service: Callable[..., Service]) -> None:
    """It fills its share of places and queue with what does not end; jobs of another one do, and its hits are fast."""
    service = start_service(workers=1, grace="1s")
    port = int(service.url.rpartition(":")[2])
    hit = f"{service.url}/lab/square?n=7"
    typical(hit)
    quiet = min(typical(hit) for _ in range(3))

    def flood(first: int) -> list[int]:
        found = []
        for number in range(first, first + 120):
            client = http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.2", 0))
            with contextlib.closing(client):
                client.request("GET", f"/lab/gated?name=n{number}", headers={"Prefer": "respond-async"})
                found.append(client.getresponse().status)
        return found

    assert set(flood(0)) == {202, 429}
    assert [service.get(f"/lab/square?n={n}").status_code for n in range(100, 103)] == [200] * 3
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood, 1000)
        busy = min(typical(hit) for _ in range(3))
        assert set(flooding.result()) == {429}
    assert busy < 3 * quiet + 5  # milliseconds, for a machine that does other things as well


def test_one_client_leaves_event_streams_to_others(start_service: Callable[..., Service]) -> None:
    """Its share of them; a further one is a 429."""
    service = start_service(workers=1, max_events=5, grace="1s")
    href = service.get("/lab/slow?name=followed&seconds=20", headers={"Prefer": "respond-async"}).json()["href"]
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(requests.get(f"{service.url}{href}/events", stream=True, timeout=10)) for _ in range(5)
        ]
        assert [answer.status_code for answer in opened] == [200] * 4 + [429]
        assert opened[-1].headers["Retry-After"]
        port = int(service.url.rpartition(":")[2])
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.2", 0))
        ) as other:
            other.request("GET", f"{href}/events")
            assert other.getresponse().status == 200


def test_what_one_client_stores_is_limited(start_service: Callable[..., Service]) -> None:
    """Beyond that its jobs are refused for a while; what is kept is given, and others are served."""
    service = start_service(workers=1, client_bytes="100kB")
    assert service.get("/lab/files/document?size=200000").status_code == 200
    refused = service.get("/lab/square?n=1")
    assert (refused.status_code, refused.json()["type"]) == (429, "/-/problems/too-many-requests")
    assert int(refused.headers["Retry-After"]) > 60
    assert service.get("/lab/files/document?size=200000").status_code == 200
    port = int(service.url.rpartition(":")[2])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.2", 0))) as other:
        other.request("GET", "/lab/square?n=1")
        assert other.getresponse().status == 200


def test_clients_that_stall_do_not_hold_up_others(start_service: Callable[..., Service]) -> None:
    """Half requests, and a client that reads nothing of a large product, leave the rest alone."""
    service = start_service(workers=1)
    host, port = "127.0.0.1", int(service.url.rpartition(":")[2])
    stalled = [socket.create_connection((host, port)) for _ in range(50)]
    for number, connection in enumerate(stalled):
        rest = "/lab/files/document?size=30000000 HTTP/1.1\r\nHost: x\r\n\r\n" if number % 2 else "/lab/square?n="
        connection.sendall(f"GET {rest}".encode())
    time.sleep(0.2)  # nothing tells that they have arrived
    assert [service.get(f"/lab/square?n={n}").status_code for n in range(20)] == [200] * 20
    for connection in stalled:
        connection.close()


def test_a_herd_on_an_expired_key_costs_one_run(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """While a stale result is made anew, all get it at once, and it is made at most once for each time it expires."""
    service = start_service(workers=1)
    made = float(service.get("/lab/brief?name=herd").text.split()[1])
    wait_until(lambda: time.time() > made + 1.1, what="its end")
    started = time.monotonic()
    found = asyncio.run(statuses(service, ["/lab/brief?name=herd"] * 300))
    took = time.monotonic() - started
    assert {status for status, _ in found} == {200}
    wait_until(lambda: len(service.runs("brief herd")) >= 2, what="the refresh behind them")
    assert len(service.runs("brief herd")) <= 3 + int(took)  # it is good for a second

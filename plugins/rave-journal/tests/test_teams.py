"""Many clients, several workers, two services on one database: one winner, no gaps, and nothing is lost."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import psutil
import pytest

CLIENTS, ROUNDS = 16, 10
BASE = "/-/journal"


@pytest.fixture(scope="module")
def url(postgres: Any) -> str:
    """The store that they share."""
    return str(postgres.new_database())


@pytest.fixture(scope="module")
def pair(url: str, launch_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """Two services, as on two hosts, on one PostgreSQL."""
    with ThreadPoolExecutor() as pool:
        places = [tmp_path_factory.mktemp(name) for name in ("north", "south")]
        running = list(pool.map(lambda place: launch_service(place, documents=url), places))
    yield running
    for each in running:
        each.stop()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_of_sixteen_commits_of_one_version_one_wins(store: str, request: pytest.FixtureRequest) -> None:
    """In two workers, or two services; ten times in a row, and the history has no gap."""
    services = [request.getfixturevalue("service")] if store == "sqlite" else request.getfixturevalue("pair")
    with ThreadPoolExecutor(CLIENTS) as pool:
        for version in range(1, ROUNDS + 1):

            def commit(place: tuple[int, Any], version: int = version) -> int:
                number, service = place
                return int(service.commit(f"{BASE}/race/{version}", f"by {number}".encode()).status_code)

            statuses = Counter(pool.map(commit, zip(range(CLIENTS), cycle(services), strict=False)))
            assert statuses == {200: 1, 409: CLIENTS - 1}
    history = [services[-1].get(f"{BASE}/race/{version}/meta") for version in range(1, ROUNDS + 2)]
    assert [each.status_code for each in history] == [200] * ROUNDS + [404]
    assert [each.json()["version"] for each in history[:-1]] == list(range(1, ROUNDS + 1))


def test_a_commit_shows_in_the_other_service_s_memory(pair: list[Any], postgres: Any, wait_until: Any) -> None:
    """Within two seconds; also after the database was away, when reads from memory went on, and said how late."""
    north, south = pair
    for service in pair:
        service.get(BASE)

    def seen(payload: bytes) -> bool:
        found = south.get(f"{BASE}/shared")
        return found.content == payload and found.headers.get("X-Rainer-Cached") == "Yes"

    assert north.commit(f"{BASE}/shared/1", b"one").status_code == 200
    wait_until(lambda: seen(b"one"), seconds=10, what="the commit")
    postgres.stop()
    wait_until(lambda: "Age" in south.get(f"{BASE}/shared").headers, what="the trouble")
    assert seen(b"one")
    away = south.get(f"{BASE}/shared/1")
    assert (away.status_code, "Retry-After" in away.headers) == (503, True)
    postgres.start()
    wait_until(lambda: north.commit(f"{BASE}/shared/2", b"two").status_code == 200, what="the second commit")
    wait_until(lambda: seen(b"two"), what="the commit after the restart")
    assert north.commit(f"{BASE}/shared/3", b"three").status_code == 200
    wait_until(lambda: seen(b"three"), seconds=10, what="the commit after that")


def test_a_ticket_outlives_a_kill_and_a_commit(
    pair: list[Any], url: str, launch_service: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    """It gives the result of the version that it was asked with. A commit just before the kill is there, everywhere."""
    killed, south = pair
    place = killed.place
    killed.commit(f"{BASE}/cfg/1", b'{"factor": 2, "slow": true}')
    unknown = killed.get("/lab/scaled?config=cfx&n=1")
    assert (unknown.status_code, "no document 'cfx'" in unknown.json()["detail"]) == (400, True)
    ticket = killed.get("/lab/scaled?config=cfg&n=10", headers={"Prefer": "respond-async"})
    assert ticket.status_code == 202
    wait_until(lambda: (place / "runs.log").exists(), what="the body")
    killed.commit(f"{BASE}/cfg/2", b'{"factor": 5}')
    newest = killed.get("/lab/scaled?config=cfg&n=10")
    assert (newest.text, newest.headers["Cache-Control"]) == ("cfg@2: 50", "private, no-cache")
    killed.commit(f"{BASE}/sites/1", b"north\n")
    assert killed.get("/lab/of_site?site=north").text == "north"
    assert killed.get("/lab/of_site?site=south").status_code == 400
    family = psutil.Process(killed.process.pid).children(recursive=True)
    try:
        assert killed.commit(f"{BASE}/killed/1", b"still here").status_code == 200
    finally:
        killed.stop(signal.SIGKILL)
        for each in family:
            each.kill()
        psutil.wait_procs(family, timeout=10)
    wait_until(lambda: south.get(f"{BASE}/killed").content == b"still here", seconds=10, what="the commit")
    (place / "gate").touch()
    again = pair[0] = launch_service(place, documents=url)
    found = wait_until(lambda: (got := again.get(ticket.json()["href"])).status_code == 200 and got, what="the product")
    assert found.text == "cfg@1: 20"
    assert again.get("/lab/scaled?config=cfg@1&n=10").text == "cfg@1: 20"
    assert (place / "runs.log").read_text().splitlines() == ["cfg@1 10", "cfg@2 10", "cfg@1 10"]
    assert again.get(f"{BASE}/killed/1").content == b"still here"

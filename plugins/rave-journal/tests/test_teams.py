"""Many clients, several workers, two services on one database: one winner, no gaps, and nothing is lost."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

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


def test_a_commit_outlives_a_service_that_is_killed(
    pair: list[Any], url: str, launch_service: Callable[..., Any], tmp_path: Path, wait_until: Any
) -> None:
    """At once after the answer; the other service shows it."""
    killed, (_, south) = launch_service(tmp_path, documents=url), pair
    before = south.get(f"{BASE}/killed")
    assert before.status_code == 404
    try:
        assert killed.commit(f"{BASE}/killed/1", b"still here").status_code == 200
    finally:
        killed.stop(signal.SIGKILL)
    wait_until(lambda: south.get(f"{BASE}/killed").content == b"still here", seconds=10, what="the commit")

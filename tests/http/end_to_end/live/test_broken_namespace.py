"""A broken namespace, and workers that start while it is: every one of them serves the last good code (R18)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest
EVERYTHING = ["view", "run", "refresh", "purge", "reload", "metrics", "debug"]
SERVES = "ASGI server listening"


def edit(service: Service, old: str, new: str) -> None:
    """Changes the code of the namespace."""
    path = service.place / "lab" / "__init__.py"
    path.write_text(path.read_text().replace(old, new))


def answered(service: Service, path: str) -> requests.Response | None:
    """An answer over a connection of its own; ``None`` where the worker that it came to was killed."""
    try:
        return requests.get(f"{service.url}{path}", timeout=10)
    except requests.ConnectionError:
        return None


def states(service: Service, count: int = 2) -> list[dict[str, Any]]:
    """How the namespace is doing in each of ``count`` workers; empty if not all were met."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}  # by moments, in which workers differ: at least in one of the two
    for _ in range(60):
        answer = answered(service, "/-/namespaces")
        told = answer.json()["namespaces"] if answer is not None else []
        found |= {(each["loaded"], each["failed"]): each for each in told if each["name"] == "lab"}
        if len(found) == count:
            return list(found.values())
    return []


def is_broken(service: Service, count: int = 2) -> bool:
    """Whether all workers say so."""
    found = states(service, count)
    return bool(found) and all(each["error"] for each in found)


def squares(service: Service, n: int) -> set[Any]:
    """What is answered, however many workers there are."""
    answers = [answered(service, f"/lab/square?n={n}") for _ in range(20)]
    return {each.json().get("square", each.text) for each in answers if each is not None}


@contextmanager
def asked_all_the_time(service: Service, path: str) -> Iterator[set[tuple[int, str]]]:
    """The answers, status and text, that somebody gets who asks again and again during the block."""
    ended, got = threading.Event(), set[tuple[int, str]]()

    def ask() -> None:
        while not ended.is_set():
            if (answer := answered(service, path)) is not None:
                got.add((answer.status_code, answer.text))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield got
    finally:
        ended.set()
        asker.join()


def kill(service: Service) -> None:
    """Kills a worker, which is replaced."""
    os.kill(service.workers()[0], signal.SIGKILL)


def reload(service: Service) -> None:
    """Replaces all workers."""
    service.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize(("start_others", "others"), [(kill, 1), (reload, 2)])
def test_workers_that_start_while_it_is_broken_serve_what_the_others_do(
    start_service: Callable[..., Service],
    wait_until: Callable[..., Any],
    start_others: Callable[[Service], None],
    others: int,
) -> None:
    """No request gets anything else; what was kept is a hit; all say what is wrong, and take the mended code."""
    service = start_service(anonymous=EVERYTHING)
    service.session.close()  # or its connection would be waited for
    edit(service, "n * n}", "n * n * n}")
    wait_until(lambda: squares(service, 6) == {216})
    runs, log = service.runs("square 6"), service.log
    with asked_all_the_time(service, "/lab/square?n=6") as got:
        edit(service, "n * n * n}", "n * }")
        wait_until(lambda: is_broken(service), seconds=45)
        before = service.workers()
        start_others(service)
        wait_until(lambda: service.log.count(SERVES) == log.count(SERVES) + others, seconds=30)
        wait_until(lambda: len(set(before) - set(service.workers())) == others, seconds=30)
        found = wait_until(lambda: states(service))
        assert squares(service, 7) == {343}
    assert got == {(200, '{"n":6,"square":216}')}
    assert service.runs("square 6") == runs
    (error,) = {state["error"] for state in found}
    assert f"SyntaxError: invalid syntax ({service.place}/lab/__init__.py, line" in error
    assert all(state["generation"] and state["failed"] for state in found)
    assert len({tuple(state["operations"]) for state in found}) == 1
    assert "its change is not loaded, and the previous code keeps serving" in service.log
    ready = lambda: (requests.get(f"{service.url}/-/readyz", timeout=10).json() for _ in range(20))  # noqa: E731  # short
    for each in ready():
        assert (each["degraded"], each["parts"]["namespace lab"]) == (["namespace lab"], error)
    edit(service, "n * }", "n + n}")
    wait_until(lambda: squares(service, 6) == {12})
    wait_until(lambda: not any(each["degraded"] for each in ready()))


def test_a_further_worker_and_a_service_that_starts_anew(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """The one has what the others have; the other knows of no code before, so there is nothing to be served."""
    service = start_service(workers=1, anonymous=EVERYTHING)
    edit(service, "n * n}", "n * }")
    wait_until(lambda: is_broken(service, 1))
    service.process.send_signal(signal.SIGTTIN)
    wait_until(lambda: is_broken(service, 2))
    assert squares(service, 8) == {64}
    service.stop()
    service = start_service(workers=1, anonymous=EVERYTHING)
    assert service.get("/lab/square?n=8").status_code == 404
    (state,) = states(service, 1)
    assert (state["generation"], state["operations"]) == (0, [])
    assert "SyntaxError" in state["error"]
    edit(service, "n * }", "n * n}")
    wait_until(lambda: squares(service, 8) == {64})

"""A body that takes its worker along is not run for ever, and one that failed is not run for being looked at."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest

LAB = """\
import os, signal, time
from pathlib import Path
from rave_core import op, typemap

LOG = Path(__file__).parents[1] / "runs.log"


def ran(what):
    with LOG.open("a") as file:
        file.write(what + "\\n")


@op
@typemap(int)
def poison(n):
    ran(f"poison {n}")
    while not LOG.with_name("go").exists():
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


@op
@typemap(int)
def at_once(n):
    ran(f"at once {n}")
    os.kill(os.getpid(), signal.SIGKILL)


@op
@typemap(int)
def bystander(n):
    ran(f"bystander {n}")
    while not LOG.with_name("go").exists():
        time.sleep(0.02)
    for _ in range(3):
        time.sleep(0.2)
    return n


@op
@typemap(int)
def fails(n):
    ran(f"fails {n}")
    raise RuntimeError(n)


@op
@typemap(int)
def fails_late(n):
    ran(f"late {n}")
    while not LOG.with_name("go").exists():
        time.sleep(0.02)
    raise RuntimeError(n)


__export__ = {"poison": poison, "at_once": at_once, "bystander": bystander, "fails": fails, "fails_late": fails_late}
"""


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").write_text(LAB)
    return tmp_path


def status(service: Service, ticket: str) -> int:
    """Of a ticket; 0 where the connection is cut by the death of its worker."""
    try:
        return int(service.get(ticket).status_code)
    except requests.ConnectionError:
        return 0


def test_a_body_that_ends_its_worker_is_run_twice(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Then its ticket has failed, with the reason; so also after a restart, where nothing is run again."""
    service = start_service(workers=2)
    ticket = service.get("/lab/poison?n=1", headers={"Prefer": "respond-async"}).headers["Location"]
    (lab / "go").touch()  # not before the ticket is here: it would go down with its worker
    wait_until(lambda: status(service, ticket) == 500, seconds=60, what="the failure")
    told = service.get(ticket).json()
    assert told.get("exception", {}).get("class") == "WorkerLostError", (told, service.log)
    assert len(service.runs("poison 1")) == 2
    service.stop()
    again = start_service(workers=2)
    assert [status(again, ticket) for _ in range(10)] == [500] * 10
    assert len(again.runs("poison 1")) == 2


def test_a_body_that_ends_its_worker_at_once_is_run_twice(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Its ticket is written before it begins, even if its first answer goes down with the worker."""
    service = start_service(workers=2)
    for n in (1, 2):
        asked = [f"/lab/at_once?n={n}"]

        def has_failed(asked: list[str] = asked) -> bool:
            try:
                answer = service.get(asked[-1], headers={"Prefer": "respond-async"})
            except requests.ConnectionError:
                return False
            asked.append(answer.headers.get("Location", asked[-1]))
            return bool(answer.status_code == 500)

        wait_until(has_failed, what="the failure")
        assert len(service.runs(f"at once {n}")) == 2


def test_those_beside_it_do_not_fail_with_it(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """After a death nobody knows whose fault it was, so those that ran then run again one at a time."""
    service = start_service(workers=1, client_share=100)
    paths = ["/lab/poison?n=2", *(f"/lab/bystander?n={n}" for n in range(3))]
    tickets = [service.get(path, headers={"Prefer": "respond-async"}).headers["Location"] for path in paths]
    wait_until(lambda: len(service.runs()) == 4, what="the start of all four")
    (lab / "go").touch()
    expected = [500, 200, 200, 200]
    wait_until(lambda: [status(service, each) for each in tickets] == expected, what="an answer for each")
    assert len(service.runs("poison 2")) == 2
    assert len(service.runs("bystander")) == 6


def test_looking_at_failed_tickets_runs_nothing(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Whichever worker is asked, at whatever moment, for longer than a failure is remembered."""
    service = start_service(workers=3, failure_time=1)
    asked = [service.get(f"/lab/fails?n={n}", headers={"Prefer": "respond-async"}) for n in range(6)]
    tickets = [answer.headers["Location"] for answer in asked if answer.status_code == 202]
    seen: set[str] = set()

    def have_failed() -> bool:
        for ticket in tickets:
            found = status(service, ticket)
            assert found == 500 or ticket not in seen
            if found == 500:
                seen.add(ticket)
        return seen == set(tickets)

    wait_until(have_failed, what="the failure of each")
    forgotten = time.monotonic() + 2
    while time.monotonic() < forgotten:
        assert have_failed()
    assert len(service.runs("fails")) == 6


def test_what_failed_in_one_worker_is_not_run_by_another(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Neither for plain requests that waited there for the result, nor for those that come a moment later."""
    service = start_service(workers=3, failure_time=60)
    ask = lambda _: requests.get(f"{service.url}/lab/fails_late?n=1", timeout=40)  # noqa: E731  # over a new connection
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(ask, n) for n in range(12)]
        wait_until(lambda: service.runs("late 1"), what="the first run")
        (lab / "go").touch()
        answers = [each.result() for each in waiting] + list(pool.map(ask, range(12)))
    assert {(each.status_code, each.json()["detail"]) for each in answers} == {(500, "RuntimeError: 1")}
    assert len(service.runs("late 1")) == 1


def test_what_failed_elsewhere_while_it_waited_for_its_turn_is_not_run_again(
    lab: Path, start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Another worker took it over for a client that looked, and its failure counts for the worker that queued it."""
    service = start_service(workers=2, threads=1)
    with requests.Session() as one:  # of one worker
        one.headers["Prefer"] = "respond-async"
        one.get(f"{service.url}/lab/bystander?n=7", timeout=10)
        ticket = one.get(f"{service.url}/lab/fails?n=7", timeout=10).headers["Location"]
        wait_until(lambda: status(service, ticket) == 500, what="the failure in the other worker")
        assert len(service.runs("fails 7")) == 1
        (lab / "go").touch()
        last = one.get(f"{service.url}/lab/bystander?n=8", headers={"Prefer": "wait=30"}, timeout=40)
        assert last.status_code == 200  # after its turn, which came before
    assert (status(service, ticket), len(service.runs("fails 7"))) == (500, 1)

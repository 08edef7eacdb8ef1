"""Jobs are stopped, whichever worker has them and wherever their bodies run; what is said of them afterwards."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.http.end_to_end.live.job_lab import (
    ANN,
    Start,
    Wait,
    is_silent,
    jobs,
    leases,
    let_end,
    making,
    shown,
    starts,
    status,
    stop,
    ticket_for,
)


@pytest.mark.parametrize("operation", ["deaf", "writing"])
def test_a_body_in_a_child_process_is_ended(operation: str, start_jobs: Start, wait_until: Wait) -> None:
    """Whatever it does. Its ticket then says by whom, in every worker; nothing is left of it."""
    service = start_jobs(executor="processes")
    ticket = ticket_for(service, f"{operation}?n=1")
    starts(service, f"{operation} 1", wait_until)
    assert stop(service, ticket) == "ended"
    assert is_silent(service, f"{operation} 1")
    [problem] = shown(service, ticket)
    assert (problem["status"], problem["by"], problem["operation"]) == (409, "ann", f"/lab/{operation}")
    assert problem["type"] == "/-/problems/cancelled"
    assert not leases(service)
    assert not [path for path in (service.place / "products").rglob("*.txt") if path.is_file()]


@pytest.mark.parametrize(("operation", "mark"), [("reporting", "reporting 2"), ("calling", "step_of 300")])
def test_a_body_in_a_thread_ends_when_it_looks(operation: str, mark: str, start_jobs: Start, wait_until: Wait) -> None:
    """That is where it reports progress or calls an operation that has to run. No handler of exceptions hides that."""
    service = start_jobs()
    ticket = ticket_for(service, f"{operation}?n={mark.split()[1][0]}")
    starts(service, mark, wait_until)
    assert stop(service, ticket) == "ended"
    assert is_silent(service, mark)
    assert not service.runs("caught")
    assert operation == "calling" or service.runs("cleaned up 2")
    assert shown(service, ticket, status) == [409]
    assert not leases(service)


def test_a_coroutine_is_cancelled(start_jobs: Start, wait_until: Wait) -> None:
    """At whatever it waits for."""
    service = start_jobs()
    ticket = ticket_for(service, "dreaming?n=3")
    wait_until(lambda: making(service, ticket), what="the start")
    assert stop(service, ticket) == "ended"
    assert service.runs("woken")
    assert shown(service, ticket, status) == [409]


def test_a_body_that_looks_at_nothing_is_asked(start_jobs: Start, wait_until: Wait) -> None:
    """It runs to its end in its thread, but nobody waits for it, and its result is dropped."""
    service = start_jobs()
    ticket = ticket_for(service, "deaf?n=4")
    starts(service, "deaf 4", wait_until)
    assert stop(service, ticket) == "asked"
    assert shown(service, ticket, status) == [409]
    let_end(service, "deaf 4")
    wait_until(lambda: is_silent(service, "deaf 4"), what="its end")
    assert shown(service, ticket, status) == [409]
    assert not leases(service)


def test_a_queued_job_never_runs(start_jobs: Start, wait_until: Wait) -> None:
    """It takes no place, and those before and after it go on."""
    service = start_jobs(workers=1, threads=1)
    first, second, third = (ticket_for(service, f"deaf?n={n}") for n in (5, 6, 7))
    starts(service, "deaf 5", wait_until)
    assert shown(service, second, lambda answer: answer.json()["status"]) == ["queued"]
    assert stop(service, second) == "ended"
    for n, ticket in ((5, first), (7, third)):
        let_end(service, f"deaf {n}")
        wait_until(lambda ticket=ticket: status(service.get(ticket)) == 200, what="the others")
    assert not service.runs("deaf 6")
    assert shown(service, second, status) == [409]


def test_what_was_cancelled_can_be_asked_again(start_jobs: Start, wait_until: Wait) -> None:
    """At once, by the same URL of a ticket; that says when it was asked this time."""
    service = start_jobs(executor="processes")
    ticket = ticket_for(service, "deaf?n=8")
    created = service.get(ticket, headers=ANN).json()["created"]
    starts(service, "deaf 8", wait_until)
    assert stop(service, ticket) == "ended"
    assert ticket_for(service, "deaf?n=8") == ticket
    assert service.get(ticket, headers=ANN).json()["created"] > created
    let_end(service, "deaf 8")
    wait_until(lambda: status(service.get(ticket)) == 200, what="the product")


def test_there_is_no_job_of_what_is_ready(start_jobs: Start) -> None:
    """Nor of what nobody asked for; and no other method applies."""
    service = start_jobs()
    key = service.get("/lab/square?n=3").headers["Content-Location"]
    for path in (f"{key}/job", f"{key[:-5]}AAAAA/job"):
        assert status(service.ask("DELETE", path)) == 404
    assert service.get(f"{key}/job").headers["Allow"] == "DELETE, OPTIONS"
    assert status(service.get(key)) == 200


def test_a_request_that_waits_for_a_cancelled_job_is_told(start_jobs: Start, wait_until: Wait) -> None:
    """And so is a stream of its events, which ends with that."""
    service = start_jobs()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(requests.get, f"{service.url}/lab/reporting?n=9", headers=ANN, timeout=30)
        starts(service, "reporting 9", wait_until)
        [job] = jobs(service, ANN)
        events = pool.submit(requests.get, f"{service.url}{job['links']['events']}", headers=ANN, timeout=30)
        wait_until(lambda: service.count("rave_event_streams") == 1, what="the stream")
        assert stop(service, job["links"]["product"]) == "ended"
        assert waiting.result().json()["by"] == "ann"
        text = events.result().text
    last = text.strip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: failed"
    assert json.loads(last[1].removeprefix("data: "))["type"] == "/-/problems/cancelled"
    assert shown(service, job["links"]["meta"], lambda answer: answer.json()["status"]) == ["cancelled"]


def test_cancelled_jobs_are_counted_apart(start_jobs: Start, wait_until: Wait) -> None:
    """They are no failures."""
    service = start_jobs()
    cancelled = 'rave_computations_cancelled_total{operation="lab/reporting"}'
    before = service.count(cancelled)
    ticket = ticket_for(service, "reporting?n=10")
    starts(service, "reporting 10", wait_until)
    stop(service, ticket)
    wait_until(lambda: service.count(cancelled) == before + 1, what="the count")
    assert service.count('rave_computations_failed_total{operation="lab/reporting"}') == 0.0

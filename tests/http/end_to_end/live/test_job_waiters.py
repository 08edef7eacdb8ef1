"""Jobs that others wait for go on; every worker shows the same of them, to those who may see it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from rave_core.reloading.generations import DIRECTORIES
from tests.http.end_to_end.live.job_lab import (
    ANN,
    BOB,
    CARL,
    EVE,
    PERMISSIONS,
    Start,
    Wait,
    is_silent,
    jobs,
    let_end,
    making,
    shown,
    starts,
    status,
    stop,
    ticket_for,
)


def test_a_job_that_others_wait_for_is_left(start_jobs: Start, wait_until: Wait) -> None:
    """Whichever worker they asked. The last of them ends it."""
    service = start_jobs()
    ticket = ticket_for(service, "reporting?n=11")
    starts(service, "reporting 11", wait_until)
    for _ in range(4):
        assert ticket_for(service, "reporting?n=11", BOB) == ticket
    assert stop(service, ticket, ANN) == "left"
    assert not is_silent(service, "reporting 11")
    assert [job["user"] for job in jobs(service, BOB)] == ["ann"]
    assert stop(service, ticket, BOB) == "ended"
    assert [each["by"] for each in shown(service, ticket)] == ["bob"]
    assert len({line.split()[0] for line in service.runs("reporting 11")}) == 1


def test_who_follows_a_ticket_of_another_waits_for_it(start_jobs: Start, wait_until: Wait) -> None:
    """A colleague who was sent the URL loses nothing."""
    service = start_jobs()
    ticket = ticket_for(service, "reporting?n=12")
    starts(service, "reporting 12", wait_until)
    assert status(service.get(ticket, headers=BOB)) == 202
    assert stop(service, ticket, ANN) == "left"
    assert stop(service, ticket, BOB) == "ended"


CALLER = f"""
import sys
from importlib import import_module
from pathlib import Path
from rave_core import Runtime, Settings, using
from rave_core.reloading.generations import loading

place = Path(sys.argv[1])
with using(Runtime(Settings(cache=[f"file://{{place}}/data"], products=[f"file://{{place}}/products"]))):
    with loading("lab", str(place / "lab")) as generation:
        generation.load()
        generation.take_over()
    lab = import_module("{DIRECTORIES}.lab")
    print("calls", flush=True)
    print(lab.deaf(13), flush=True)
"""


def test_a_python_program_that_waits_for_the_same_gets_its_answer(start_jobs: Start, wait_until: Wait) -> None:
    """It takes over what the service stopped, so the service says that others wait; then the ticket gives theirs."""
    service = start_jobs(executor="processes")
    ticket = ticket_for(service, "deaf?n=13")
    starts(service, "deaf 13", wait_until)
    command = [sys.executable, "-c", CALLER, str(service.place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=service.environ, cwd=service.place) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "calls\n"
        assert stop(service, ticket) in ("left", "ended")
        wait_until(lambda: f"{caller.pid} deaf 13" in service.runs("deaf 13"), what="the caller's turn")
        assert shown(service, ticket, status) == [202]
        assert stop(service, ticket) == "left"
        let_end(service, "deaf 13")
        assert caller.stdout.readline() == "done\n"
    assert shown(service, ticket, status) == [200]


# What is shown


def test_a_ticket_is_the_same_in_every_worker(start_jobs: Start, wait_until: Wait) -> None:
    """While its job waits for its turn, while it runs, and after it was cancelled or failed."""
    service = start_jobs(workers=3, threads=1, failure_time=1)
    running = [ticket_for(service, f"reporting?n={n}") for n in range(12)]
    wait_until(lambda: sum(making(service, each) for each in running) == 3, what="three of them")
    for ticket in running:
        [document] = wait_until(lambda ticket=ticket: once(shown(service, ticket)), what="published progress")
        assert document["status"] in ("making", "queued")
        assert (document["progress"] is None) == (document["status"] == "queued")
    for ticket in running:
        assert stop(service, ticket) == "ended"
    for ticket in running:
        [problem] = shown(service, ticket)
        assert problem["by"] == "ann"
    failing = ticket_for(service, "fails?message=once")
    wait_until(lambda: shown(service, failing, status) == [500], what="the failure")
    assert len(shown(service, failing)) == 1
    assert len(shown(service, f"{failing}/meta")) == 1


def once(documents: list[Any]) -> list[Any] | None:
    """Documents, if they are one."""
    return documents if len(documents) == 1 else None


def test_the_jobs_of_all_workers_are_listed(start_jobs: Start, wait_until: Wait) -> None:
    """Once each, the oldest first; a key that two workers have is one job, with who asked for it first."""
    service = start_jobs(anonymous=["view", "run"], permissions=PERMISSIONS)
    tickets = [ticket_for(service, f"reporting?n={n}") for n in range(3)]
    for _ in range(4):
        ticket_for(service, "reporting?n=0", CARL)
    wait_until(lambda: sum(each["progress"] is not None for each in jobs(service, ANN)) == 3, what="their start")
    found = jobs(service, ANN)
    assert [each["links"]["product"] for each in found] == tickets
    assert {each["operation"] for each in found} == {"lab/reporting"}
    assert [each["arguments"] for each in found] == ["n=0", "n=1", "n=2"]
    assert {each["status"] for each in found} == {"making"}
    assert found[1]["progress"] == {"done": 7, "total": 200, "text": "busy"}
    assert {each["user"] for each in found} == {"ann"}
    assert [each["key"] for each in jobs(service, CARL)] == [found[0]["key"]]
    assert jobs(service, {}) == []
    assert service.get("/-/jobs", headers=ANN).json()["silent"] == {}
    stop(service, tickets[0], CARL)
    assert [stop(service, ticket) for ticket in tickets] == ["ended"] * 3
    assert jobs(service, ANN) == []


def test_who_may_see_and_stop_jobs(start_jobs: Start, wait_until: Wait) -> None:
    """What is hidden is not there; who may not run may not stop; a foreign page may nothing."""
    service = start_jobs(anonymous=["view", "run"], permissions=PERMISSIONS)
    ticket = ticket_for(service, "reporting?n=14")
    starts(service, "reporting 14", wait_until)
    foreign = {**ANN, "Origin": "https://evil.example"}
    assert status(service.ask("DELETE", f"{ticket}/job", headers=EVE)) == 404
    assert jobs(service, EVE) == []
    assert status(service.ask("DELETE", f"{ticket}/job", headers=BOB)) == 403
    assert len(jobs(service, BOB)) == 1
    assert status(service.ask("DELETE", f"{ticket}/job", headers=foreign)) == 403
    assert not is_silent(service, "reporting 14")
    assert stop(service, ticket) == "ended"
    assert "'cancel'" in service.log

"""A namespace whose bodies run until they are stopped, and what its jobs and tickets look like from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

Service = Any  # RunningService of the conftest
Start = Callable[..., Service]
Wait = Callable[..., Any]
Answer = requests.Response
ANN, BOB, CARL, EVE = ({"X-Remote-User": name} for name in ("ann", "bob", "carl", "eve"))
PERMISSIONS = {"bob": ["view", "metrics"], "carl": ["view", "run"], "eve": {"*": ["metrics"], "lab": []}}
LATER = {"Prefer": "respond-async"}
WORK = '''

import asyncio


def steps(what):
    """Takes twenty seconds at most, and ends at once where a file says so."""
    for step in range(200):
        ran(what)
        if LOG.with_name(f"go {what}").exists():
            return
        time.sleep(0.1)


@op
@typemap(int)
@mime_type("text/plain")
def deaf(n: int = 1) -> str:
    """Looks at nothing."""
    steps(f"deaf {n}")
    return "done"


@op
@typemap(int)
@mime_type("text/plain")
def reporting(n: int = 1) -> str:
    """Reports how far it is."""
    try:
        for step in range(200):
            progress(7, 200, "busy")
            ran(f"reporting {n}")
            time.sleep(0.05)
    except Exception:
        ran("caught")
    finally:
        ran(f"cleaned up {n}")
    return "done"


@op
@typemap(int)
@mime_type("text/plain")
async def dreaming(n: int = 1) -> str:
    """A coroutine."""
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 20)
    finally:
        ran("woken")
    return "done"


@op
@typemap(int)
def step_of(n: int) -> int:
    """One of many."""
    ran(f"step_of {n}")
    time.sleep(0.05)
    return n


@op
@typemap(int)
def calling(n: int = 1) -> int:
    """Asks another operation, again and again."""
    return sum(step_of(100 * n + each) for each in range(200))


@op_file
@typemap(int)
@mime_type("text/plain")
def writing(out, n: int = 1) -> None:
    """Writes, slowly."""
    with open(out, "w") as file:
        file.write("half")
        file.flush()
        steps(f"writing {n}")


__export__ |= {
    "deaf": deaf, "reporting": reporting, "dreaming": dreaming, "calling": calling, "writing": writing,
}
'''


def let_end(service: Service, what: str) -> None:
    """Makes the body that takes steps of that name end."""
    (service.place / f"go {what}").touch()


def ticket_for(service: Service, path: str, user: dict[str, str] = ANN) -> str:
    """The URL of a product that is being made."""
    answer = service.get(f"/lab/{path}", headers={**LATER, **user})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def stop(service: Service, ticket: str, user: dict[str, str] = ANN) -> Any:
    """What becomes of a job that a user stops."""
    answer = service.ask("DELETE", f"{ticket}/job", headers=user)
    assert answer.status_code == 200, answer.text
    return answer.json()["done"]


def shown(service: Service, ticket: str, part: Callable[[Answer], Any] = lambda answer: answer.json()) -> list[Any]:
    """What a ticket is in every worker: it is asked so often that each of them answers, without a word twice."""
    found = []
    for _ in range(16):
        answer = part(service.get(ticket, headers=ANN))
        if isinstance(answer, dict):
            answer.pop("request_id", None)
        if answer not in found:
            found.append(answer)
    return found


def status(answer: Answer) -> int:
    """Of an answer."""
    return answer.status_code


def starts(service: Service, what: str, wait_until: Callable[..., Any]) -> None:
    """Waits until a body runs."""
    wait_until(lambda: service.runs(what), what=f"the start of {what}")


def is_silent(service: Service, what: str) -> bool:
    """Whether a body that takes a step every tenth of a second at least is not running."""
    before, end = service.runs(what), time.monotonic() + 0.5
    while service.runs(what) == before:
        if time.monotonic() > end:
            return True
        time.sleep(0.05)
    return False


def leases(service: Service) -> list[Path]:
    """The leases that are published in the stores of a service."""
    return [path for path in service.place.rglob("leases/*") if path.is_file()]


def making(service: Service, ticket: str) -> bool:
    """Whether a product is being made, by its ticket."""
    return bool(service.get(ticket, headers=ANN).json()["status"] == "making")


def jobs(service: Service, user: dict[str, str]) -> Any:
    """The jobs that a user sees."""
    return service.get("/-/jobs", headers=user).json()["jobs"]

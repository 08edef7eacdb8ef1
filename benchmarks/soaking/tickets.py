"""Acts that take their time: tickets, waits and event streams, each followed to its end."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any, Final

from soaking.acts import Actor
from soaking.asking import BUSY, LATER, Answer, Cut, CutError, WrongError

MARGIN: Final = 30.0
"""Seconds beyond its own work within which a ticket has to end: time for others' work, and for kills."""


def ticket(actor: Actor) -> str:
    """A ticket, polled repeatedly."""
    name, seconds = actor.unique(), actor.chance.choice((0.1, 0.5, 1.5))
    arguments = {"name": name, "seconds": seconds}
    answer = actor.client.get("/lab/slow", arguments, Prefer="respond-async")
    if answer.status in BUSY:
        return "busy"
    return _slept(_end_of(actor, _href(answer), name, seconds), name, seconds)


def shared_ticket(actor: Actor) -> str:
    """A ticket for what many ask for at the same moment."""
    name = f"crowd{int(time.time() / 3)}"
    answer = actor.client.get("/lab/slow", {"name": name, "seconds": 1.0}, Prefer="respond-async")
    if answer.status in BUSY:
        return "busy"
    if answer.status == 202:
        answer = _end_of(actor, _href(answer), name, 1.0)
    return _slept(answer, name, 1.0)


def wait(actor: Actor) -> str:
    """A wait for something slower or faster than the wait, with a ticket in the first case."""
    name, seconds = actor.unique(), actor.chance.choice((0.1, 0.5, 1.5))
    arguments = {"name": name, "seconds": seconds}
    prefer = actor.chance.choice(("wait=1", "wait=5", ""))
    answer = actor.client.get("/lab/slow", arguments, **({"Prefer": prefer} if prefer else {}))
    if answer.status in BUSY:
        return "busy"
    if answer.status == 200:
        return _slept(answer, name, seconds)
    return f"{_slept(_end_of(actor, _href(answer), name, seconds), name, seconds)} by ticket"


def events(actor: Actor) -> str:
    """Progress as events, until the product is there."""
    name, seconds = actor.unique(), actor.chance.choice((0.5, 1.5))
    answer = actor.client.get("/lab/slow", {"name": name, "seconds": seconds}, Prefer="respond-async")
    if answer.status in BUSY:
        return "busy"
    href, deadline = _href(answer), time.monotonic() + seconds + MARGIN
    while time.monotonic() < deadline:
        try:
            for event, document in _stream(actor, f"{href}/events", deadline):
                if event == "failed" and "WorkerLostError" in document["detail"]:
                    return _slept(_end_of(actor, href, name, seconds), name, seconds)
                if event == "failed":
                    raise WrongError(f"the events of {href} told of a failure: {document}")
                if event == "done":
                    return _slept(actor.client.get(href), name, seconds)
                _check_progress(href, document["progress"])
        except CutError:
            pass
        time.sleep(0.1)
    raise WrongError(f"the events of {href} came to no end within {seconds + MARGIN:g} s")


def _check_progress(href: str, progress: Any) -> None:
    if progress is not None and not (progress["total"] == 10 and progress["text"] == f"step {progress['done']:g}"):
        raise WrongError(f"the events of {href} told of {progress}")


def edited_ticket(actor: Actor) -> str:
    """A ticket for an operation that may be edited before it ends."""
    name = actor.unique()
    answer = actor.client.get("/trial/pace", {"name": name}, Prefer="respond-async")
    if answer.status in BUSY:
        return "busy"
    if answer.status == 404 and actor.editions.may_be_away(answer):
        return "away"
    end = wait_for(actor, _href(answer), 0.5)
    if end.status == 410 or (end.status == 404 and actor.editions.may_be_away(end)):
        return "gone" if end.status == 410 else "away"
    end.need(200)
    found = end.json
    # The ticket is for the edition that was current when it was issued.
    actor.editions.check(answer, found["edition"])
    if found["name"] != name:
        raise end.wrong(f"expected {name}")
    return "ok"


def failing_ticket(actor: Actor) -> str:
    """A ticket that ends in a problem."""
    actor.client.act = "failure"
    message = actor.unique()
    answer = actor.client.get("/lab/fails", {"message": message}, Prefer="respond-async")
    if answer.status in BUSY:
        return "busy"
    end = answer if answer.status == 500 else wait_for(actor, _href(answer), 0.0)
    end.need(500, 410)
    if end.status == 500 and end.json["detail"] != f"ValueError: {message}":
        raise end.wrong("its class and message expected")
    return "ok" if end.status == 500 else "gone"


def wait_for(actor: Actor, href: str, seconds: float) -> Answer:
    """The end of a ticket: the product, or a problem."""
    deadline = time.monotonic() + seconds + MARGIN
    last = "nothing but ended connections"
    while time.monotonic() < deadline:
        try:
            answer = actor.client.get(href)
        except CutError:
            continue
        if answer.status not in LATER:
            return answer
        last = f"{answer.status} {answer.body[:300]!r}"
        time.sleep(actor.chance.uniform(0.05, 0.4))
    raise WrongError(f"{href} came to no end within {seconds + MARGIN:g} s; at last it gave {last}")


def _end_of(actor: Actor, href: str, name: str, seconds: float) -> Answer:
    """The end of a ticket of `slow`. Where its workers were killed twice, the operation is asked again, as advised."""
    answer = wait_for(actor, href, seconds)
    while answer.is_lost:
        time.sleep(1.0)
        actor.client.tally.act(actor.client.act, "asked again")
        answer = actor.client.get("/lab/slow", {"name": name, "seconds": seconds}, Prefer="respond-async")
        if answer.status in LATER:
            answer = wait_for(actor, href, seconds)
    return answer


def _href(answer: Answer) -> str:
    answer.need(202)
    href = answer.json["href"]
    if answer.headers["location"] != href or answer.headers["cache-control"] != "no-store":
        raise answer.wrong("expected a ticket")
    return str(href)


def _slept(answer: Answer, name: str, seconds: float) -> str:
    answer.need_body(f"{name} slept {seconds:g}".encode())
    return "ok"


def _stream(actor: Actor, path: str, deadline: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream, until it ends or its time is up; signs of life come in between."""
    asked_at = time.time()
    connection = actor.client.connection()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            body = response.read()
            if response.status in BUSY:
                return
            raise WrongError(f"{path} gave {response.status} {body[:300]!r}")
        event = ""
        while time.monotonic() < deadline and (line := response.readline()):
            word, _, rest = line.decode().strip().partition(": ")
            if word == "event":
                event = rest
            elif word == "data":
                yield event, json.loads(rest)
    except (OSError, http.client.HTTPException) as error:
        cut = Cut("events", path, asked_at, asked_at, time.time(), False, f"{type(error).__name__}: {error}")
        actor.client.tally.cut(cut)
        raise CutError(str(error)) from error
    finally:
        connection.close()

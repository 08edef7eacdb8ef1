"""nginx keeps what the service lets it keep, and sends one of many through: ``nginx-cache.conf`` of the examples."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Behind = Any  # of the conftest
Front = Any  # as above


@pytest.fixture(scope="module")
def front(start_nginx: Callable[..., Front], behind: Behind) -> Front:
    """nginx with a cache of its own."""
    kept = {"/var/cache/nginx/rave": f"{behind.place}/kept"}
    return start_nginx("nginx-cache.conf", behind, is_public=False, **kept)


def name() -> str:
    """An argument that no other test uses."""
    return f"n{time.time_ns()}"


def how(answer: Any) -> str:
    """What nginx did for an answer; empty where it only passed it on."""
    return str(answer.headers["Cache-Status"].partition(", nginx; ")[2])


def passed(front: Front, query: str) -> int:
    """How many requests with this query came through to the service."""
    lines = (front.service.place / "access.log").read_text("utf-8").splitlines()
    return sum(query in each["query"] for each in map(json.loads, lines))


def test_of_fifty_who_ask_at_once_one_goes_through(front: Front, wait_until: Callable[..., Any]) -> None:
    """The body runs once, the service answers one request, and nginx the others."""
    query = f"name={name()}&seconds=1"
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: front.fresh(f"/lab/slow?{query}"), range(50)))
    assert {answer.text for answer in answers} == {f"{query[5:].partition('&')[0]} slept"}
    assert sorted(map(how, answers)) == ["fwd=miss"] + ["hit"] * 49
    wait_until(lambda: passed(front, query), what="the line of the log")
    assert (front.service.runs(query[5:].partition("&")[0]), passed(front, query)) == (1, 1)


def test_tickets_and_references_are_not_kept(front: Front) -> None:
    """202 and 303 come from the service each time, and the product after them is kept."""
    path = f"/lab/slow?name={name()}&seconds=0.5"
    for _ in range(2):
        ticket = front.get(path, headers={"Prefer": "respond-async"})
        assert (ticket.status_code, "Cache-Status" in ticket.headers) == (202, True)
        assert ticket.headers["Cache-Status"].startswith("nginx; fwd=")
    assert how(front.get(path)) == "fwd=miss"
    for _ in range(2):
        reference = front.get(path, headers={"Prefer": "return=minimal"})
        assert reference.status_code == 303
        assert "hit" not in reference.headers["Cache-Status"]
    assert how(front.get(path)) == "hit"
    product = reference.headers["Location"].removeprefix(front.service.url_base)
    assert [how(front.get(product)) for _ in range(2)] == ["fwd=miss", "hit"]


def test_what_one_user_may_see_is_not_given_to_others(front: Front) -> None:
    """The answer to a key is private: neither the next user nor anybody else gets it from nginx."""
    path = f"/lab/brief?name={name()}"
    keys = front.service.keys
    first = front.get(path, headers={"Authorization": f"Bearer {keys['carol']}"})
    assert first.headers["Cache-Control"].startswith("private, ")
    second = front.get(path, headers={"X-API-Key": keys["dave"]})
    assert (how(first), how(second)) == ("fwd=bypass", "fwd=bypass")
    anybody = front.get(path)
    assert how(anybody) == "fwd=miss"
    assert anybody.headers["Cache-Control"].startswith("public, ")
    # Credentials that are wrong are refused, though nginx could answer without asking.
    assert front.get(path, headers={"X-API-Key": "rave_nobody"}).status_code == 401


def test_it_is_stale_for_as_long_as_the_operation_says(front: Front, wait_until: Callable[..., Any]) -> None:
    """Past its life nginx serves the old result at once, and has a new one made meanwhile."""
    path = f"/lab/lenient?name={name()}"
    old = front.get(path).text
    answer = wait_until(lambda: (found := front.get(path)) and "detail=" in how(found) and found, what="a stale answer")
    assert answer.text == old
    renewed = wait_until(lambda: (found := front.get(path)).text != old and found, what="the new result")
    assert renewed.status_code == 200


def test_it_lives_as_long_as_the_service_says(front: Front, wait_until: Callable[..., Any]) -> None:
    """nginx asks again when the remaining life is over, and what then comes is new."""
    path = f"/lab/lasting?name={name()}"
    started = time.monotonic()
    first = front.get(path)

    def renewed() -> Any:
        answer = front.get(path)
        assert "detail=" not in how(answer)
        return answer if answer.text != first.text else None

    answer = wait_until(renewed, what="the end of its life")
    assert time.monotonic() - started >= 2
    assert how(answer) == "fwd=stale"


def test_each_form_is_kept_by_itself(front: Front) -> None:
    """A table as CSV and as JSON: what a client accepts tells them apart."""
    path, forms = f"/lab/rows?n={time.time_ns() % 1000}", ("text/csv", "application/json")
    first = {form: front.get(path, headers={"Accept": form}) for form in forms}
    again = {form: front.get(path, headers={"Accept": form}) for form in forms}
    for form in forms:
        assert again[form].headers["Content-Type"].startswith(form)
        assert again[form].content == first[form].content
        assert (how(first[form]), how(again[form])) == ("fwd=miss", "hit")
    assert first["text/csv"].content != first["application/json"].content


def test_conditions_and_ranges_are_answered_from_what_is_kept(front: Front) -> None:
    """With the service's own validator."""
    path = f"/lab/files/document?size={2000 + time.time_ns() % 1000}"
    whole = front.get(path)
    assert how(whole) == "fwd=miss"
    known = front.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    part = front.get(path, headers={"Range": "bytes=10-19", "If-Range": whole.headers["ETag"]})
    assert (known.status_code, part.status_code, part.content) == (304, 206, whole.content[10:20])
    assert (how(known), how(part)) == ("hit", "hit")


def test_problems_and_what_is_never_kept_come_from_the_service(front: Front) -> None:
    """Each time."""
    assert [front.get("/lab/nothing").headers["Cache-Status"] for _ in range(2)] == ["nginx; fwd=miss"] * 2
    assert front.get("/lab/now").text != front.get("/lab/now").text

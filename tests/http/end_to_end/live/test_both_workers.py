"""What one worker does, the other knows: changes of what is kept, and tickets to their very end."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

Service = Any  # RunningService of the conftest
EVERYTHING = ["view", "run", "refresh", "purge"]
ASYNC = {"Prefer": "respond-async"}

MORE = '''

@op
@typemap(str)
@mime_type("text/plain")
def stamped(name: str) -> str:
    """When it was computed."""
    ran(f"stamped {name}")
    return f"{name} {time.time()}"


@op
@typemap(float)
@mime_type("text/plain")
def outer(seconds: float = 1.0) -> str:
    """Takes its time over something that another operation makes."""
    time.sleep(seconds)
    return f"outer of {stamped('inner')}"


@op(stale_if_error=60)
@typemap(str)
@expires(duration_strategy(1))
@mime_type("text/plain")
def shaky(name: str) -> str:
    """Works until somebody breaks it."""
    ran(f"shaky {name}")
    if (LOG.parent / "broken").exists():
        raise OSError("the database is down")
    return f"{name} works"


@op
@typemap(str)
@mime_type("text/plain")
def wordy(name: str) -> str:
    """Has a long name."""
    return name


__export__ |= {"stamped": stamped, "outer": outer, "shaky": shaky, "a" * 200: wordy}
'''


def everywhere(service: Service, path: str, **options: Any) -> set[str]:
    """The answers over so many connections that both workers gave some."""
    answers = [requests.get(f"{service.url}{path}", timeout=10, **options) for _ in range(16)]
    assert {answer.status_code for answer in answers} == {200}
    return {answer.text for answer in answers}


def test_what_was_deleted_or_refreshed_is_so_in_every_worker(
    start_service: Callable[..., Service], tmp_path: Any
) -> None:
    """No worker goes on serving out of its memory what another one removed or made anew."""
    service = start_service(more=MORE, anonymous=EVERYTHING)
    first = everywhere(service, "/lab/stamped?name=x")
    assert len(first) == 1
    requests.get(f"{service.url}/lab/stamped?name=x&rave.refresh=1", timeout=10)
    second = everywhere(service, "/lab/stamped?name=x")
    assert len(second) == 1
    assert second != first
    location = service.get("/lab/stamped?name=x").headers["Content-Location"]
    assert service.ask("DELETE", location).status_code == 204
    third = everywhere(service, "/lab/stamped?name=x")
    assert third not in (first, second)
    assert service.ask("POST", "/-/cache/purge", json={"operation": "lab/stamped"}).json()["removed"] == 1
    assert everywhere(service, "/lab/stamped?name=x") != third


def test_the_ticket_of_a_refresh_is_the_new_product_whoever_is_asked(
    start_service: Callable[..., Service], tmp_path: Any, wait_until: Callable[..., Any]
) -> None:
    """While it is made anew, its ticket waits for the new one; an ordinary one gives what is kept."""
    service = start_service(more=MORE, anonymous=EVERYTHING)
    kept = service.get("/lab/outer?seconds=1.5")
    plain = kept.headers["Content-Location"]
    ticket = service.get("/lab/outer?seconds=1.5&rave.deep_refresh=1", headers=ASYNC).json()["href"]
    for _ in range(6):
        assert requests.get(f"{service.url}{ticket}", timeout=10).status_code == 202
        assert requests.get(f"{service.url}{plain}", timeout=10).text == kept.text
    made = wait_until(lambda: (a := requests.get(f"{service.url}{ticket}", timeout=10)).status_code == 200 and a)
    assert made.text != kept.text, "a deep refresh makes anew what it calls"


def test_a_deep_refresh_does_not_pass_for_a_plain_one(start_service: Callable[..., Service], tmp_path: Any) -> None:
    """Asked while a plain refresh runs, it still makes anew what the operation calls."""
    service = start_service(more=MORE, workers=1, anonymous=EVERYTHING)
    service.get("/lab/outer?seconds=0.8")
    service.get("/lab/outer?seconds=0.8&rave.refresh=1", headers=ASYNC)
    assert service.get("/lab/outer?seconds=0.8&rave.deep_refresh=1").status_code == 200
    assert len(service.runs("stamped inner")) == 2


def test_what_was_cut_off_is_made_by_whoever_is_asked_next(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """A computation that outlasts the time of grace is handed on, not declared done."""
    service = start_service(workers=1, threads=1, grace="1s")
    running, queued = (
        service.get(f"/lab/slow?name={name}&seconds=4", headers=ASYNC).json()["href"] for name in ("one", "two")
    )
    wait_until(lambda: service.runs("slow one"))
    service.stop()
    again = start_service(workers=1)
    for href, text in ((running, "one slept"), (queued, "two slept")):
        answer = wait_until(lambda href=href: (a := again.get(href)).status_code != 202 and [a])[0]
        assert (answer.status_code, answer.text) == (200, text)


def test_a_failure_is_told_to_whoever_asks_late(start_service: Callable[..., Service]) -> None:
    """The ticket of a failed computation tells how it failed, long after it may be run again."""
    service = start_service(failure_time="0.1s")
    answer = service.get("/lab/fails?message=late", headers=ASYNC)
    href = answer.json().get("href") or answer.json()["instance"]
    time.sleep(0.2)
    for _ in range(6):
        late = requests.get(f"{service.url}{href}", timeout=10)
        assert (late.status_code, late.json()["detail"]) == (500, "ValueError: late")


def test_a_stale_answer_to_a_failure_is_the_product_and_spares_the_operation(
    start_service: Callable[..., Service], tmp_path: Any, wait_until: Callable[..., Any]
) -> None:
    """Within the window of `stale_if_error` a ticket leads to the stale result, and a failing body is not hammered."""
    service = start_service(more=MORE, workers=1)
    service.get("/lab/shaky?name=s")
    (tmp_path / "broken").touch()
    wait_until(lambda: service.get("/lab/shaky?name=s").ok and len(service.runs("shaky s")) == 2, what="a failure")
    assert {service.get("/lab/shaky?name=s").status_code for _ in range(10)} == {200}
    assert len(service.runs("shaky s")) == 2
    href = service.get("/lab/shaky?name=s", headers=ASYNC).headers["Content-Location"]
    assert (service.get(href).status_code, service.get(href).text) == (200, "s works")


def test_a_wait_for_a_ticket_is_honoured_by_every_worker(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """``Prefer: wait`` on a product's address waits, whether it is made here or elsewhere."""
    service = start_service()
    href = service.get("/lab/slow?name=wait&seconds=2.5", headers=ASYNC).json()["href"]
    wait_until(lambda: service.runs("slow wait"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.get(href, headers={"Prefer": "wait=10"}), range(8)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "wait slept")}


def test_the_longest_names_have_products_too(start_service: Callable[..., Service], tmp_path: Any) -> None:
    """A name that is cut in keys is found by its product's address all the same."""
    service = start_service(more=MORE, workers=1, anonymous=EVERYTHING)
    answer = service.get(f"/lab/{'a' * 200}?name=long")
    assert answer.status_code == 200
    assert service.get(answer.headers["Content-Location"]).text == answer.text
    purged = service.ask("POST", "/-/cache/purge", json={"operation": f"lab/{'a' * 200}"})
    assert purged.json()["removed"] == 1


def test_a_wait_beside_respond_async_is_honoured(shared_service: Service) -> None:
    """``respond-async, wait=5`` is the wish to wait five seconds, and only then to get a ticket."""
    name = f"both{time.time_ns()}"
    prefer = {"Prefer": "respond-async, wait=8"}
    answer = shared_service.get(f"/lab/slow?name={name}&seconds=0.6", headers=prefer)
    assert (answer.status_code, answer.text) == (200, f"{name} slept")

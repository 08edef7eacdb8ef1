"""The ladder against a real service: what is kept, else what is made while the client waits, else a ticket."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest


def unique(prefix: str = "x") -> str:
    """An argument that no other test uses."""
    return f"{prefix}{time.time_ns()}"


def test_a_product_comes_in_one_request_and_is_kept(shared_service: Service) -> None:
    """The first answer is computed, the second is the same bytes from the cache."""
    n = time.time_ns() % 10**9
    first = shared_service.get(f"/lab/square?n={n}")
    second = shared_service.get(f"/lab/square?n={n}")
    assert first.status_code == second.status_code == 200
    assert first.json() == {"n": n, "square": n * n}
    assert first.headers["Cache-Status"] == "rave; fwd=miss; stored"
    assert second.headers["Cache-Status"] == "rave; hit"
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.headers["Content-Location"] == second.headers["Content-Location"]
    assert shared_service.get(first.headers["Content-Location"]).content == first.content
    assert len(shared_service.runs(f"square {n}")) == 1


def test_every_way_of_asking_is_the_same_question(shared_service: Service) -> None:
    """Query, JSON, form and QUERY lead to one key, so the body runs once."""
    n = time.time_ns() % 10**9
    answers = [
        shared_service.get(f"/lab/square?n={n}"),
        shared_service.get(f"/lab/square?n=%20{n}"),
        shared_service.ask("POST", "/lab/square", json={"n": n}),
        shared_service.ask("POST", "/lab/square", data={"n": n}),
        shared_service.ask("QUERY", "/lab/square", json={"n": n}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert len(shared_service.runs(f"square {n}")) == 1


def test_head_is_get_without_the_bytes(shared_service: Service) -> None:
    """HEAD tells the length and validators of what GET sends."""
    head, get = (shared_service.ask(method, "/lab/square?n=12") for method in ("HEAD", "GET"))
    assert head.status_code == 200
    assert head.content == b""
    for name in ("ETag", "Content-Length", "Content-Type", "Last-Modified", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


def test_options_list_the_methods(shared_service: Service) -> None:
    """OPTIONS says how an operation may be asked, and in which forms a body may come."""
    answer = shared_service.ask("OPTIONS", "/lab/square")
    assert answer.status_code == 204
    assert {"GET", "HEAD", "POST", "OPTIONS"} == set(answer.headers["Allow"].split(", "))
    assert "application/json" in answer.headers["Accept-Query"]


def test_whoever_can_not_wait_gets_a_ticket_that_becomes_the_product(
    shared_service: Service, wait_until: Callable[..., Any]
) -> None:
    """``respond-async`` gives 202 at once; its Location is 202 while the product is made, then the product."""
    name = unique()
    answer = shared_service.get(f"/lab/slow?name={name}&seconds=0.6", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Retry-After"]) >= 1
    ticket = answer.json()
    assert ticket.keys() == {"status", "href", "key", "operation", "progress", "created", "links"}
    assert answer.headers["Location"] == ticket["href"] == f"/-/products/{ticket['key']}"
    assert shared_service.get(ticket["href"]).status_code == 202
    product = wait_until(lambda: (a := shared_service.get(ticket["href"])).status_code == 200 and a)
    assert product.text == f"{name} slept"
    assert len(shared_service.runs(f"slow {name}")) == 1


def test_a_ticket_tells_how_far_it_is_whoever_is_asked(shared_service: Service, wait_until: Callable[..., Any]) -> None:
    """Progress that the body reports shows in the ticket, from the worker that computes and from the other."""
    name = unique()
    href = shared_service.get(f"/lab/slow?name={name}&seconds=4", headers={"Prefer": "respond-async"}).json()["href"]
    seen: dict[str, Any] = {}

    def both_workers_tell() -> bool:
        answer = requests.get(f"{shared_service.url}{href}", timeout=5)  # a connection of its own: any worker
        progress = answer.json().get("progress") if answer.status_code == 202 else None
        if progress and progress["done"]:
            seen[answer.headers["X-Request-ID"].partition("-")[0]] = progress
        return len(seen) == 2

    wait_until(both_workers_tell, what="progress from both workers")
    assert all(progress["total"] == 10 and progress["text"].startswith("step") for progress in seen.values())


def test_a_short_wait_is_honoured(shared_service: Service, wait_until: Callable[..., Any]) -> None:
    """``wait=1`` waits a second, then gives a ticket; a wait that is long enough gives the product."""
    path, started = f"/lab/gated?name={(name := unique())}", time.monotonic()
    answer = shared_service.get(path, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert time.monotonic() - started >= 1
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shared_service.get, path, headers={"Prefer": "wait=20"})
        wait_until(lambda: shared_service.count("rave_waiting_requests") == 1, what="the wait")
        shared_service.open_gate(name)
        done = waiting.result()
    assert (done.status_code, done.text) == (200, f"{name} went through")
    assert done.headers["Preference-Applied"] == "wait=20"


def test_a_reference_is_all_that_return_minimal_gives(shared_service: Service) -> None:
    """The guide's raved: 303 to the product where it is there, a ticket where it is not."""
    n = time.time_ns() % 10**9
    first = shared_service.get(f"/lab/square?n={n}", headers={"Prefer": "return=minimal"})
    assert first.status_code == 202
    assert first.headers["Preference-Applied"] == "return=minimal"
    shared_service.get(f"/lab/square?n={n}")
    again = shared_service.get(f"/lab/square?n={n}&rave.prefer=return%3Dminimal")
    assert again.status_code == 303
    assert again.headers["Cache-Control"] == "no-store"
    assert shared_service.get(again.headers["Location"]).json()["square"] == n * n


def test_a_bare_url_is_given_to_whoever_accepts_one(shared_service: Service) -> None:
    """``text/uri-list`` is the ticket for scripts."""
    headers = {"Prefer": "respond-async", "Accept": "text/uri-list"}
    answer = shared_service.get(f"/lab/slow?name={unique()}&seconds=0.3", headers=headers)
    assert answer.headers["Content-Type"].startswith("text/uri-list")
    assert answer.text == f"{answer.headers['Location']}\r\n"


def test_a_browser_gets_a_page_that_looks_again_by_itself(shared_service: Service) -> None:
    """The page refreshes itself, and may load nothing from elsewhere."""
    headers = {"Prefer": "respond-async", "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = shared_service.get(f"/lab/slow?name={unique()}&seconds=0.3", headers=headers)
    assert answer.status_code == 202
    assert answer.headers["Content-Type"].startswith("text/html")
    assert 'http-equiv="refresh"' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_only_if_cached_computes_nothing(shared_service: Service) -> None:
    """504 where nothing is kept, the product where it is; nothing is run for it."""
    n = time.time_ns() % 10**9
    asked = {"Cache-Control": "only-if-cached"}
    nothing = shared_service.get(f"/lab/square?n={n}", headers=asked)
    assert nothing.status_code == 504
    assert nothing.headers["Content-Type"] == "application/problem+json"
    assert shared_service.get(f"/lab/square?n={n}&rave.only_cached=1").status_code == 504
    assert shared_service.runs(f"square {n}") == []
    shared_service.get(f"/lab/square?n={n}")
    assert shared_service.get(f"/lab/square?n={n}", headers=asked).status_code == 200


def test_a_reload_in_a_browser_does_not_compute_again(shared_service: Service) -> None:
    """``no-cache``, which every hard reload sends, is no wish to compute."""
    n = time.time_ns() % 10**9
    for _ in range(3):
        shared_service.get(f"/lab/square?n={n}", headers={"Cache-Control": "no-cache", "Pragma": "no-cache"})
    assert len(shared_service.runs(f"square {n}")) == 1


def test_a_stale_result_is_served_while_it_is_made_anew(
    shared_service: Service, wait_until: Callable[..., Any]
) -> None:
    """Within its window a stale product is there at once, and the next ones are fresh again."""
    name = unique()
    first = shared_service.get(f"/lab/brief?name={name}")
    assert first.headers["Cache-Control"].endswith("stale-while-revalidate=60")
    made = float(first.text.split()[1])
    wait_until(lambda: time.time() > made + 1.1, what="its end")
    foreign = shared_service.get(f"/lab/brief?name={name}", headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.text == first.text
    assert len(shared_service.runs(f"brief {name}")) == 1, "a page of another site refreshes nothing"
    stale = shared_service.get(f"/lab/brief?name={name}")
    assert stale.text == first.text
    assert "max-age=0" in stale.headers["Cache-Control"]
    assert "ttl=-" in stale.headers["Cache-Status"]
    wait_until(lambda: shared_service.get(f"/lab/brief?name={name}").text != first.text, what="a fresh one")


def test_what_is_never_kept_is_computed_for_everybody(shared_service: Service) -> None:
    """A ``nocache`` operation runs each time, and nobody may keep what it gave."""
    first, second = shared_service.get("/lab/now"), shared_service.get("/lab/now")
    assert first.text != second.text
    assert first.headers["Cache-Control"] == "no-store"
    assert shared_service.get("/lab/now", headers={"Prefer": "respond-async"}).status_code == 200


def test_a_failure_is_a_problem_with_its_class_and_message(shared_service: Service) -> None:
    """The operation's own exception is told, without a traceback, and is not run again for a moment."""
    message = unique("it broke ")
    answers = [shared_service.get("/lab/fails", params={"message": message}) for _ in range(5)]
    for answer in answers:
        problem = answer.json()
        assert answer.status_code == problem["status"] == 500
        assert problem["detail"] == f"ValueError: {message}"
        assert problem["type"].endswith("/-/problems/operation-failed")
        assert "Traceback" not in answer.text
    assert 1 <= len(shared_service.runs(f"fails {message}")) <= 2  # each of the two workers may have run it


@pytest.mark.parametrize("clients", [200])
def test_a_crowd_on_a_cold_key_costs_one_run(shared_service: Service, clients: int) -> None:
    """200 clients over two workers ask at once: the body runs once, and all get its result."""
    name = unique("crowd")

    def ask(_: int) -> tuple[int, str]:
        answer = requests.get(f"{shared_service.url}/lab/slow?name={name}&seconds=1", timeout=30)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(clients) as pool:
        answers = set(pool.map(ask, range(clients)))
    assert answers == {(200, f"{name} slept")}
    assert len(shared_service.runs(f"slow {name}")) == 1


def test_more_than_the_queue_takes_is_refused_with_advice(start_service: Callable[..., Service]) -> None:
    """A full queue is a 503 that says when to ask again; what is kept is served all the same."""
    service = start_service(workers=1, threads=1, queue=1)
    service.get("/lab/square?n=5")
    answers = [_asked_by(f"127.0.0.{i}", service, f"/lab/gated?name=g{i}") for i in range(2, 6)]
    assert [status for status, _, _ in answers] == [202, 202, 503, 503]
    assert int(answers[-1][1]["Retry-After"]) >= 1
    assert answers[-1][2]["type"].endswith("/busy")
    assert service.get("/lab/square?n=5").status_code == 200
    for i in range(2, 4):
        service.open_gate(f"g{i}")


def _asked_by(address: str, service: Service, path: str) -> tuple[int, Message, Any]:
    """Status, headers and JSON of the answer to a client with an address of its own, who does not wait."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    client = http.client.HTTPConnection(host, int(port), timeout=30, source_address=(address, 0))
    with contextlib.closing(client):
        client.request("GET", path, headers={"Prefer": "respond-async"})
        answer = client.getresponse()
        return answer.status, answer.headers, json.load(answer)


def test_who_waits_takes_no_thread(start_service: Callable[..., Service], wait_until: Callable[..., Any]) -> None:
    """With one thread, a crowd that waits for a slow product does not keep others from what is kept."""
    service = start_service(workers=1, threads=1)
    service.get("/lab/square?n=6")
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(requests.get, f"{service.url}/lab/gated?name=w", timeout=30) for _ in range(50)]
        wait_until(lambda: service.count("rave_waiting_requests") == 50, what="the crowd")
        assert service.get("/lab/square?n=6").status_code == 200
        assert not any(future.done() for future in waiting)
        service.open_gate("w")
        assert {future.result().status_code for future in waiting} == {200}

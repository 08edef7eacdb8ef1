"""Products: tickets that any worker answers, also after a crash or a restart; what is gone; events; deleting."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest
ASYNC = {"Prefer": "respond-async"}


def ticket_for(service: Service, query: str) -> str:
    """The URL of the ticket for a slow product."""
    answer = service.get(f"/lab/slow?{query}", headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["href"])


def test_a_ticket_outlives_the_worker_that_computes(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """After kill -9 of the worker in the middle of a run, the next who asks takes it over."""
    service = start_service()
    href = ticket_for(service, "name=killed&seconds=3")
    run = wait_until(lambda: service.runs("slow killed"))[0]
    os.kill(int(run.split()[0]), signal.SIGKILL)
    product = wait_until(lambda: (a := _asked(service, href)) is not None and a.status_code == 200 and a)
    assert product.text == "killed slept"
    assert len(service.runs("slow killed")) == 2


def test_an_open_stream_of_events_outlives_the_worker_that_computes(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """The worker that gives the events takes the computation over, and tells of its end; nobody else asks."""

    def of(answer: requests.Response) -> str:  # a request ID begins with what its worker alone has
        return answer.headers["X-Request-ID"].partition("-")[0]

    service = start_service()
    ticket = service.get("/lab/slow?name=followed&seconds=3", headers=ASYNC)
    run = wait_until(lambda: service.runs("slow followed"))[0]
    events = f"{service.url}{ticket.json()['href']}/events"
    while of(stream := requests.get(events, stream=True, timeout=20)) == of(ticket):
        stream.close()
    with stream:
        os.kill(int(run.split()[0]), signal.SIGKILL)
        assert b"event: done" in stream.content
    assert len(service.runs("slow followed")) == 2


def test_a_ticket_outlives_the_service(start_service: Callable[..., Service], wait_until: Callable[..., Any]) -> None:
    """After kill -9 of everything, a service that starts anew makes good on the promise."""
    service = start_service(workers=1)
    href = ticket_for(service, "name=restart&seconds=2")
    wait_until(lambda: service.runs("slow restart"))
    for pid in (service.process.pid, *service.workers()):
        os.kill(pid, signal.SIGKILL)
    service.process.wait()
    again = start_service(workers=1)
    assert _asked(again, href).status_code == 202
    product = wait_until(lambda: (a := _asked(again, href)).status_code == 200 and a)
    assert product.text == "restart slept"


def test_a_product_outlives_the_service(start_service: Callable[..., Service], wait_until: Callable[..., Any]) -> None:
    """What was made before a restart is there after it, under the same URL, with the same validator."""
    service = start_service(workers=1)
    first = service.get("/lab/square?n=77", headers={"Prefer": "return=minimal"})
    href = first.json()["href"]
    before = wait_until(lambda: (a := service.get(href)).status_code == 200 and a)
    assert service.stop() == 0
    after = start_service(workers=1).get(href)
    assert (after.status_code, after.content) == (200, before.content)
    assert after.headers["ETag"] == before.headers["ETag"]


def test_a_running_computation_survives_a_reload(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """HUP replaces the workers; what one of them computes comes to its end, once."""
    service = start_service()
    href = ticket_for(service, "name=hup&seconds=3")
    wait_until(lambda: service.runs("slow hup"))
    service.process.send_signal(signal.SIGHUP)
    product = wait_until(lambda: (a := _asked(service, href)) is not None and a.status_code == 200 and a)
    assert product.text == "hup slept"
    assert len(service.runs("slow hup")) == 1


def test_who_waits_while_the_service_stops_gets_a_ticket(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """TERM ends the waiting with a ticket, and the computation comes to its end within the time of grace."""
    from concurrent.futures import ThreadPoolExecutor

    service = start_service(workers=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, f"{service.url}/lab/slow?name=term&seconds=3", timeout=30)
        wait_until(lambda: service.runs("slow term"))
        code = service.stop()
        answer = waiting.result()
    assert code == 0
    assert answer.status_code == 202
    again = start_service(workers=1)
    assert _asked(again, answer.json()["href"]).text == "term slept"
    assert len(again.runs("slow term")) == 1


def test_an_unknown_product_is_not_found(shared_service: Service) -> None:
    """A key that nobody asked for is 404, whatever it looks like."""
    for path in ("lab/square/v/never-asked", "lab/nothing/v/a", "nonsense", "lab/square", "a/b/c/d"):
        assert shared_service.get(f"/-/products/{path}").status_code == 404


def test_an_expired_product_is_gone_and_says_where_to_ask(
    shared_service: Service, wait_until: Callable[..., Any]
) -> None:
    """410 names the operation's URL, so that a client can ask anew."""
    answer = shared_service.get("/lab/fleeting?name=gone", headers={"Prefer": "return=minimal"})
    href = answer.json()["href"]
    gone = wait_until(lambda: (a := shared_service.get(href)).status_code == 410 and [a])[0]
    assert gone.json()["operation"] == "/lab/fleeting"


def test_a_failed_product_is_the_problem_of_its_operation(
    shared_service: Service, wait_until: Callable[..., Any]
) -> None:
    """Whoever holds the ticket of a computation that failed learns how."""
    answer = shared_service.get(f"/lab/fails?message=ticket{time.time_ns()}", headers=ASYNC)
    if answer.status_code == 202:
        href = answer.json()["href"]
        answer = wait_until(lambda: (a := shared_service.get(href)).status_code == 500 and [a])[0]
    assert answer.json()["detail"].startswith("ValueError: ticket")


def test_what_is_known_of_a_product_can_be_read(shared_service: Service, wait_until: Callable[..., Any]) -> None:
    """``meta`` tells arguments, times, size and digest, with the name of its algorithm."""
    shared_service.get("/lab/square?n=31")
    href = shared_service.get("/lab/square?n=31", headers={"Prefer": "return=minimal"}).json()["href"]
    meta = shared_service.get(f"{href}/meta").json()
    assert meta["status"] == "ready"
    assert meta["arguments"] == {"n": "31"}
    assert meta["digest"].startswith("xxh3-128:")
    assert meta["mime_type"] == "application/json"


def test_progress_comes_as_events(shared_service: Service) -> None:
    """The stream tells each step, and ends when the product is there."""
    href = ticket_for(shared_service, f"name=events{time.time_ns()}&seconds=3")
    with requests.get(f"{shared_service.url}{href}/events", stream=True, timeout=20) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.headers["Cache-Control"] == "no-store"
        text = "".join(chunk.decode() for chunk in stream.iter_content(None))
    events = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert events[-1] == "done"
    assert events.count("progress") >= 3
    assert '"text":"step' in text.replace(": ", ":")


def test_events_of_a_product_that_is_there_are_one(shared_service: Service) -> None:
    """Whoever comes late hears at once that it is done."""
    shared_service.get("/lab/square?n=32")
    href = shared_service.get("/lab/square?n=32", headers={"Prefer": "return=minimal"}).json()["href"]
    text = requests.get(f"{shared_service.url}{href}/events", timeout=5).text
    assert text.startswith("event: done")


def test_deleting_needs_permission_and_then_forgets(start_service: Callable[..., Service]) -> None:
    """DELETE purges one product for whoever may; then it is computed anew."""
    service = start_service(anonymous=["view", "run", "purge"])
    service.get("/lab/square?n=3")
    href = service.get("/lab/square?n=3", headers={"Prefer": "return=minimal"}).headers["Location"]
    assert service.ask("DELETE", href).status_code == 204
    assert service.ask("DELETE", href).status_code == 404
    assert service.get("/lab/square?n=3").headers["Cache-Status"].startswith("rave; fwd=miss")
    assert len(service.runs("square 3")) == 2


def test_deleting_without_permission_changes_nothing(shared_service: Service) -> None:
    """A refused DELETE is a 401, and the product stays."""
    shared_service.get("/lab/square?n=34")
    href = shared_service.get("/lab/square?n=34", headers={"Prefer": "return=minimal"}).headers["Location"]
    assert shared_service.ask("DELETE", href).status_code == 401
    assert shared_service.get(href).status_code == 200


def test_the_public_address_stands_in_front_of_every_reference(start_service: Callable[..., Service]) -> None:
    """``url_base`` is in tickets, locations and types of problems."""
    base = "https://noc.example.org/rave"
    service = start_service(workers=1, url_base=f"{base}/")
    ticket = service.get("/lab/slow?name=base&seconds=0.2", headers=ASYNC)
    assert ticket.json()["href"].startswith(f"{base}/-/products/lab/slow/")
    assert ticket.headers["Location"] == ticket.json()["href"]
    assert service.get("/lab/none").json()["type"] == f"{base}/-/problems/not-found"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
def test_a_product_takes_no_other_method(shared_service: Service, method: str) -> None:
    """405 says what does apply."""
    shared_service.get("/lab/square?n=35")
    href = shared_service.get("/lab/square?n=35", headers={"Prefer": "return=minimal"}).headers["Location"]
    answer = shared_service.ask(method, href)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "DELETE", "OPTIONS"}


def _asked(service: Service, href: str) -> Any:
    """A GET over a connection of its own; ``None`` while nobody listens."""
    try:
        return requests.get(f"{service.url}{href}", timeout=10)
    except requests.ConnectionError:
        return None


def test_a_picture_links_to_the_table_behind_it(shared_service: Service) -> None:
    """With the arguments as they were asked, made or kept, in every form of the request; its description and its page
    name the operation."""
    for _ in range(2):  # made, kept
        answer = shared_service.get("/lab/drawing?n=5&rave.prefer=wait%3D9", headers={"Accept": "image/*"})
        assert answer.links["alternate"]["url"] == "/lab/rows?n=5"
    ready = [shared_service.get("/lab/drawing?n=5") for _ in range(3)]
    assert {each.links["alternate"]["url"] for each in ready} == {"/lab/rows?n=5"}
    assert (
        len(shared_service.get(ready[0].links["alternate"]["url"], headers={"Accept": "application/json"}).json()) == 5
    )
    posted = shared_service.ask("POST", "/lab/drawing", data={"n": "4"})
    assert posted.links["alternate"]["url"] == "/lab/rows?n=4"
    for _ in range(2):  # kept, ready
        written = shared_service.ask("POST", "/lab/drawing", json={"n": 4})
        assert written.links["alternate"]["url"] == "/lab/rows?n=4"
    by_key = shared_service.get(written.headers["Content-Location"])  # which has no ticket
    assert by_key.links["alternate"]["url"] == "/lab/rows?n=4"
    assert "alternate" not in shared_service.get("/lab/rows?n=5").links
    assert shared_service.get("/-/ops/lab/drawing").json()["links"]["behind"] == "/-/ops/lab/rows"
    page = shared_service.get("/-/ui/lab/drawing", headers={"Accept": "text/html"}).text
    assert '<dt>Shows</dt><dd><a href="/-/ui/lab/rows">lab/rows</a></dd>' in page


def test_the_product_of_a_ticket_links_to_the_table_behind_it(
    shared_service: Service, wait_until: Callable[..., Any]
) -> None:
    """The ticket knows the arguments."""
    href = shared_service.get("/lab/drawing?n=6", headers=ASYNC).json()["href"]
    made = wait_until(lambda: (a := shared_service.get(href)).status_code == 200 and a)
    assert made.links["alternate"]["url"] == "/lab/rows?n=6"

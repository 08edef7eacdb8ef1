"""nginx in front of the service, as ``nginx-direct.conf`` and ``nginx-users.conf`` of the examples have it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.http.end_to_end.live.behind import until

Behind = Any  # of the conftest
Front = Any  # as above
MEBIBYTE = 1 << 20
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def direct(start_nginx: Callable[..., Front], behind: Behind) -> Front:
    """nginx, which tells nothing of users."""
    return start_nginx("nginx-direct.conf", behind)


@pytest.fixture(scope="module")
def users(start_nginx: Callable[..., Front], behind: Behind) -> Front:
    """nginx, which asks users for their passwords."""
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout
    path = behind.place / "rave.users"
    path.write_text(f"alice:{hashed}bob:{hashed}")
    return start_nginx("nginx-users.conf", behind, is_public=False, **{"/etc/nginx/rave.users": str(path)})


def name() -> str:
    """An argument that no other test uses."""
    return f"n{time.time_ns()}"


def test_a_product_comes_through_with_its_headers(direct: Front) -> None:
    """Validators, freshness and what the cache says are the service's own."""
    first, second = direct.get("/lab/square?n=7"), direct.get("/lab/square?n=7")
    assert second.json() == {"n": 7, "square": 49}
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Cache-Status"].startswith("rave; hit")
    assert second.headers["Cache-Control"].startswith("public, max-age=")
    assert second.headers["Vary"] == "Accept, Prefer"


def test_tickets_lead_back_through_nginx(direct: Front) -> None:
    """A 202 and, once the product is there, a 303 name the public URL, which gives the product."""
    path = f"/lab/slow?name={name()}&seconds=0.3"
    ticket = direct.get(path, headers={"Prefer": "respond-async"})
    assert ticket.status_code == 202
    assert ticket.headers["Location"].startswith(f"{direct.url}/rave/-/products/lab/slow/")
    waited = requests.get(ticket.headers["Location"], headers={"Prefer": "wait=10"}, timeout=20)
    assert (waited.status_code, waited.text.endswith("slept")) == (200, True)
    reference = direct.get(path, headers={"Prefer": "return=minimal"})
    assert (reference.status_code, reference.headers["Location"]) == (303, ticket.headers["Location"])
    assert direct.session.get(reference.headers["Location"], timeout=10).text == waited.text


def test_events_are_not_held_back(direct: Front, behind: Behind) -> None:
    """The first event of a computation arrives while it runs: only then its gate is opened."""
    wanted = name()
    ticket = direct.get(f"/lab/gated?name={wanted}", headers={"Prefer": "respond-async"}).json()
    arrived = []
    with requests.get(ticket["links"]["events"], stream=True, timeout=20) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        for line in stream.iter_lines(chunk_size=1):
            if line.startswith(b"event:"):
                arrived.append(line.split()[1])
                behind.open_gate(wanted)
    assert arrived[-1] == b"done"


def test_conditions_ranges_and_head_come_through(direct: Front) -> None:
    """304, 206 and 416 as the service gives them, and HEAD without the bytes."""
    path = "/lab/files/document?size=3000"
    whole = direct.get(path)
    assert len(whole.content) == 3000
    assert direct.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    part = direct.get(path, headers={"Range": "bytes=1000-1009", "If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, whole.content[1000:1010])
    beyond = direct.get(path, headers={"Range": "bytes=3000-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */3000")
    assert beyond.headers["Content-Type"] == "application/problem+json"
    head = direct.ask("HEAD", path)
    assert (head.headers["Content-Length"], head.headers["ETag"], head.content) == ("3000", whole.headers["ETag"], b"")


def test_bodies_come_through(direct: Front) -> None:
    """JSON and forms are answered; what is far too large is refused by nginx, as a problem."""
    assert direct.ask("POST", "/lab/square", json={"n": 5}).json()["square"] == 25
    assert direct.ask("POST", "/lab/square", data={"n": 6}).json()["square"] == 36
    larger = direct.ask("POST", "/lab/square", data=b" " * (2 * MEBIBYTE + 1), headers=JSON)
    assert (larger.status_code, larger.headers["Content-Type"]) == (413, "application/problem+json")
    assert larger.json()["status"] == 413


def test_a_body_that_is_too_large_is_refused_by_the_service(direct: Front) -> None:
    """Its problem reaches the client, though it did not read the body to its end; so does that of a wrong path."""
    for _ in range(5):
        large = direct.ask("POST", "/lab/square", data=b" " * (MEBIBYTE + 1), headers=JSON)
        assert (large.status_code, large.headers["Content-Type"]) == (413, "application/problem+json")
        assert large.json()["type"] == f"{direct.url}/rave/-/problems/too-large"
        assert "X-Request-ID" in large.headers
        absent = direct.ask("POST", "/lab/nothing", data=b" " * (MEBIBYTE - 1), headers=JSON)
        assert absent.json()["type"] == f"{direct.url}/rave/-/problems/not-found"


def test_what_is_stale_tells_what_is_left_of_its_window(direct: Front, wait_until: Callable[..., Any]) -> None:
    """Who keeps it counts from now, so the minute that the operation allows is shorter by the time gone by."""
    path = f"/lab/brief?name={name()}"
    assert "stale-while-revalidate=60" in direct.get(path).headers["Cache-Control"]
    stale = wait_until(lambda: (found := direct.get(path)) and "ttl=-" in found.headers["Cache-Status"] and found)
    left = int(stale.headers["Cache-Control"].partition("max-age=0, stale-while-revalidate=")[2])
    assert 50 < left < 60


def test_what_is_computed_anew_is_kept_by_nobody(direct: Front, behind: Behind) -> None:
    """Who asks for the same URL again means it again; what was computed is kept for all others."""
    headers = {"X-API-Key": behind.keys["carol"]}
    anew = direct.get("/lab/square?n=9&rave.refresh", headers=headers)
    assert anew.headers["Cache-Control"] == "no-store"
    assert anew.headers["Cache-Status"].startswith("rave; fwd=request; stored")
    assert direct.get("/lab/square?n=9").headers["Cache-Status"].startswith("rave; hit")


def test_what_is_not_there_is_a_problem_of_the_service(direct: Front) -> None:
    """Below its path; the paths above belong to nginx, however they are written."""
    absent = direct.get("/lab/nothing")
    assert (absent.status_code, absent.headers["Content-Type"]) == (404, "application/problem+json")
    target = f"{direct.url}/rave/%2e%2e/rave/lab/square?n=7"
    assert requests.get(f"{direct.url}/lab/square?n=7", timeout=10).status_code == 404
    prepared = requests.Request("GET", target).prepare()
    prepared.url = target
    assert direct.session.send(prepared, timeout=10).json()["square"] == 49


def test_a_request_id_goes_through_and_back(direct: Front, behind: Behind) -> None:
    """The client's own stands in the log of the service and in the answer."""
    wanted = name()
    answer = direct.get("/lab/square?n=8", headers={"X-Request-ID": wanted})
    assert answer.headers["X-Request-ID"] == wanted
    assert behind.accesses(wanted)["path"] == "/lab/square"


def test_the_log_has_the_client_and_not_what_it_says_of_itself(direct: Front, behind: Behind) -> None:
    """nginx adds the true address to what the client sent, and the service takes the last that it does not trust."""
    wanted = name()
    connection = http.client.HTTPConnection("127.0.0.1", behind.port, timeout=10, source_address=("127.0.0.2", 0))
    connection.request("GET", "/rave/-/version", headers={"X-Forwarded-For": "192.0.2.66", "X-Request-ID": wanted})
    assert connection.getresponse().status == 200
    connection.close()
    assert behind.accesses(wanted)["client"] == "127.0.0.2"


def test_nobody_names_himself(direct: Front, behind: Behind) -> None:
    """Without users, nginx takes away the header by which it would name them, and variants of it."""
    wanted = name()
    smuggled = {"X-Remote-User": "operator", "X_Remote_User": "operator", "X-Request-ID": wanted}
    assert direct.get("/-/metrics", headers=smuggled).status_code == 401
    assert behind.accesses(wanted)["principal"] == "-"


def test_an_api_key_comes_through(direct: Front, behind: Behind) -> None:
    """In either header; and the answer is for its user alone."""
    key, wanted = behind.keys["carol"], name()
    for header in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        answer = direct.get("/lab/square?n=7", headers={**header, "X-Request-ID": wanted})
        assert answer.headers["Cache-Control"].startswith("private, ")
    assert behind.accesses(wanted)["principal"] == "carol"
    assert direct.get("/lab/square?n=7", headers={"X-API-Key": key[:-1]}).status_code == 401


def test_users_of_nginx_are_users_of_the_service(users: Front, behind: Behind) -> None:
    """The name is the one whose password nginx checked, whatever header the client sends."""
    wanted = name()
    headers = {"X-Remote-User": "operator", "X-Request-ID": wanted}
    answer = users.get("/lab/square?n=7", auth=("alice", "secret"), headers=headers)
    assert answer.json()["square"] == 49
    assert behind.accesses(wanted)["principal"] == "alice"
    assert users.get("/-/metrics", auth=("alice", "secret"), headers=headers).status_code == 403
    assert users.get("/lab/square?n=7", headers=headers).status_code == 401
    assert users.get("/lab/square?n=7", auth=("operator", "wrong"), headers=headers).status_code == 401


@pytest.mark.slow
def test_a_restart_of_the_workers_is_not_seen(direct: Front, behind: Behind) -> None:
    """HUP under load: every request is answered, though connections to the old workers are kept."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            statuses.append(direct.fresh("/lab/square?n=7").status_code)

    before = {each.pid for each in behind.workers()}
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        behind.process.send_signal(1)
        try:
            until(lambda: not before & {each.pid for each in behind.workers()}, what="the end of the old workers")
        finally:
            over.set()
    assert [each.result() for each in asking] == [None] * 4
    assert set(statuses) == {200}


def test_a_service_that_is_away_is_a_problem_that_passes(start_nginx: Callable[..., Front], behind: Behind) -> None:
    """503 with Retry-After, which clients understand, and not nginx's own page."""
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(behind.place / "nobody.sock"))
    front = start_nginx(
        "nginx-direct.conf", behind, is_public=False, **{"/run/rave.sock": str(behind.place / "nobody.sock")}
    )
    answer = front.get("/lab/square?n=7")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert json.loads(answer.content)["status"] == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_configurations_pass_their_own_check(direct: Front, users: Front) -> None:
    """nginx had nothing to warn of when it started."""
    for front in (direct, users):
        assert "[warn]" not in Path(front.place / "said.log").read_text()
        assert "[emerg]" not in (front.place / "error.log").read_text()

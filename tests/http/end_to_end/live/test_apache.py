"""Apache in front of the service, as ``apache-direct.conf`` and ``apache-sendfile.conf`` of the examples have it."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

Behind = Any  # of the conftest
Front = Any  # as above
MODULES = ("proxy", "proxy_http", "headers")
PASSWORD = """
<Location "/rave-proxy/">
    AuthType Basic
    AuthName RAVE
    AuthUserFile {path}
    Require valid-user
</Location>
"""


@pytest.fixture(scope="module")
def service(start_behind: Callable[..., Behind]) -> Behind:
    """The service, known by the path that mod_rave had."""
    return start_behind("/rave-proxy", users=["carol"])


@pytest.fixture(scope="module")
def front(start_apache: Callable[..., Front], service: Behind) -> Front:
    """Apache, which passes everything on."""
    return start_apache("apache-direct.conf", service, *MODULES)


def name() -> str:
    """An argument that no other test uses."""
    return f"n{time.time_ns()}"


def test_products_come_through(front: Front) -> None:
    """With their validators, by GET, HEAD and POST."""
    first, second = front.get("/lab/square?n=7"), front.get("/lab/square?n=7")
    assert second.json() == {"n": 7, "square": 49}
    assert second.headers["Cache-Status"].startswith("rave; hit")
    assert front.get("/lab/square?n=7", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    head = front.ask("HEAD", "/lab/square?n=7")
    assert (head.headers["ETag"], head.content) == (first.headers["ETag"], b"")
    assert front.ask("POST", "/lab/square", json={"n": 5}).json()["square"] == 25
    part = front.get("/lab/square?n=7", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, first.content[1:4])


def test_tickets_lead_back_through_apache(front: Front) -> None:
    """They name the public URL, which gives the product."""
    path = f"/lab/slow?name={name()}&seconds=0.3"
    ticket = front.get(path, headers={"Prefer": "respond-async"})
    assert ticket.status_code == 202
    assert ticket.headers["Location"].startswith(f"{front.url}/rave-proxy/-/products/lab/slow/")
    assert requests.get(ticket.headers["Location"], headers={"Prefer": "wait=10"}, timeout=20).text.endswith("slept")
    reference = front.get(path, headers={"Prefer": "return=minimal"})
    assert (reference.status_code, reference.headers["Location"]) == (303, ticket.headers["Location"])


def test_events_are_not_held_back(front: Front, service: Behind) -> None:
    """The first event of a computation arrives before it may end."""
    ticket = front.get(f"/lab/gated?name={(wanted := name())}", headers={"Prefer": "respond-async"}).json()
    arrived = []
    with requests.get(ticket["links"]["events"], stream=True, timeout=20) as stream:
        for line in stream.iter_lines(chunk_size=1):
            if line.startswith(b"event:"):
                arrived.append(line.split()[1].decode())
                service.open_gate(wanted)
    assert {"progress", "done"} <= set(arrived)


def test_problems_are_those_of_the_service(front: Front) -> None:
    """Apache puts no page of its own in their place."""
    for path, status in (("/lab/nothing", 404), ("/lab/square?m=1", 400), ("/-/metrics", 401)):
        answer = front.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_a_body_that_is_too_large_is_refused_by_the_service(front: Front) -> None:
    """Its problem reaches the client, though it did not read the body to its end."""
    headers = {"Content-Type": "application/json"}
    answer = front.ask("POST", "/lab/square", data=b" " * ((1 << 20) + 1), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_the_log_has_client_and_request(front: Front, service: Behind) -> None:
    """The address that Apache saw, not what the client says; and the ID that it sent."""
    wanted = name()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10, source_address=("127.0.0.2", 0))
    smuggled = {"X-Forwarded-For": "192.0.2.66", "X-Request-ID": wanted, "X-Remote-User": "operator"}
    connection.request("GET", "/rave-proxy/-/metrics", headers=smuggled)
    assert connection.getresponse().status == 401
    connection.close()
    line = service.accesses(wanted)
    assert (line["client"], line["principal"]) == ("127.0.0.2", "-")


def test_an_api_key_comes_through(front: Front, service: Behind) -> None:
    """And the answer is for its user alone."""
    answer = front.get("/lab/square?n=7", headers={"Authorization": f"Bearer {service.keys['carol']}"})
    assert answer.headers["Cache-Control"].startswith("private, ")


def test_users_of_apache_are_users_of_the_service(start_apache: Callable[..., Front], service: Behind) -> None:
    """Where Apache asks for a password, its user is who asks, whatever header the client sends."""
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout
    path = service.place / "rave.users"
    path.write_text(f"alice:{hashed}")
    front = start_apache("apache-direct.conf", service, *MODULES, is_public=False, more=PASSWORD.format(path=path))
    wanted = name()
    headers = {"X-Remote-User": "operator", "X-Request-ID": wanted}
    assert front.get("/-/metrics", auth=("alice", "secret"), headers=headers).status_code == 403
    assert service.accesses(wanted)["principal"] == "alice"
    assert front.get("/-/version", headers=headers).status_code == 401


@pytest.mark.slow
def test_apache_sends_files_with_the_headers_of_the_service(
    start_apache: Callable[..., Front], start_behind: Callable[..., Behind]
) -> None:
    """By mod_xsendfile: validators, type and name are ours; ranges are those of the file."""
    service = start_behind("/rave-proxy", sendfile='"x-sendfile"')
    front = start_apache("apache-sendfile.conf", service, *MODULES, "xsendfile")
    path = f"/lab/files/document?size={8 << 20}"
    whole = front.get(path)
    assert whole.content == bytes(range(256)) * (8 << 12)
    assert "X-Sendfile" not in whole.headers
    assert whole.headers["Content-Type"] == "application/pdf"
    assert whole.headers["Content-Disposition"] == 'inline; filename="lab-files-document.pdf"'
    own = service.headers(path)
    assert (own["content-length"], own["x-sendfile"].endswith(".pdf")) == ("0", True)
    names = ("etag", "last-modified", "x-content-type-options")
    assert {each: whole.headers[each] for each in names} == {each: own[each] for each in names}
    known = front.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (known.status_code, known.headers["ETag"]) == (304, whole.headers["ETag"])
    part = front.get(path, headers={"Range": "bytes=256-511", "If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, bytes(range(256)))

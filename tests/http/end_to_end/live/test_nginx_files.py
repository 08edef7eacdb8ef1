"""Large files: sent by nginx, as ``nginx-accel.conf`` of the examples has it, and by the service itself."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import requests

Behind = Any  # of the conftest
Front = Any  # as above
MEBIBYTE = 1 << 20
SIZE = 100 * MEBIBYTE
LARGE = f"/lab/files/document?size={SIZE}"
FLAT = 24 * MEBIBYTE  # by which a worker may grow, much less than one of these files
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(start_behind: Callable[..., Behind]) -> Behind:
    """The service, which has nginx send files."""
    return start_behind("/rave", sendfile='"x-accel"')


@pytest.fixture(scope="module")
def front(start_nginx: Callable[..., Front], service: Behind) -> Front:
    """nginx in front of it, with a file of 100 MiB that is made already."""
    front = start_nginx("nginx-accel.conf", service, **{"/var/cache/rave": f"{service.place}/cache"})
    assert front.ask("HEAD", LARGE).headers["Content-Length"] == str(SIZE)
    return front


@contextmanager
def connected(service: Behind, target: str) -> Iterator[socket.socket]:
    """A connection on which ``target`` was asked for."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(service.socket))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: rave\r\nConnection: close\r\n\r\n".encode())
        yield client


@contextmanager
def growth(workers: list[psutil.Process]) -> Iterator[list[int]]:
    """Watches by how many bytes each of the processes grows; the list has the largest when it is over."""
    before = [each.memory_info().rss for each in workers]
    grown = [0] * len(workers)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            now = [each.memory_info().rss for each in workers]
            grown[:] = [max(most, new - old) for most, new, old in zip(grown, now, before, strict=True)]

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield grown
        finally:
            over.set()
    watching.result()


def fetched(url: str) -> str:
    """The digest of what a URL gives, which is not kept in memory."""
    digest = hashlib.sha256()
    with requests.get(url, stream=True, timeout=60) as answer:
        for chunk in answer.iter_content(MEBIBYTE):
            digest.update(chunk)
    return digest.hexdigest()


def test_nginx_sends_it_with_the_headers_of_the_service(front: Front, service: Behind) -> None:
    """Validators, type, name and freshness are ours, though the bytes are not."""
    own = service.headers(LARGE)
    assert (own["content-length"], "x-accel-redirect" in own) == ("0", True)
    answer = front.ask("HEAD", LARGE)
    for name in ("etag", "last-modified", "content-type", "content-disposition", "vary", "x-content-type-options"):
        assert answer.headers[name] == own[name]
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert answer.headers["Cache-Status"].startswith("rave; hit")
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Content-Length"] == str(SIZE)
    assert "X-Request-ID" in answer.headers
    assert "X-Accel-Redirect" not in answer.headers


def test_ranges_are_those_of_the_file(front: Front) -> None:
    """One range gives the part, if the validator holds; several give the whole; one beyond the end is our problem."""
    etag = front.ask("HEAD", LARGE).headers["ETag"]
    part = front.get(LARGE, headers={"Range": f"bytes={SIZE - 256}-", "If-Range": etag})
    assert (part.status_code, part.content, part.headers["ETag"]) == (206, bytes(range(256)), etag)
    assert part.headers["Content-Range"] == f"bytes {SIZE - 256}-{SIZE - 1}/{SIZE}"
    for headers in ({"Range": "bytes=0-9", "If-Range": '"other"'}, {"Range": "bytes=0-9, 20-29"}):
        with front.get(LARGE, headers=headers, stream=True) as whole:
            assert (whole.status_code, whole.headers["Content-Length"]) == (200, str(SIZE))
    beyond = front.get(LARGE, headers={"Range": f"bytes={SIZE}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert beyond.headers["Content-Type"] == "application/problem+json"


def test_whoever_has_it_is_told_so_by_the_service(front: Front) -> None:
    """304, with our validator, by either condition."""
    known = front.ask("HEAD", LARGE).headers
    for headers in ({"If-None-Match": known["ETag"]}, {"If-Modified-Since": known["Last-Modified"]}):
        answer = front.get(LARGE, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", known["ETag"])
    with front.get(LARGE, headers={"If-None-Match": '"other"'}, stream=True) as changed:
        assert changed.status_code == 200


def test_the_files_are_not_to_be_had_without_the_service(front: Front, service: Behind) -> None:
    """Neither by the internal location's name, nor by a header of the client."""
    inside = service.headers(LARGE)["x-accel-redirect"]
    assert inside.startswith("/-/files/lab/files/document/")
    assert requests.get(f"{front.url}{inside}", timeout=10).status_code == 404
    smuggled = front.get("/-/version", headers={"X-Accel-Redirect": inside})
    assert "rave" in smuggled.json()


def test_the_service_does_not_grow_while_nginx_sends(front: Front, service: Behind) -> None:
    """Five downloads at once, each of them whole."""
    with growth(service.workers()) as grown, ThreadPoolExecutor(5) as pool:
        digests = set(pool.map(fetched, [f"{front.url}/rave{LARGE}"] * 5))
    assert digests == {hashlib.sha256(bytes(range(256)) * (SIZE // 256)).hexdigest()}
    assert max(grown) < FLAT


def test_the_service_sends_to_slow_clients_without_growing(behind: Behind) -> None:
    """Two that hardly read hold up neither memory nor anybody else, and get what they asked for once they read on."""
    behind.headers(LARGE)
    for number in range(20):
        behind.headers(f"/lab/square?n={number}")
    with growth(behind.workers()) as grown, connected(behind, LARGE) as one, connected(behind, LARGE) as other:
        for number in range(100):
            for client in (one, other):
                client.recv(1 << 14)
            # This thread reads on only once it has the answer: if it waited for the two, neither would go on.
            assert behind.headers(f"/lab/square?n={number % 20}")["cache-status"].startswith("rave; hit")
        rest = 0
        while chunk := one.recv(MEBIBYTE):
            rest += len(chunk)
    assert SIZE - 100 * (1 << 14) <= rest <= SIZE
    assert max(grown) < FLAT

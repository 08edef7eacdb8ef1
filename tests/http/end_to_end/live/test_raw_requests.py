"""Requests byte by byte: forms of the target, names of the host, ambiguous lengths, and bodies that wait to be sent."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import pytest

Service = Any  # RunningService of the conftest
HOST = b"Host: localhost\r\n"
POST = b"POST /lab/rows HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
HIDDEN = b"GET /-/version HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
"""A second request, which must be answered only if it is one."""


def said(service: Service, *parts: bytes) -> tuple[list[int], bytes]:
    """The status of each answer on one connection, and all that came until it was closed or silent."""
    port, got = int(service.url.rpartition(":")[2]), b""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        for part in parts:
            client.sendall(part)
            client.settimeout(10 if part is parts[-1] else 0.1)
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while data := client.recv(65536):
                    got += data
                    if part is parts[-1]:
                        client.settimeout(0.7)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", got)], got


def status(service: Service, target: bytes, *headers: bytes, method: bytes = b"GET") -> list[int]:
    """The status of the answer to a request with this target."""
    lines = headers or (HOST.strip(),)
    return said(service, b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, target, b"\r\n".join(lines)))[0]


def test_a_target_may_be_a_url(shared_service: Service) -> None:
    """Its host counts in place of the header (RFC 9112, 3.2.2)."""
    assert status(shared_service, b"http://localhost/-/livez") == [200]
    assert status(shared_service, b"HTTP://127.0.0.1:80/lab/rows?n=1") == [200]
    assert status(shared_service, b"http://localhost") == [200]
    assert status(shared_service, b"http://localhost/-/livez", b"Host: foreign.example") == [200]
    assert status(shared_service, b"http://foreign.example/-/livez") == [421]
    assert status(shared_service, b"http://localhost/-/livez", b"X-A: no host") == [400]
    for target in (b"ftp://localhost/-/livez", b"http://me@localhost/-/livez", b"http:///-/livez", b"mailto:me"):
        assert status(shared_service, target) == [400]


def test_a_request_can_be_about_the_service_itself(shared_service: Service) -> None:
    """``OPTIONS *`` says what is possible somewhere; a proxy is not."""
    codes, answer = said(shared_service, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    assert codes == [200]
    assert b"allow: get, head, post, query, put, patch, delete, options\r\n" in answer.lower()
    assert status(shared_service, b"*", b"Host: foreign.example", method=b"OPTIONS") == [421]
    assert status(shared_service, b"*") == [400]
    assert status(shared_service, b"localhost:443", method=b"CONNECT") == [405]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(
            (name, 200)
            for name in (b"localhost", b"LOCALHOST:1", b"a.localhost", b"127.0.0.1", b"[::1]:8888", b"localhost.")
        ),
        *((name, 421) for name in (b"foreign.example", b"localhost.foreign.example", b"2130706433", b"0x7f.1")),
        *(
            (name, 400)
            for name in (b"", b"a b", b"localhost:x", b"[::1", b"me@localhost", b"localhost, b", b"h\xe9", b"a/b")
        ),
    ],
)
def test_a_host_is_ours_foreign_or_none(shared_service: Service, host: bytes, expected: int) -> None:
    """200, 421 and 400."""
    assert status(shared_service, b"/-/livez", b"Host: " + host) == [expected]


def test_a_host_is_named_once(shared_service: Service) -> None:
    """In HTTP/1.1; older clients need not name any."""
    assert status(shared_service, b"/-/livez", b"X-A: b") == [400]
    assert status(shared_service, b"/-/livez", b"Host: localhost", b"Host: localhost") == [400]
    assert said(shared_service, b"GET /-/livez HTTP/1.0\r\n\r\n")[0] == [200]


def test_an_empty_line_before_a_request_is_skipped(shared_service: Service) -> None:
    """Old clients send one after a body (RFC 9112, 2.2)."""
    assert said(shared_service, b"\r\nGET /-/livez HTTP/1.1\r\n" + HOST + b"\r\n")[0] == [200]


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
def test_another_protocol_is_not_taken_up(shared_service: Service, protocol: bytes) -> None:
    """The wish is ignored (RFC 9110, 7.8)."""
    headers = (HOST.strip(), b"Connection: Upgrade", b"Upgrade: " + protocol, b"Sec-WebSocket-Version: 13")
    assert status(shared_service, b"/-/livez", *headers, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") == [200]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"POST /nowhere/a HTTP/1.1\r\n" + HOST, 404),
        (b"POST /-/livez HTTP/1.1\r\n" + HOST, 405),
        (b"POST /-/statistics HTTP/1.1\r\n" + HOST, 401),
        (b"POST /lab/rows HTTP/1.1\r\nHost: foreign.example\r\n", 421),
        (POST.replace(b"Content-Type", b"Content-Length: 99999999999\r\nContent-Type"), 413),
    ],
)
def test_a_body_that_waits_is_not_called_for_when_it_would_be_refused(
    shared_service: Service, head: bytes, expected: int
) -> None:
    """The answer comes at once, without 100 (RFC 9110, 10.1.1), and the connection ends."""
    length = b"" if b"Content-Length" in head else b"Content-Length: 2\r\n"
    codes, answer = said(shared_service, head + b"Expect: 100-continue\r\n" + length + b"\r\n")
    assert codes == [expected]
    assert b"connection: close" in answer.lower()


def test_a_body_that_waits_is_called_for(shared_service: Service) -> None:
    """Once; and not at all if it comes by itself."""
    head = POST + b"Expect: 100-continue\r\nContent-Length: 7\r\n\r\n"
    assert said(shared_service, head, b'{"n":1}')[0] == [100, 200]
    assert said(shared_service, head + b'{"n":1}')[0] in ([200], [100, 200])
    assert said(shared_service, b"GET /-/livez HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n")[0] == [200]


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
        POST + b"Content-Length: +2\r\n\r\n{}",
        POST + b"Content-Length: 0x2\r\n\r\n{}",
        POST + b"Content-Length: 2, 2\r\n\r\n{}",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        POST + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"X-A: b\nContent-Length: 2\r\n\r\n{}",
        POST + b"X-A: b\rContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}",
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2;a\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2\r\n{}\n0\r\n\r\n",
        CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_an_ambiguous_request_is_refused_with_its_connection(shared_service: Service, request_: bytes) -> None:
    """A proxy in front may have seen another end of it, so nothing that follows counts as a request."""
    codes, _ = said(shared_service, request_ + HIDDEN)
    assert codes == [400]


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"xchunked"])
def test_an_unknown_transfer_coding_is_refused(shared_service: Service, coding: bytes) -> None:
    """Its body would be taken for something else."""
    codes, answer = said(shared_service, POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + HIDDEN)
    assert codes == [501]
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    "request_",
    [
        CHUNKED + b'7;name="a value"\r\n{"n":2}\r\n0\r\n\r\n',
        CHUNKED.replace(b"chunked", b"Chunked") + b'3\r\n{"n\r\n4\r\n":2}\r\n0\r\nX-Trailer: a\r\n\r\n',
        POST + b'Transfer_Encoding: chunked\r\nContent-Length: 7\r\n\r\n{"n":2}',
        b"GET /lab/rows?n=2 HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    ],
)
def test_a_request_ends_where_it_says(shared_service: Service, request_: bytes) -> None:
    """And the next begins there."""
    assert said(shared_service, request_ + HIDDEN)[0] == [200, 200]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"POST", b"/-/cache/purge"),
        (b"POST", b"/-/log"),
        (b"POST", b"/-/namespaces/lab/reload"),
        (b"POST", b"/-/statistics"),
        (b"DELETE", b"/-/products/lab/rows/0/0"),
        (b"DELETE", b"/-/products/lab/rows/0/0/job"),
    ],
)
def test_who_may_not_is_refused_before_the_body_is_read(shared_service: Service, method: bytes, path: bytes) -> None:
    """Here none ever comes."""
    assert status(shared_service, path, HOST.strip(), b"Content-Length: 2", method=method) in ([401], [404])


def test_a_body_in_tiny_pieces_is_refused(shared_service: Service) -> None:
    """Each piece costs a worker time, whatever it holds: those of a long body may not be tiny on average."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    codes, answer = said(shared_service, head + b"1\r\n \r\n" * 2000)
    assert codes == [400]
    assert b"chunks of less than 32 bytes" in answer
    few = b"1\r\n \r\n" * 500 + b"2\r\n{}\r\n0\r\n\r\n"
    large = (b"40\r\n" + b" " * 64 + b"\r\n") * 2000 + b"2\r\n{}\r\n0\r\n\r\n"
    for body in (few, large):
        assert said(shared_service, head + body)[0] == [200]

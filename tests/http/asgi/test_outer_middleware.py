"""The envelope around the application: request IDs, traces, failures, and clients that leave."""

from __future__ import annotations

import asyncio
import contextvars
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rave_http.asgi.outer_middleware import OuterMiddleware
from rave_http.protocol.proxies import Proxies
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.tracing import child_of, current_trace, trace_id, traceparent

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
BODY = {"type": "http.response.body", "body": b"12345"}
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Witness:
    """Stands for metrics and for the access log, and remembers what it was told."""

    lines_dropped = None

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.dropped = 0

    def follow(self, *_: Any) -> None:
        """Takes a number to follow."""

    def observe(self, method: str, path: str, note: RequestRecord, seconds: float) -> None:
        """Takes a request as metrics do."""
        self.seen.append((method, path, note.status))

    def note(self, scope: Any, note: RequestRecord, seconds: float, user_agent: bytes) -> None:
        """Takes a request as the access log does."""
        self.seen.append((note.status, note.sent, note.client, user_agent))


def scope_of(*headers: tuple[bytes, bytes], method: str = "GET", client: Any = ("192.0.2.1", 5)) -> dict[str, Any]:
    """The scope of a request."""
    found = {"type": "http", "method": method, "path": "/flow/top", "query_string": b""}
    return found | {"headers": list(headers), "client": client}


def answer(inner: Application, scope: dict[str, Any] | None = None, **parts: Any) -> list[dict[str, Any]]:
    """What the server gets to send."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    # A context of its own, as a server gives each connection.
    contextvars.copy_context().run(asyncio.run, OuterMiddleware(inner, **parts)(scope or scope_of(), receive, send))
    return sent


async def fine(scope: Any, receive: Any, send: Any) -> None:
    """Answers as it should."""
    await receive()
    await send(START)
    await send({**BODY, "more_body": True})
    await send(BODY)


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Fails at once."""
    raise ZeroDivisionError("a mistake")


async def torn(scope: Any, receive: Any, send: Any) -> None:
    """Fails in the middle of its answer."""
    await send(START)
    raise ZeroDivisionError("a mistake")


@pytest.mark.parametrize("given", [b"x", b"A-1._~+/=9", b"a" * 128])
def test_a_well_formed_request_id_is_kept(given: bytes) -> None:
    """It comes back in the response, after the application's own headers."""
    [start, *_] = answer(fine, scope_of((b"x-request-id", given)))
    assert start["headers"] == [(b"a", b"b"), (b"x-request-id", given)]


@pytest.mark.parametrize("given", [b"", b"a b", b"a\n", b"a" * 129, b"\xff", b'"', None])
def test_any_other_request_id_is_replaced(given: bytes | None) -> None:
    """By one of ours, which is new each time."""
    headers = [] if given is None else [(b"x-request-id", given)]
    seen = [answer(fine, scope_of(*headers))[0]["headers"][-1][1] for _ in range(2)]
    assert all(re.fullmatch(rb"[0-9a-f]{12}-1", identifier) for identifier in seen)
    assert seen[0] != seen[1]


def test_headers_of_the_application_are_left_alone() -> None:
    """It may use its list again."""
    answer(fine)
    assert START["headers"] == [(b"a", b"b")]


def test_a_request_is_noted_and_told_of() -> None:
    """The application finds the note in its scope; metrics and the access log get it at the end."""
    metrics, log = Witness(), Witness()
    scope = scope_of((b"user-agent", b"curl"), (b"traceparent", PARENT))
    answer(fine, scope, metrics=metrics, access_log=log)
    assert metrics.seen == [("GET", "/flow/top", 200)]
    assert log.seen == [(200, 10, "192.0.2.1", b"curl")]
    assert scope["rave"].trace[:35] == PARENT[:35].decode()


def test_a_failure_before_the_answer_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns the ID of its request; the traceback is in the log alone."""
    log = Witness()
    start, body = answer(failing, scope_of((b"x-request-id", b"mine")), access_log=log, base="https://x.example")
    headers = dict(start["headers"])
    problem = json.loads(body["body"])
    assert (start["status"], headers[b"content-type"], headers[b"x-request-id"], headers[b"cache-control"]) == (
        500,
        b"application/problem+json",
        b"mine",
        b"no-store",
    )
    assert int(headers[b"content-length"]) == len(body["body"])
    assert (problem["type"], problem["status"], problem["instance"]) == (
        "https://x.example/-/problems/internal-error",
        500,
        "/flow/top",
    )
    assert "request mine" in problem["detail"]
    assert "mistake" not in str(body)
    assert "request mine: GET '/flow/top' failed" in caplog.text
    assert "ZeroDivisionError: a mistake" in caplog.text
    assert log.seen[0][:2] == (500, len(body["body"]))


def test_a_failure_of_a_head_request_has_no_body() -> None:
    """But the length that it would have."""
    start, body = answer(failing, scope_of(method="HEAD"))
    assert body["body"] == b""
    assert int(dict(start["headers"])[b"content-length"]) > 100


def test_an_application_that_says_nothing_has_failed() -> None:
    """The client gets an answer nevertheless."""

    async def mute(scope: Any, receive: Any, send: Any) -> None:
        pass

    assert answer(mute)[0]["status"] == 500


def test_a_failure_after_the_start_goes_on_to_the_server() -> None:
    """It can only hang up; the request is told of all the same."""
    log = Witness()
    with pytest.raises(ZeroDivisionError):
        answer(torn, access_log=log)
    assert log.seen[0][0] == 200


def left(inner: Application, *, cancel: bool) -> Witness:
    """What is told of a request whose client leaves at once."""
    log = Witness()

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    async def run() -> None:
        task = asyncio.create_task(OuterMiddleware(inner, access_log=log)(scope_of(), receive, send))  # type: ignore[arg-type]  # what hints would refuse
        await asyncio.sleep(0)
        if cancel:
            task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    return log


def test_a_client_that_left_is_status_499() -> None:
    """Whether the application was told so, gave up, or was given up."""

    async def sleeping(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def giving_up(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    for inner, cancel in ((sleeping, True), (fine, False), (giving_up, False)):
        assert left(inner, cancel=cancel).seen[0][0] == 499


def test_a_client_that_has_its_answer_may_leave() -> None:
    """Then the status is that of the answer."""

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY)
        await receive()

    assert left(watching, cancel=False).seen[0][0] == 200


def test_the_client_behind_a_trusted_proxy_is_told() -> None:
    """Nobody else's word about it is believed."""
    headers = [(b"x-forwarded-for", b"6.6.6.6, 198.51.100.7")]
    for proxies, seen in ((Proxies(["192.0.2.1"]), "198.51.100.7"), (None, "192.0.2.1")):
        log = Witness()
        answer(fine, scope_of(*headers), access_log=log, proxies=proxies)
        assert log.seen[0][2] == seen


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_goes_through_untouched(kind: str) -> None:
    """The application gets the very same objects."""
    seen: list[Any] = []

    async def inner(*given: Any) -> None:
        seen.extend(given)

    given = ({"type": kind}, object(), object())
    asyncio.run(OuterMiddleware(inner, metrics=Witness(), access_log=Witness())(*given))  # type: ignore[arg-type]  # what hints would refuse
    assert all(one is other for one, other in zip(seen, given, strict=True))
    assert "rave" not in given[0]


def test_bodies_find_the_trace_in_their_thread() -> None:
    """A context variable has it, which threads started through our executors get a copy of."""
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await asyncio.to_thread(traceparent))
        await fine(scope, receive, send)

    answer(inner, scope_of((b"traceparent", PARENT)))
    assert re.fullmatch(r"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", seen[0])
    assert current_trace.get() == ""


@pytest.mark.parametrize(
    ("parent", "flags"),
    [
        (PARENT, "01"),
        (PARENT[:-2] + b"00", "00"),
        (PARENT[:-2] + b"ff", "01"),
        (b"01" + PARENT[2:], "01"),
        (b"cc" + PARENT[2:] + b"-more-of-it", "01"),
    ],
)
def test_a_trace_is_continued(parent: bytes, flags: str) -> None:
    """With a span of ours, in the version that we speak, and of the flags only what it defines."""
    child = child_of(parent)
    assert re.fullmatch(f"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{{16}}-{flags}", child)
    assert child[36:52] != "00f067aa0ba902b7"
    assert trace_id(child) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"",
        b"nonsense",
        PARENT.upper(),
        b"ff" + PARENT[2:],
        PARENT + b"-",
        PARENT + b"-more",
        PARENT + b"0",
        b"cc" + PARENT[2:] + b"0",
        PARENT[:-1],
        PARENT + b"\n",
        PARENT.replace(b"4bf92f3577b34da6a3ce929d0e0e4736", b"0" * 32),
        PARENT.replace(b"00f067aa0ba902b7", b"0" * 16),
        PARENT.replace(b"-", b"_"),
    ],
)
def test_a_malformed_trace_is_a_new_one(parent: bytes | None) -> None:
    """As where there is none; each is another."""
    child = child_of(parent)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", child)
    assert trace_id(child) != trace_id(child_of(parent))
    assert "4bf92f3577b34da6a3ce929d0e0e4736" not in child


def test_two_traces_are_none() -> None:
    """Nobody knows which of them to continue."""
    scope = scope_of((b"traceparent", PARENT), (b"traceparent", PARENT))
    answer(fine, scope)
    assert trace_id(scope["rave"].trace) not in PARENT.decode()

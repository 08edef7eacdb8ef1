"""Middleware of plugins runs in threads: what it does counts, and what it does too late does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import falcon
import falcon.asgi
import falcon.testing
import pytest

from rave_http.asgi.plugin_middleware import kept_apart
from rave_http.executors.foreign_code import ForeignCode
from rave_http.hookspecs import inline
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord

seen: ContextVar[str] = ContextVar("seen", default="nothing")


class Resource:
    """Says what the middleware left, and where it runs."""

    async def on_get(self, req: Any, resp: Any) -> None:
        """Answers."""
        resp.text = f"{seen.get()} in {threading.current_thread().name}"


class Marking:
    """Middleware that uses all that it may."""

    def __init__(self) -> None:
        self.started = False

    async def process_startup(self, scope: Any, event: Any) -> None:
        """Notes it."""
        self.started = True

    async def process_request(self, req: Any, resp: Any) -> None:
        """Waits as asyncio does, sets a variable, and a header."""
        await asyncio.sleep(0.001)
        seen.set(f"{req.path} of {threading.current_thread().name}")
        resp.append_header("X-Mark", "request")

    async def process_resource(self, req: Any, resp: Any, resource: Any, params: Any) -> None:
        """Adds to the header."""
        resp.append_header("X-Mark", type(resource).__name__)

    async def process_response(self, req: Any, resp: Any, resource: Any, req_succeeded: bool) -> None:
        """Adds to the header, and changes the answer."""
        resp.append_header("X-Mark", str(req_succeeded))
        resp.text = f"{resp.text}!"


class Refusing:
    """Middleware that refuses everything."""

    async def process_request(self, req: Any, resp: Any) -> None:
        """Refuses."""
        raise falcon.HTTPForbidden(title="not you")


@pytest.fixture(name="ask")
def _ask() -> Callable[..., Any]:
    """Asks an application with middleware; gives the result."""

    def ask(component: Any, *, seconds: float = 10.0) -> Any:
        app = falcon.asgi.App(middleware=[kept_apart(component, "mine", ForeignCode(), seconds=seconds)])
        app.add_route("/here", Resource())

        async def problem(req: Any, resp: Any, error: Problem, params: Any) -> None:
            resp.status, resp.text = error.status, error.detail

        app.add_error_handler(Problem, problem)

        async def outer(scope: Any, receive: Any, send: Any) -> None:
            scope["rave"] = RequestRecord()
            await app(scope, receive, send)

        return falcon.testing.simulate_get(outer, "/here")

    return ask


def test_all_that_it_does_counts(ask: Callable[..., Any]) -> None:
    """Headers, the body of the answer, context variables; it runs in a thread, and the resource does not."""
    component = Marking()
    found = ask(component)
    assert found.headers["X-Mark"] == "request, Resource, True"
    assert found.text.startswith("/here of rave-foreign")
    assert found.text.endswith(" in MainThread!")
    assert component.started


def test_what_it_raises_counts(ask: Callable[..., Any]) -> None:
    """A refusal by Falcon's own errors is one."""
    assert ask(Refusing()).status_code == 403


def test_what_never_waits_may_stay_in_the_loop(ask: Callable[..., Any]) -> None:
    """Marked so, it is called there."""
    inline(component := Marking())
    assert kept_apart(component, "mine", ForeignCode()) is component
    assert ask(component).text == "/here of MainThread in MainThread!"


@pytest.fixture(name="gate")
def _gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_one_that_blocks_ends_its_request_after_a_time(ask: Callable[..., Any], gate: threading.Event) -> None:
    """With advice to ask again; what it does to the response later changes nothing."""

    class Blocking:
        async def process_request(self, req: Any, resp: Any) -> None:
            gate.wait()
            resp.set_header("X-Late", "1")

    found = ask(Blocking(), seconds=0.1)
    gate.set()
    assert (found.status_code, "X-Late" in found.headers) == (503, False)
    assert "mine did not let the request pass" in found.text

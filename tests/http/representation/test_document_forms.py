"""Which clients want another form of a document than the service has, and what they get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from rave_core.plugins.discovery import FoundPlugin
from rave_http.executors.foreign_code import ForeignCode
from rave_http.hookspecs import Accept, DocumentForm, hookimpl
from rave_http.plugins.discovery import HttpPlugins
from rave_http.protocol.problems import Problem
from rave_http.worker.document_sender import DocumentSender

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "wants", "is_other"),
    [
        ("", False, False),
        ("*/*", False, False),
        ("application/json", False, False),
        (BROWSER, False, False),
        ("application/shoji+json", True, True),
        ("Application/Shoji+JSON; q=0.9, application/json;q=0.5", True, True),
        ("application/shoji+json, */*", True, True),
        ("application/shoji+json, application/json", False, False),
        ("application/shoji+json;q=0", False, False),
        ("application/shoji+json;q=x", False, False),
        ("text/csv, */*", False, True),
        ("nonsense", False, False),
    ],
)
def test_a_header_wants_what_it_names_rather_than_json(header: str, wants: bool, is_other: bool) -> None:
    """``*/*`` wants what the service has by itself, and so does a browser."""
    accept = Accept(header, is_name=False)
    assert (accept.wants("shoji", "application/shoji+json"), accept.is_other) == (wants, is_other)


def test_a_name_wants_the_form_of_that_name() -> None:
    """Or of that media type, whose plus sign may have become a blank."""
    for name in ("shoji", "Shoji ", "application/shoji+json", "application/shoji json"):
        assert Accept(name, is_name=True).wants("shoji", "application/shoji+json")
    assert not Accept("csv", is_name=True).wants("shoji", "application/shoji+json")


def fails(document: dict[str, Any]) -> Any:
    """Spoils its copy, and raises."""
    document.clear()
    raise RuntimeError("no luck")


def answer(make: Callable[[dict[str, Any]], Any] | None, *, header: str = "", form: str | None = None) -> Any:
    """The response to a request for a document, with a plugin that makes forms of it."""

    class Plugin:
        @hookimpl
        def rave_http_represent(self, document: dict[str, Any], accept: Accept) -> Any:
            assert make is not None
            return make(document) if accept.wants("shoji", "application/shoji+json") else None

    plugins = HttpPlugins([] if make is None else [FoundPlugin("mine", "mine", Plugin())])
    foreign = ForeignCode()

    async def document() -> dict[str, Any]:
        return {"operations": []}

    async def play() -> Any:
        req = falcon.asgi.Request(testing.create_scope(headers={"Accept": header} if header else None), None)
        resp = falcon.asgi.Response()
        await DocumentSender(plugins, foreign).send(req, resp, "catalog", document, form=form)
        return resp

    try:
        return asyncio.run(play())
    finally:
        foreign.close()


def test_a_plugin_s_form_is_sent_to_those_who_want_it() -> None:
    """Others get JSON; every answer varies by ``Accept``."""
    made = answer(lambda _: DocumentForm("application/shoji+json", b"{}"), header="application/shoji+json")
    assert (made.content_type, made.data, made.get_header("Vary")) == ("application/shoji+json", b"{}", "Accept")
    assert answer(fails, header="text/csv").data == b'{"operations":[]}'
    assert answer(fails, form="json").data == b'{"operations":[]}'


@pytest.mark.parametrize("make", [fails, lambda _: DocumentForm("text/x", "no bytes"), lambda _: "no form"])
def test_a_plugin_that_fails_costs_those_alone_who_named_its_form(make: Any) -> None:
    """Whoever prefers it gets the whole document as JSON."""
    assert answer(make, header="application/shoji+json").data == b'{"operations":[]}'
    with pytest.raises(Exception, match=r"no luck|expected a DocumentForm with bytes"):
        answer(make, form="shoji")


def test_a_form_that_nobody_has_is_refused() -> None:
    """By name; a header is no more than a wish."""
    for make in (None, fails):
        with pytest.raises(Problem, match="no form 'csv'; it can be json"):
            answer(make, form="csv")
    assert answer(None, header="application/shoji+json").data == b'{"operations":[]}'

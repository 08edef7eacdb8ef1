"""Hostile facts: whatever names, docstrings, values and messages hold, a page shows it as text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from rave_core import list_of, op, typemap
from rave_core.plugins.discovery import LoadProblem
from rave_http.description.request_arguments import Asked
from rave_http.pages.views import (
    JobFacts,
    StatusFacts,
    WorkerFacts,
    catalog_page,
    operation_page,
    problem_page,
    status_page,
    ticket_page,
)
from rave_http.protocol.problems import Problem
from tests.http.page_reader import NOON, Page, State

pytestmark = pytest.mark.usefixtures("runtime")

EVIL = """"><script>alert('1')</script>&amp;<b>"""
TICKET = {
    "status": "making",
    "href": EVIL,
    "key": EVIL,
    "operation": f"{EVIL}/{EVIL}",
    "progress": {"done": 1, "total": 2, "text": EVIL},
    "created": "2026-11-25T12:00:00+00:00",
}


@op(name="ui/evil", tags=[EVIL])
@typemap(many=list_of(str))
def evil(a: Any = EVIL, many: Any = (EVIL,), *rest: Any, **others: Any) -> None:
    """<script>alert("docstring")</script> ``<b>`` & more.

    <img src=x onerror=alert(1)> in ``<code>``.

    - <li>

    Args:
        a: <i>help</i>
    """


EVIL_PAGES: dict[str, Callable[[], bytes]] = {
    "catalog": lambda: catalog_page(
        [(f"{EVIL}/{EVIL}", evil)],
        base="",
        may_view=lambda _: True,
        states=[State(EVIL, origin=EVIL, generation=2, error=EVIL, problems=(LoadProblem(EVIL, EVIL, EVIL),))],
        text="script",
        tag=EVIL,
    ),
    "namespace": lambda: catalog_page(
        [(f"{EVIL}/{EVIL}", evil)], base="", may_view=lambda _: True, namespace=EVIL, states=[State(EVIL, error=EVIL)]
    ),
    "operation": lambda: operation_page(
        f"{EVIL}/{EVIL}",
        evil,
        base="",
        origin=EVIL,
        given={"a": [EVIL], "many": [EVIL, "\n"], EVIL: [EVIL], "rave.f": [EVIL]},
        errors={"a": EVIL},
    ),
    "ticket": lambda: ticket_page(
        TICKET,
        Asked(operation="x", texts=((EVIL, EVIL),)),
        seconds=1,
        base="",
        now=NOON,
    ),
    "problem": lambda: problem_page(
        Problem(
            "bad-arguments", EVIL, errors=[{"parameter": EVIL, "detail": EVIL, "schema": {"enum": [EVIL]}}]
        ).document(base=EVIL, instance=f"/{EVIL}/{EVIL}")
        | {"title": EVIL, "available": [EVIL], "traceback": EVIL, "request_id": EVIL, "operation": EVIL},
        base="",
        query=EVIL,
    ),
    "status": lambda: status_page(
        StatusFacts(
            version=EVIL,
            workers=[WorkerFacts(name=EVIL, state=EVIL)],
            jobs=[JobFacts(operation=EVIL, worker=EVIL, state=EVIL, elapsed=1, href=EVIL, arguments=EVIL)],
            statistics={"Operations": {EVIL: {}}},
            caches={"caches": {EVIL: {"url": EVIL, "problem": EVIL}}},
            namespaces=[State(EVIL, kind=EVIL, origin=EVIL, error=EVIL)],
            degraded=[EVIL],
        ),
        base="",
        now=NOON,
    ),
}


@pytest.mark.parametrize("name", EVIL_PAGES)
def test_hostile_facts_are_only_text(name: str) -> None:
    """Names, docstrings, values and messages: no tag of theirs is one of the page's, and no attribute ends early."""
    found = Page(EVIL_PAGES[name]().decode())
    assert found.open_tags == []
    assert found.scripts == (name == "operation")  # our own
    assert "alert('1')" in found.text
    assert not re.search(r"<(b|i|img|li>\.)\b", found.source.partition("<main>")[2])
    assert len(set(found.ids)) == len(found.ids)

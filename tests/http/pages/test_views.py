"""The pages: sound HTML, nothing from elsewhere, and everything that people need to know."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core import op, op_file
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_core.plugins.discovery import LoadProblem
from rave_http.description.request_arguments import Asked
from rave_http.pages.forms import GO
from rave_http.pages.views import catalog_page, operation_page, problem_kind_page, problem_page, ticket_page
from rave_http.protocol.problems import PROBLEMS, Problem
from tests.http.page_reader import BASE, NOON, Page, State, read

pytestmark = pytest.mark.usefixtures("runtime")

TICKET = {
    "status": "making",
    "href": f"{BASE}/-/products/lab/slow/v1/abc",
    "key": "lab/slow/v1/abc",
    "operation": "lab/slow",
    "progress": {"done": 3, "total": 12, "text": "step three"},
    "created": "2026-11-25T12:00:00+00:00",
    "links": {},
}


@op(name="ui/plain", tags=["odd & even"])
def plain(a: Any = 1, *rest: Any, **others: Any) -> None:
    """A plain operation."""


@op_file(name="ui/picture", mime_type="image/png", stale_while_revalidate="5m")
def picture(out: str, width: int) -> None:
    """A picture."""


def everything() -> list[tuple[str, Operation[..., Any]]]:
    """The installed operations, and two of the tests' own."""
    return [*Catalog.installed(), ("ui/plain", plain), ("ui/picture", picture)]


def catalog(base: str = BASE, **keywords: Any) -> Page:
    """The catalog, for whoever may see everything."""
    return read(catalog_page(everything(), base=base, **({"may_view": lambda _: True} | keywords)))


def test_the_catalog_shows_namespaces_and_operations() -> None:
    """With summaries, what they take and make, and links to their forms."""
    found = catalog()
    for text in (
        "flow",
        "timeline",
        "A picture of the traffic over time",
        "[by] [bin]",
        "png",
        "file",
        "*rest **others",
    ):
        assert text in found.text
    assert f"{BASE}/-/ui/flow/top" in found.links
    assert f"{BASE}/flow" in found.links
    assert f"{len(everything())} operations" in found.text
    assert f"{BASE}/" in found.links


def test_the_catalog_can_be_searched_without_a_script() -> None:
    """By a plain form; what was searched for stands in it, and a search without result says so."""
    found = catalog(text="plain operation")
    assert found.fields["text"]["value"] == "plain operation"
    assert "1 operation " in found.text
    assert "Nothing fits." in catalog(text="no such thing").text
    assert "Nothing fits." not in catalog(tag="odd & even").text


def test_the_catalog_tells_of_namespaces_in_trouble() -> None:
    """And not of those that whoever looks may not see."""
    states = [
        State("flow", error="SyntaxError: invalid syntax"),
        State("ui", problems=(LoadProblem("ui/lost", "ui", "it is not an operation"),)),
        State("hidden", error="secret"),
    ]
    found = catalog(states=states, may_view=lambda space: space != "hidden")
    assert "2 namespaces have a problem." in found.text
    assert "SyntaxError: invalid syntax" in found.text
    assert "it is not an operation" in found.text
    assert "secret" not in found.text
    assert "have a problem" not in catalog(states=[State("flow")]).text


def test_a_namespace_has_a_page_of_its_own() -> None:
    """With its operations alone, and where it comes from."""
    found = catalog(namespace="flow", states=[State("flow", generation=3)])
    number = sum(name.startswith("flow/") for name, _ in Catalog.installed())
    assert f"{number} operations · /srv/lab · generation 3" in found.text
    assert "fibonacci" not in found.text
    assert f"{BASE}/flow" in found.links  # the search stays in it


def test_an_empty_catalog_says_what_to_do() -> None:
    """There may be nothing at all."""
    assert "There are no operations that you may see." in catalog(may_view=lambda _: False).text


def form(name: str, operation: Operation[..., Any], **keywords: Any) -> Page:
    """The page of an operation."""
    page = operation_page(name, operation, base=BASE, **keywords)
    return read(page, scripts=1)


def test_an_operations_page_has_a_field_for_each_parameter() -> None:
    """Sent by GET to the page itself, which leads on; the form of the result can be chosen."""
    found = form("flow/top", Catalog.installed().find("flow/top"))
    assert set(found.fields) == {"n", "by", "over", "start", "end", "source", "rave.f"}
    assert found.fields["n"]["type"] == "number"
    assert found.fields["n"]["max"] == "1000000"
    assert found.fields["start"]["type"] == "datetime-local"
    assert f'action="{BASE}/-/ui/flow/top" method="get"' in found.source
    assert f'name="{GO}"' in found.source
    assert "parquet (application/vnd.apache.parquet)" in found.text


def test_an_operations_page_tells_the_facts() -> None:
    """What it makes, when that expires, which version it is, and how a program asks."""
    found = form("ui/picture", picture)
    for text in ("a file image/png", "Expires never", "the old result for 5 min, while a new one is made", "by source"):
        assert text in found.text
    assert f"curl -L '{BASE}/ui/picture?width=WIDTH' -o picture.png" in found.plain
    assert f"rave-get '{BASE}/ui/picture?width=WIDTH' -o picture.png" in found.plain
    assert 'client.fetch("ui/picture", "picture.png", width="WIDTH")' in found.text
    assert "required" in found.fields["width"]


def test_examples_ask_what_stands_in_the_form() -> None:
    """Quoted for the shell; in Python with the types that the arguments have."""
    given = {"n": ["3"], "by": ["flows"], "source": ["it's"]}
    found = form("flow/top", Catalog.installed().find("flow/top"), given=given)
    assert f"curl -L '{BASE}/flow/top?n=3&by=flows&source=it%27s' -o top.arrows" in found.plain
    assert 'client.fetch("flow/top", "top.arrows", n=3, by="flows", source="it\'s")' in found.text


def test_what_was_wrong_stands_beside_its_field() -> None:
    """And the field has what was given, so that it can be mended."""
    operation = Catalog.installed().find("flow/top")
    found = form("flow/top", operation, given={"n": ["ten"]}, errors={"n": "wanted flow_number"})
    assert found.fields["n"]["value"] == "ten"
    assert found.fields["n"]["aria-invalid"] == "true"
    assert "wanted flow_number" in found.text


def test_the_page_works_without_its_script() -> None:
    """A browser runs the script for the nonce of the page's policy alone; refreshing needs a permission."""
    operation = Catalog.installed().find("example/fibonacci")
    page = operation_page("example/fibonacci", operation, base=BASE)
    assert f'<script nonce="{page.nonce}">'.encode() in page
    assert "rave.refresh" not in form("example/fibonacci", operation).fields
    assert "rave.refresh" in form("example/fibonacci", operation, may_refresh=True).fields


def ticket(asked: Asked | None = None, *, now: float = NOON + 60, **changes: Any) -> Page:
    """The page of a ticket, a minute after it was created."""
    return read(ticket_page(TICKET | changes, asked, seconds=3, base=BASE, now=now))


def test_a_tickets_page_looks_for_its_product() -> None:
    """It refreshes itself, and tells how far the product is and for how long it may still take."""
    found = ticket(Asked(operation="lab/slow", texts=(("name", "x"), ("seconds", "1"))))
    assert f'<meta http-equiv="refresh" content="3; url={TICKET["href"]}">' in found.source
    assert 'value="0.2500" max="1"' in found.source
    for text in ("Being made", "lab/slow", "step three", "25 %, about 3 min left", "name x", "asked for 1 min ago"):
        assert text in found.text
    assert f"{BASE}/-/ui/lab/slow?name=x&seconds=1" in found.links
    assert TICKET["href"] in found.links


def test_a_ticket_that_says_little_is_shown_all_the_same() -> None:
    """Without progress, without total, without arguments, without a time."""
    assert "Waiting for its turn" in ticket(status="queued", progress=None).text
    assert "<progress aria-label" in ticket(progress=None).source
    assert "7 done" in ticket(progress={"done": 7, "total": None, "text": ""}).text
    assert "asked for" not in ticket(created=None).text
    assert "a moment ago" in ticket(now=NOON + 0.2).text
    assert "100 %" in ticket(progress={"done": 30, "total": 12, "text": ""}).text


def test_arguments_of_a_ticket_are_short() -> None:
    """Of a document too, and however large."""
    found = ticket(Asked(operation="lab/slow", document={"a": {"b": [1, "<i>"]}, "long": "x" * 10_000}))
    assert '{"b":[1,"<i>"]}' in found.text
    assert len(found.text) < 1500


def test_a_problem_tells_what_is_wrong_and_what_to_do() -> None:
    """In words, with a way on."""
    problem = Problem(
        "bad-arguments",
        "there is no argument 'm'",
        errors=[{"parameter": "n", "detail": "too large", "schema": {"type": "integer", "maximum": 5}}],
        request_id="abc-1",
    )
    document = problem.document(base=BASE, instance="/flow/top")
    found = read(problem_page(document, base=BASE, query="n=6&m=1"))
    for text in (
        "400 · bad-arguments",
        "there is no argument 'm'",
        "n too large",
        "Expected an integer up to 5",
        "abc-1",
    ):
        assert text in found.text
    assert f"{BASE}/-/ui/flow/top?n=6&m=1" in found.links
    assert f"{BASE}/-/problems/bad-arguments" in found.links


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_kind_of_problem_has_its_page(slug: str) -> None:
    """Title, status and advice; and so has every problem of it, whatever is known."""
    kind = PROBLEMS[slug]
    found = read(problem_kind_page(slug, kind, base=BASE))
    assert f"{kind.status} · {slug} {kind.title} {kind.advice}" in found.text
    found = read(problem_page(Problem(slug, "why", available=["text/csv"]).document(), base=BASE))
    assert "why" in found.text
    assert "It can be had as text/csv ." in found.text


def test_a_strange_problem_is_shown_too() -> None:
    """A plugin may make its own."""
    found = read(
        problem_page({"title": "Odd", "status": 418, "operation": f"{BASE}/lab/x", "traceback": "line 1"}, base=BASE)
    )
    assert "418 Odd" in found.text
    assert "Ask the operation" in found.text
    assert "line 1" in found.text

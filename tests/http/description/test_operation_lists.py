"""Lists of operations: their pages, what is searched for, and what is nearest to a wrong name."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core import op
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_http.description.operation_documents import (
    listing,
    nearest_operation,
)
from rave_http.protocol.problems import Problem

pytestmark = pytest.mark.usefixtures("runtime")


def everywhere(_: str) -> bool:
    """Whether anybody may see a namespace: they may."""
    return True


def many(count: int) -> list[tuple[str, Operation[..., Any]]]:
    """A catalog of so many operations, not in order."""
    shared = op(name="zoo/shared", tags=["even"])(lambda: None)
    other = op(name="zoo/other")(lambda: None)
    return [(f"ns{n % 3}/op{n:03d}", other if n % 2 else shared) for n in reversed(range(count))]


def names_of(page: dict[str, Any]) -> list[str]:
    """The names on a page of a list."""
    return [each["name"] for each in page["operations"]]


def test_pages_of_a_list_hold_everything_once_and_in_order() -> None:
    """Following ``next`` gives all operations by name, whatever the size of a page."""
    catalog = many(25)
    for limit in (1, 7, 25, 100):
        seen: list[str] = []
        cursor = None
        while True:
            page = listing(catalog, may_view=everywhere, cursor=cursor, limit=limit)
            seen += names_of(page)
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == sorted(name for name, _ in catalog)


def test_a_cursor_outlives_changes() -> None:
    """Operations that come and go between pages make no other appear twice or never."""
    first = listing(many(20), may_view=everywhere, limit=5)
    last = names_of(first)[-1]
    rest = [pair for pair in many(40) if pair[0] != last]
    second = listing(rest, may_view=everywhere, cursor=first["next"], limit=1000)
    assert names_of(second) == sorted(name for name, _ in rest if name > last)


def test_a_list_shows_only_what_may_be_seen() -> None:
    """Hidden namespaces are absent ones."""
    page = listing(many(20), may_view=lambda space: space == "ns1")
    assert names_of(page)
    assert {name.partition("/")[0] for name in names_of(page)} == {"ns1"}


def test_a_list_can_be_searched() -> None:
    """By namespace, by tag, and by words in name, docstring and tags, whatever their case."""
    catalog = [*Catalog.installed(), *many(4)]
    flow = {name for name, _ in catalog if name.startswith("flow/")}
    assert set(names_of(listing(catalog, may_view=everywhere, namespace="flow", limit=100))) == flow
    assert names_of(listing(catalog, may_view=everywhere, tag="even")) == ["ns0/op000", "ns2/op002"]
    assert names_of(listing(catalog, may_view=everywhere, text="FIBONACCI number")) == ["example/fibonacci"]
    assert names_of(listing(catalog, may_view=everywhere, text="even op")) == ["ns0/op000", "ns2/op002"]
    assert names_of(listing(catalog, may_view=everywhere, namespace="nowhere")) == []


@pytest.mark.parametrize("cursor", ["", "x", "zz", "abc", "2", "5e5", "6578616d706c652F", "ff", "25\n"])
def test_a_bad_cursor_is_a_problem(cursor: str) -> None:
    """It is none that was given out."""
    with pytest.raises(Problem) as caught:
        listing(many(3), may_view=everywhere, cursor=cursor)
    assert caught.value.slug == "bad-request"
    assert caught.value.errors[0]["parameter"] == "cursor"


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_a_problem(limit: int) -> None:
    """A page has at least one operation, and not too many."""
    with pytest.raises(Problem, match=f"limit={limit} is not between 1 and 1000"):
        listing(many(3), may_view=everywhere, limit=limit)


def test_the_nearest_operation_is_looked_for_in_its_namespace_first() -> None:
    """Then among all that may be seen; of very many names no more are compared than can be in a moment."""
    names = [
        *(f"many/operation{n:05}" for n in range(10_000)),
        "lab/square",
        "lab/squares",
        "bad/sqare",
        "hidden/sqaure",
    ]
    operation = op(name="lab/any")(lambda: None)
    catalog = [(name, operation) for name in names]
    seen: list[str] = []

    def may_view(space: str) -> bool:
        seen.append(space)
        return space != "hidden"

    assert nearest_operation(catalog, "lab/sqare", may_view) == "did you mean 'lab/square'?"
    assert nearest_operation(catalog, "lob/squares", may_view) == "did you mean 'lab/squares'?"
    assert "hidden" not in nearest_operation(catalog, "hidden/sqaure", may_view)
    assert nearest_operation(catalog, "many/zzzz", may_view).startswith("the catalog")
    assert nearest_operation(catalog[-4:], "x", may_view) == "known: bad/sqare, lab/square, lab/squares"
    assert len(seen) == 4 * 4 + 3, "each namespace is asked about once"

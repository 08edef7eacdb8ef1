"""What the page of a result says of its arguments."""

from __future__ import annotations

from rave_core.model import Status
from rave_http.pages.result_view import ResultFacts, result_page


def written(arguments: dict[str, str]) -> str:
    """The page, as text."""
    facts = ResultFacts(
        name="lab/many", key="", status=Status.UNCACHED, entry=None, arguments=arguments, query=None, tab="formats"
    )
    return str(bytes(result_page(facts, base="", now=0.0)), "utf-8")


def test_of_many_arguments_those_that_are_none_are_folded_away() -> None:
    """By their names; the others stand at the top as ever, and so do all of a few."""
    many = written({f"a{number}": "None" for number in range(12)} | {"port": "443"})
    assert "12 arguments are None" in many
    assert "a0, a1, " in many
    assert many.count("<code>None</code>") == 0
    assert "<code>443</code>" in many
    few = written({f"a{number}": "None" for number in range(12)})
    assert "are None" not in few
    assert few.count("<code>None</code>") == 12

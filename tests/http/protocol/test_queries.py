"""Queries: read within limits, and never guessed at."""

from __future__ import annotations

import pytest

from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs, read_text


def test_a_query_is_names_and_texts_in_their_order() -> None:
    """Empty ones, too."""
    assert pairs("b=1&a=&b=%C3%BC+x&c", most=10) == [("b", "1"), ("a", ""), ("b", "ü x"), ("c", "")]


@pytest.mark.parametrize(
    ("query", "why"), [("a=%FF", "UTF-8"), ("%FF=1", "UTF-8"), ("&".join(["a=1"] * 11), "more than 10")]
)
def test_what_can_not_be_read_is_a_problem_that_says_why(query: str, why: str) -> None:
    """Bytes that are no text, or too many parameters."""
    with pytest.raises(Problem, match=why) as caught:
        pairs(query, most=10)
    assert caught.value.slug == "bad-request"


def test_an_unknown_or_repeated_parameter_is_named() -> None:
    """With the nearest known one."""
    with pytest.raises(Problem, match="did you mean 'cursor'"):
        read_text("curser=1", "cursor", "limit")
    with pytest.raises(Problem, match="twice"):
        read_text("limit=1&limit=1", "cursor", "limit")

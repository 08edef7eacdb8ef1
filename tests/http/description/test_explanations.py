"""Explanations as documents: what the code of an operation reaches is only for those who may debug."""

from __future__ import annotations

from rave_core.introspection.explain import Difference, Explanation
from rave_core.model import Status
from rave_http.resources.forecasts import explanation_document

FOUND = Explanation(
    "lab/mean",
    {"x": "1"},
    Status.MISS,
    "the operation changed",
    differences=(Difference("code", "lab.LIMIT", "3", "4"),),
    closure={"lab.LIMIT": "4"},
    untracked={"eval": "unknown"},
    releases=(Difference("release", "polars", "1.2.0", "1.3.0"),),
)


def test_who_may_debug_sees_values_and_releases() -> None:
    """In the words that Python gives, too."""
    told = explanation_document(FOUND, "lab/mean", is_open=True)
    assert told["differences"] == ["lab.LIMIT 3 → 4"]
    assert told["releases"] == ["made with polars 1.2.0, now 1.3.0"]
    assert (told["closure"], told["untracked"]) == ({"lab.LIMIT": "4"}, {"eval": "unknown"})


def test_others_see_that_something_changed() -> None:
    """And by which name, but no value and no release."""
    told = explanation_document(FOUND, "lab/mean", is_open=False)
    assert told["differences"] == ["lab.LIMIT changed"]
    assert (told["releases"], told["closure"], told["untracked"]) == ([], {}, {})

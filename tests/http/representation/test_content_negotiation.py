"""Which form of a value a client gets: by its `Accept`, or by the form that it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_http.protocol.problems import Problem
from rave_http.representation.renderers import Rendering, choose, negotiate_file
from tests.http.representation.forms import AS_TABLE, BROWSER, offered


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("*", "json"),
        ("text/csv", "csv"),
        ("Text/CSV; Charset=UTF-8", "csv"),
        ("text/csv;charset=latin-1", "csv"),
        ("text/*", "csv"),
        (BROWSER, "html"),
        ("text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("application/json;q=0, */*", "csv"),
        ("application/*;q=0.2, application/vnd.apache.parquet;q=0.3", "parquet"),
        ("text/*, text/csv;q=0.1", "html"),
        ("image/png, application/json;q=0.1", "json"),
        ("application/json;version=2", "json"),
        ("text/html,,text/csv;q=0.1,", "html"),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str | None, name: str) -> None:
    """By quality, the more specific range counting; of what it likes equally, what comes first."""
    assert choose(offered(), accept=accept, form=None).name == name


RANGES = ["*/*", "text/*", "application/*", "text/csv", "text/html", "application/json", "image/png"]


QUALITIES = [0, 0.001, 0.3, 0.5, 1]


@given(st.dictionaries(st.sampled_from(RANGES), st.sampled_from(QUALITIES), min_size=1))
def test_the_choice_is_that_of_the_standard(weights: dict[str, float]) -> None:
    """For each form the most specific range counts, zero leaves it out, and the first of the best is taken."""
    accept = ", ".join(f"{each};q={weight}" for each, weight in weights.items())
    likings = []
    for each in offered():
        kind = each.media_type.partition(";")[0]
        fitting = [place for place in (kind, f"{kind.partition('/')[0]}/*", "*/*") if place in weights]
        likings.append(weights[fitting[0]] if fitting else 0)
    if max(likings) == 0:
        with pytest.raises(Problem):
            choose(offered(), accept=accept, form=None)
    else:
        expected = offered()[likings.index(max(likings))]
        assert choose(offered(), accept=accept, form=None).name == expected.name


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "text/csv;version=1;q=0"])
def test_what_can_not_be_had_is_refused_with_what_can(accept: str) -> None:
    """406 lists the media types."""
    with pytest.raises(Problem) as caught:
        choose(offered(), accept=accept, form=None)
    assert (caught.value.slug, caught.value.status) == ("not-acceptable", 406)
    assert caught.value.extensions == {"available": AS_TABLE}


@pytest.mark.parametrize("accept", ["nonsense", "text/csv;q=much", "text/csv;q=2", "text/csv;q=nan", "text/csv, x"])
def test_an_accept_that_can_not_be_read_is_a_bad_request(accept: str) -> None:
    """It is not taken for an absent one."""
    with pytest.raises(Problem, match="'Accept' can't be understood") as caught:
        choose(offered(), accept=accept, form=None)
    assert caught.value.slug == "bad-request"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("csv", "csv"),
        (" CSV ", "csv"),
        ("text/csv", "csv"),
        ("text/csv; charset=utf-8", "csv"),
        ("arrow", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("", "json"),
    ],
)
def test_a_form_that_is_named_wins(form: str, name: str) -> None:
    """By its short name or its media type, whatever is accepted."""
    assert choose(offered(), accept="image/png" if form else None, form=form).name == name


def test_a_form_that_is_not_there_is_refused() -> None:
    """The answer names those that are; no wildcards here."""
    for form in ("yaml", "*/*", "text/*", "text"):
        with pytest.raises(Problem, match="it can be: json, csv, arrow, parquet, html") as caught:
            choose(offered(), accept="text/csv", form=form)
        assert caught.value.slug == "not-acceptable"
        assert caught.value.extensions == {"available": AS_TABLE}


def test_a_plus_sign_that_became_a_blank_is_understood() -> None:
    """Nobody encodes it in the query."""
    svg = Rendering("image/svg+xml", "svg", bytes)
    assert choose([svg], accept=None, form="image/svg xml") is svg


@pytest.mark.parametrize(
    ("accept", "form"),
    [(None, None), ("image/*", None), (BROWSER, None), ("text/plain", "png"), (None, "image/png")],
)
def test_a_file_passes_where_its_type_is_accepted(accept: str | None, form: str | None) -> None:
    """It has the one form that it was made in."""
    negotiate_file("image/png", accept, form)


@pytest.mark.parametrize(("accept", "form"), [("image/svg+xml", None), ("image/png;q=0", None), ("*/*", "csv")])
def test_a_file_is_refused_where_its_type_is_not_accepted(accept: str | None, form: str | None) -> None:
    """With its type as what is available."""
    with pytest.raises(Problem) as caught:
        negotiate_file("image/png", accept, form)
    assert caught.value.slug == "not-acceptable"
    assert caught.value.extensions == {"available": ["image/png"]}

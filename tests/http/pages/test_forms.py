"""Forms: one field for each parameter, and what was filled in as the URL that a program would ask (R16)."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from rave_core import list_of, one_of, op, typemap
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_http.description.request_arguments import bind, read_query
from rave_http.pages.forms import GO, Control, Field, form_fields, run_query, run_url, sample_query

pytestmark = pytest.mark.usefixtures("runtime")


class Color(Enum):
    """Two colors."""

    RED = "red"
    BLUE = "blue"


@op(name="forms/all")
@typemap(
    n=int,
    share=float,
    sure=bool,
    day="iso_date",
    at="iso_datetime",
    by=Literal["bytes", "flows"],
    color=Color,
    span="duration",
    many=list_of(int),
    words=list_of(str),
    maybe=one_of(int, None),
    nested=dict,
    rest=int,
    others=str,
)
def everything(
    n: Any,
    share: Any = 0.5,
    sure: Any = True,
    day: Any = "2007-04-27",
    at: Any = None,
    by: Any = "bytes",
    color: Any = Color.RED,
    span: Any = None,
    many: Any = (1, 2),
    words: Any = (),
    maybe: Any = None,
    nested: Any = None,
    free: Any = None,
    *rest: Any,
    **others: Any,
) -> None:
    """All kinds of parameters.

    Args:
        n: how many there are.
    """


def fields(**given: list[str]) -> dict[str, Field]:
    """The fields of the operation by name."""
    return {field.name: field for field in form_fields(everything, given)}


def test_every_kind_of_parameter_has_its_control() -> None:
    """A number, a date, a choice, a list, JSON, or a text."""
    assert {name: (field.control.value, field.type) for name, field in fields().items()} == {
        "n": ("input", "number"),
        "share": ("input", "number"),
        "sure": ("select", "text"),
        "day": ("input", "date"),
        "at": ("input", "datetime-local"),
        "by": ("select", "text"),
        "color": ("select", "text"),
        "span": ("input", "text"),
        "many": ("lines", "text"),
        "words": ("lines", "text"),
        "maybe": ("input", "number"),
        "nested": ("json", "text"),
        "free": ("json", "text"),
        "rest": ("lines", "text"),
        "others": ("pairs", "text"),
    }


def test_a_field_says_what_it_takes() -> None:
    """Required or a default, limits, choices, examples, and what the docstring says."""
    found = fields()
    assert (found["n"].is_required, found["n"].help, found["n"].wanted) == (True, "how many there are.", "an integer")
    assert (found["share"].is_required, found["share"].placeholder) == (False, "0.5")
    assert found["share"].attributes == {"step": "any"}
    assert found["n"].attributes == {"step": "1"}
    assert [choice.value for choice in found["by"].choices] == ["bytes", "flows"]
    assert [choice.value for choice in found["color"].choices] == ["red", "blue"]
    assert [choice.value for choice in found["sure"].choices] == ["true", "false"]
    assert (found["by"].default, found["sure"].default, found["at"].default) == ("bytes", "true", None)
    assert (found["color"].default, found["nested"].wanted) == ("red", "an object, as JSON")
    assert found["span"].placeholder == "e.g. 2h30m or 300"
    assert (found["many"].placeholder, found["many"].wanted) == ("1\n2", "an integer, one in each line")
    assert not found["rest"].is_required


def test_limits_of_a_real_operation_are_in_its_form() -> None:
    """As its typemap says."""
    found = {field.name: field for field in form_fields(Catalog.installed().find("flow/top"))}
    assert found["n"].attributes == {"step": "1", "min": "1", "max": "1000000"}
    assert [choice.value for choice in found["by"].choices] == ["bytes", "packets", "flows"]
    assert found["start"].type == "datetime-local"


def test_ids_are_unique_and_harmless() -> None:
    """Whatever names the parameters have."""
    ids = [field.id for field in form_fields(everything)]
    assert ids == [f"field-{place}" for place in range(15)]


def test_a_form_starts_with_what_was_given() -> None:
    """Also what its type would not show: that stands in a text field, so that it can be mended."""
    found = fields(n=["abc"], share=["1.5"], day=["2007-04-27"], at=["yesterday"], words=["a", "b"], x=["1"])
    assert (found["n"].type, found["n"].value) == ("text", "abc")
    assert (found["share"].type, found["share"].value) == ("number", "1.5")
    assert found["day"].type == "date"
    assert found["at"].type == "text"
    assert found["words"].value == "a\nb"
    assert found["others"].value == "x=1"
    (wrong,) = [field for field in form_fields(everything, {}, {"n": "no number"}) if field.error]
    assert (wrong.name, wrong.error) == ("n", "no number")


def test_what_was_left_empty_is_not_asked() -> None:
    """A browser sends every field; the question has only those that were filled in."""
    sent = {field.name: [""] for field in form_fields(everything)} | {GO: ["1"], "n": ["5"], "rave.f": [""]}
    assert run_query(everything, sent) == [("n", "5")]


def test_lists_are_asked_item_by_item() -> None:
    """One line each, whatever the line breaks; pairs become parameters of their own, JSON stays as it is."""
    sent = {
        "words": ["a, b\r\n\r\nc d "],
        "rest": ["1\n2"],
        "others": ["x=1=2\r\ny = z\nlonely"],
        "nested": ['{"a":\r\n 1}'],
        "rave.f": ["csv"],
    }
    assert run_query(everything, sent) == [
        ("words", "a, b"),
        ("words", "c d"),
        ("rest", "1"),
        ("rest", "2"),
        ("x", "1=2"),
        ("y", "z"),
        ("lonely", ""),
        ("nested", '{"a":\n 1}'),
        ("rave.f", "csv"),
    ]


def test_what_a_form_asks_binds_to_the_call_that_was_meant() -> None:
    """From the form through the URL to the arguments of the operation."""
    operation = op(name="forms/two", typemap={"n": int, "many": list_of(int)})(lambda n, many=(): None)
    query = run_query(operation, {GO: ["1"], "n": ["5"], "many": ["1\r\n2"]})
    url = run_url("forms/two", query, base="https://host/rave")
    assert url == "https://host/rave/forms/two?n=5&many=1&many=2"
    call = bind(read_query("forms/two", urlsplit(url).query).asked, operation, operation.resolved())
    assert dict(call.named) == {"n": 5, "many": [1, 2]}


def test_urls_are_quoted() -> None:
    """Names and values may hold anything."""
    url = run_url("zoo/a b", [("x", "<&'\"=ü>")], base="")
    assert urlsplit(url).path == "/zoo/a%20b"
    assert parse_qs(urlsplit(url).query) == {"x": ["<&'\"=ü>"]}
    assert run_url("zoo/a", [], base="") == "/zoo/a"


@pytest.mark.parametrize(("name", "operation"), list(Catalog.installed()), ids=lambda found: str(found)[:40])
def test_a_sample_question_is_one_that_can_be_asked(name: str, operation: Operation[..., Any]) -> None:
    """What stands in an example to copy fits the operation."""
    query = sample_query(form_fields(operation))
    text = urlsplit(run_url(name, query, base="")).query
    assert bind(read_query(name, text).asked, operation, operation.resolved())


def test_controls_have_a_name_that_templates_compare() -> None:
    """They are texts."""
    assert Control.LINES == "lines"

"""Values are checked as the standard says, and what is wrong with one is told in words."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rave_http.description.schema_validator import SchemaValidator

FRAGMENTS: list[dict[str, Any]] = [
    {},
    {"type": "integer"},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "number", "exclusiveMinimum": 0},
    {"type": ["string", "integer"], "examples": ["5m"]},
    {"type": "boolean"},
    {"type": "null"},
    {"type": "string", "minLength": 1, "maxLength": 3},
    {"enum": ["bytes", 1, None, True]},
    {"const": 1},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
    {"type": "array", "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"anyOf": [{"type": "string"}, {"minimum": 3}]}},
    {"type": "array", "items": False},
    {"oneOf": [{"type": "integer"}, {"minimum": 3}]},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 7)
    | st.floats(-2, 7)
    | st.sampled_from(["", "a", "bytes", "long text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(FRAGMENTS), VALUES)
def test_a_value_fits_where_the_standard_says_so(schema: dict[str, Any], value: Any) -> None:
    """The library by itself finds the same, also of the keywords that are made quicker here."""
    assert SchemaValidator(schema).accepts(value) is Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "path", "detail"),
    [
        ({"type": "integer"}, "10", "n", '"10" is not an integer'),
        ({"type": "integer"}, True, "n", "true is not an integer"),
        ({"type": "array", "items": {"type": "integer"}}, [1, [2]], "n[1]", "[2] is not an integer"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, {"k": ""}, "n['k']", '"" is not a number'),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, 5, "n", "5 is not a date or nothing"),
        ({"type": "array", "minItems": 2, "maxItems": 2}, [1], "n", "it has 1 items, and exactly 2 are wanted"),
        (False, 1, "n", "nothing is accepted here"),
        ({"enum": ["a", 1]}, "b", "n", '"b" is not one of "a", 1'),
        ({"maximum": 5}, 6, "n", "6 is not a value up to 5"),
        ({"multipleOf": 2}, 5, "n", "5 is not a multiple of 2"),
        ({"pattern": "^a"}, "b", "n", '"b" is not written as it has to be, by the pattern ^a'),
        ({"type": "string", "format": "ipv4"}, "1.2.3", "n", '"1.2.3" is not an IPv4 address'),
        ({"type": "string", "format": "date"}, "soon", "n", '"soon" is not a date'),
        ({"format": "date-time"}, "12:30", "n", '"12:30" is not a date and time'),
        ({"uniqueItems": True}, [1, 2, 1.0], "n", "it has the same item twice, and each may be there once"),
        ({"required": ["a", "b"]}, {"a": 1}, "n['b']", "it is missing"),
        (
            {"properties": {"width": {}}, "additionalProperties": False},
            {"widht": 1},
            "n['widht']",
            "there is no such member; did you mean 'width'?",
        ),
        ({"contains": {"const": 1}}, [2], "n", "[2] does not contain items matching the given schema"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "n", "'b' is a dependency of 'a'"),
    ],
)
def test_a_misfit_says_where_and_what_would_be_right(schema: Any, value: Any, path: str, detail: str) -> None:
    """For people, in words."""
    (found,) = SchemaValidator(schema).misfits(value, ("n",))
    assert (found.path, found.detail) == (path, detail)


@pytest.mark.parametrize(
    ("format_", "text", "fits"),
    [
        ("date", "2007-04-27", True),
        ("date", "2007-04-31", False),
        ("date-time", "2007-04-27T12:00", True),
        ("date-time", "2007-04-27 12:00:00+02:00", True),
        ("date-time", "27 April", False),
        ("time", "12:30", True),
        ("time", "25:00", False),
        ("uuid", "12345678123456781234567812345678", True),
        ("uuid", "1234", False),
        ("ipv6", "::1", True),
        ("email", "nobody", False),
        ("regex", "(", False),
        ("a format of nobody's", "x", True),
    ],
)
def test_a_format_is_what_the_converters_read(format_: str, text: str, fits: bool) -> None:
    """A time needs no zone; what nobody knows refuses nothing."""
    assert SchemaValidator({"format": format_}).accepts(text) is fits
    assert SchemaValidator({"format": format_}).accepts(5), "a format is for texts alone"


def test_a_place_is_told_as_a_json_pointer_too() -> None:
    """With its two characters that need to be escaped."""
    schema = {"additionalProperties": {"items": {"type": "integer"}}}
    found = SchemaValidator(schema).outermost({"a/b~c": [1, "x"]}, ("n",))
    assert found is not None
    assert found.pointer == "/n/a~1b~0c/1"


def test_the_outermost_misfit_is_told() -> None:
    """What is wrong with the whole comes before what is wrong with its parts."""
    schema = {"items": {"type": "integer"}, "maxItems": 1}
    found = SchemaValidator(schema).outermost(["x", "y"])
    assert found is not None
    assert found.detail == "it has 2 items, and at most 1 are wanted"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, ["x"] * 50_000),
        ({"oneOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, ["x"] * 50_000),
        ({"items": {"type": "integer"}}, ["x"] * 50_000),
    ],
)
def test_a_body_of_many_misfits_takes_no_memory_for_each(schema: Any, value: Any) -> None:
    """One of them is enough to refuse it."""
    checks = SchemaValidator(schema)
    checks.accepts(1)  # jsonschema is loaded
    tracemalloc.start()
    try:
        assert checks.outermost(value) is not None
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_unlike_objects_are_told_apart_in_linear_time() -> None:
    """Fifty thousand of them: in twice as many steps as half of them, not four times."""
    checks = SchemaValidator({"uniqueItems": True})

    def steps(count: int) -> int:
        value, counted = [{"a": number} for number in range(count)], 0

        def count_call(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count_call)
        try:
            assert checks.accepts(value)
        finally:
            sys.setprofile(None)
        return counted

    steps(10)
    assert steps(2000) < 2.5 * steps(1000)


@pytest.mark.parametrize(
    "value", [[True, 1], [[True], [1]], [True, [1]], [{}, []], [{"a": 1}, {"a": True}], ["1", 1], [0, False, None, ""]]
)
def test_what_is_not_the_same_in_json_is_no_repetition(value: Any) -> None:
    """True is not 1, and a list is not what is in it."""
    assert SchemaValidator({"uniqueItems": True}).accepts(value)

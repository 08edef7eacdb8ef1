"""JSON Schema: schemas of plugins made sound, and values checked as the standard says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rave_http.description.json_schema import accepts_anything, fits, in_words, misfits, sound

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
    """jsonschema, which knows all of the standard, finds the same."""
    assert fits(schema, value) is Draft202012Validator(schema).is_valid(value)


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
    ],
)
def test_a_misfit_says_where_and_what_would_be_right(schema: Any, value: Any, path: str, detail: str) -> None:
    """For people, in words."""
    (found,) = misfits(schema, value, ("n",))
    assert (found.path, found.detail) == (path, detail)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 10}, "an integer from 1 to 10"),
        ({"type": "number", "minimum": 0}, "a number from 0 on"),
        ({"enum": ["a", 1]}, 'one of "a", 1'),
        ({"type": "array", "items": {"type": "string"}}, "a list, each a text"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, "a list of an integer, a text"),
        ({"title": "n"}, "any value"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    """Shorter than JSON, and for everybody."""
    assert in_words(schema) == words


def test_what_is_unsound_in_a_plugins_schema_is_left_out() -> None:
    """Keywords that are malformed, that JSON has no form for, or that speak of a document it is not part of."""
    schema = {
        "type": "integr",
        "default": date(2007, 4, 27),
        "maximum": float("inf"),
        "minimum": 1,
        "$ref": "#/nowhere",
        "items": {"type": "integer", "minLength": -1, "x": object()},
        "anyOf": [],
        "enum": [1, {2}],
    }
    found = sound(schema)
    assert found == {"minimum": 1, "items": {"type": "integer"}}
    Draft202012Validator.check_schema(found)


@given(
    st.dictionaries(
        st.sampled_from(["type", "enum", "anyOf", "items", "required", "properties", "minimum", "pattern", "default"]),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.sampled_from(["integer", "x", b"x", object()]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["type", "items", "minimum", "a"]), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_a_sound_schema_is_a_schema(schema: dict[str, Any]) -> None:
    """Whatever a plugin wrote, what is left of it is valid."""
    Draft202012Validator.check_schema(sound(schema))


def test_annotations_refuse_nothing() -> None:
    """A title alone accepts anything; a type does not."""
    assert accepts_anything({"title": "n", "default": 1, "examples": [2]})
    assert not accepts_anything({"type": "integer"})

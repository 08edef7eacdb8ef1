"""Schemas of plugins are made sound: what is malformed goes, and every keyword that is not stays."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rave_http.description.schema_validator import SchemaValidator
from rave_http.description.sound_schema import sound


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


WHOLE: dict[str, Any] = {
    "type": ["object", "array", "null"],
    "title": "all",
    "default": None,
    "const": None,
    "enum": [None, 1],
    "properties": {"a": {"type": "string", "pattern": "^a", "format": "email"}},
    "patternProperties": {"^b": {"multipleOf": 2}},
    "additionalProperties": False,
    "propertyNames": {"maxLength": 3},
    "required": ["a"],
    "dependentRequired": {"a": ["b"]},
    "dependentSchemas": {"a": {"minProperties": 1}},
    "items": {"uniqueItems": True},
    "prefixItems": [True, {"exclusiveMinimum": 1}],
    "contains": {"type": "integer"},
    "minContains": 1,
    "maxContains": 2,
    "allOf": [{}],
    "anyOf": [{"not": {"type": "array"}}],
    "oneOf": [True],
    "if": {"type": "array"},
    "then": {"maxItems": 3},
    "else": False,
    "unevaluatedProperties": False,
    "unevaluatedItems": False,
}


def test_every_keyword_that_is_well_formed_stays() -> None:
    """What a plugin wrote counts, whatever keyword it chose."""
    assert sound(WHOLE) == WHOLE


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("pattern", "("), ("patternProperties", {"(": {}}), ("format", 1), ("multipleOf", 0), ("not", 5), ("$id", "x")],
)
def test_a_malformed_keyword_goes_alone(keyword: str, value: Any) -> None:
    """The others stay."""
    assert sound({"minimum": 1, keyword: value}) == {"minimum": 1}


class Point(msgspec.Struct):
    """What libraries write schemas of, with references."""

    x: int
    y: int = 0


def test_a_reference_is_replaced_by_what_it_refers_to() -> None:
    """Also within other schemas: a part of a document has no place for definitions."""
    found = sound({"type": "array", "items": msgspec.json.schema(Point)})
    assert "$ref" not in str(found)
    checks = SchemaValidator(found)
    assert checks.accepts([{"x": 1}])
    assert not checks.accepts([{"x": "1"}])


def test_a_reference_beside_other_keywords_adds_to_them() -> None:
    """Both count."""
    schema = {"$defs": {"a~b/c": {"minimum": 3, "type": "integer"}}, "minimum": 1, "$ref": "#/$defs/a~0b~1c"}
    assert sound(schema) == {"minimum": 1, "allOf": [{"minimum": 3, "type": "integer"}]}


def test_what_refers_to_itself_ends() -> None:
    """It accepts anything where it begins anew."""
    tree = {"type": "object", "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    found = sound({"$defs": {"tree": tree}, "$ref": "#/$defs/tree"})
    assert found == {"type": "object", "properties": {"of": {"type": "array", "items": {}}}}


@pytest.mark.parametrize("reference", ["#", "#/$defs/none", "https://example.org/schema", "other.json#/a", 5])
def test_a_reference_to_nothing_here_is_left_out(reference: Any) -> None:
    """Nobody is asked for another document."""
    assert sound({"type": "integer", "$ref": reference}) == {"type": "integer"}

"""What the OpenAPI document allows, the service takes, and nothing else."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from rave_core import op
from rave_core.operations.operation import Operation
from rave_core.typemap import any as any_value
from rave_http.description.openapi import document
from rave_http.description.openapi.texts import Writing, text_schema, writing_of
from rave_http.description.operation_documents import Operations
from rave_http.description.request_arguments import bind, read_body, read_query
from rave_http.protocol import headers
from rave_http.protocol.problems import Problem

pytestmark = pytest.mark.usefixtures("runtime")


@op(name="zoo/free")
def free(value: Any, key: Any = 5) -> None:
    """Untyped parameters."""


def _document(catalog: Operations) -> dict[str, Any]:
    return document(catalog, base="", version="1.0", title="RAVE", may_view=lambda _: True)


def _parameters(operation: Operation[..., Any]) -> dict[str, dict[str, Any]]:
    """The parameters of a GET that are not references, by name."""
    parameters = _document([("zoo/one", operation)])["paths"]["/zoo/one"]["get"]["parameters"]
    return {each["name"]: each for each in parameters if "name" in each}


@pytest.mark.parametrize(
    ("specifier", "writing", "good", "bad"),
    [
        (int, Writing.SCALAR, ["1"], ["x", "1.5", "", "null"]),
        (float, Writing.SCALAR, ["1.5", "1"], ["x", ""]),
        (str, Writing.SCALAR, ["", "x"], []),
        (int | None, Writing.SCALAR, ["1", "", "null"], ["x"]),
        (str | None, Writing.SCALAR, ["x", "", "null"], []),
        (Literal["a", "b"], Writing.SCALAR, ["a"], ["c", ""]),
        (list[int], Writing.LIST, ["1"], ["x"]),
        (list[int] | None, Writing.LIST, ["1"], ["x"]),
        (dict[str, int], Writing.JSON, ['{"a": 1}'], ["x", "[1]", '{"a": "x"}']),
        (any_value, Writing.JSON, ["x", "1", ""], []),
    ],
    ids=str,
)
def test_texts_are_taken_as_the_document_says(
    specifier: object, writing: Writing, good: list[str], bad: list[str]
) -> None:
    """What the schema of a text allows, the service reads; what it does not, is a problem."""
    operation = op(name="zoo/one", typemap=(specifier,))(lambda value: None)
    parameter = _parameters(operation)["value"]
    schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
    assert writing_of(schema) is writing
    validator = Draft202012Validator(schema)
    for text in (*good, *bad):
        assert validator.is_valid(_read(text, schema, writing)) is (text in good), text
        assert _is_taken(operation, text) is (text in good), text


def _is_taken(operation: Operation[..., Any], text: str) -> bool:
    """Whether the service binds a query with this text."""
    try:
        bind(read_query("zoo/one", f"value={text}").asked, operation, operation.resolved())
    except Problem:
        return False
    return True


def _read(text: str, schema: dict[str, Any], writing: Writing) -> Any:
    """The value that tools take a text for, given the schema of its parameter."""
    if "string" in json.dumps(schema) or (writing is Writing.SCALAR and "enum" in schema):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return [value] if writing is Writing.LIST else value


def test_a_body_that_breaks_the_rules_is_a_problem() -> None:
    """``additionalProperties: false`` holds, and so does what is required."""
    for text in (b'{"value": 1, "other": 2}', b"{}", b"[]", b'{"value": 1, "rave.f": "csv"}'):
        with pytest.raises(Problem):
            bind(read_body("zoo/free", "", "application/json", text).asked, free, free.resolved())


def test_any_prefer_header_is_taken() -> None:
    """The document gives it no form, since unknown preferences are ignored."""
    assert "Prefer" in _document([])["components"]["parameters"]
    for text in ("", "x", ";;,", "return=other", "a=b; c", '"'):
        headers.preferences(text)


def test_null_is_dropped_where_any_text_is_taken() -> None:
    """An optional text that is left out is null; the text "null" is a text."""
    assert text_schema({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}) == {"type": "string"}

"""Bodies are held to the schemas of the converters, whatever keyword these use."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Mapping
from typing import Any

import pytest

from rave_core import Runtime, list_of, op, typemap
from rave_core.converters.converter import FunctionConverter
from rave_http.description import argument_checks
from rave_http.description.argument_checks import wrong_arguments
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import FORM, JSON, bind, read_body, read_query
from rave_http.protocol.problems import Problem


@pytest.fixture(autouse=True)
def _in_use(runtime: Runtime) -> None:
    """Every call here is bound in a runtime of the test's own."""


def taking(schema: Mapping[str, Any]) -> Any:
    """An operation whose argument's converter, as a plugin may write one, takes anything and promises a schema."""

    @op(name="args/promised")
    @typemap(FunctionConverter("promised", lambda value: value, schema))
    def promised(n: Any) -> Any:
        return n

    return promised


def refused(operation: Any, document: Any) -> Problem:
    """The problem of a JSON body like this."""
    with pytest.raises(Problem) as caught:
        bind(read_body("args/op", "", JSON, json.dumps(document).encode()).asked, operation, operation.resolved())
    assert caught.value.slug == "bad-arguments"
    assert caught.value.status == 400
    return caught.value


BROKEN: list[tuple[dict[str, Any], Any, Any]] = [
    ({"type": "integer"}, 1, "1"),
    ({"enum": ["a", "b"]}, "a", "c"),
    ({"const": {"a": 1}}, {"a": 1}, {"a": 2}),
    ({"minimum": 3}, 3, 2),
    ({"exclusiveMaximum": 3}, 2, 3),
    ({"multipleOf": 5}, 10, 11),
    ({"minLength": 2}, "ab", "a"),
    ({"pattern": "^[a-z]+$"}, "abc", "ABC"),
    ({"format": "ipv4"}, "10.0.0.1", "10.0.0"),
    ({"format": "date"}, "2007-04-27", "today"),
    ({"items": {"type": "integer"}}, [1], ["a"]),
    ({"prefixItems": [{"type": "integer"}], "items": False}, [1], [1, 2]),
    ({"minItems": 1}, [1], []),
    ({"uniqueItems": True}, [1, 2], [1, 1]),
    ({"contains": {"type": "integer"}, "maxContains": 1}, [1, "a"], [1, 2]),
    ({"required": ["a"]}, {"a": 1}, {}),
    ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": "1"}),
    ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
    ({"patternProperties": {"^n_": {"type": "integer"}}}, {"n_a": 1}, {"n_a": "x"}),
    ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}),
    ({"minProperties": 1}, {"a": 1}, {}),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1, "b": 1}, {"a": 1}),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
    ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, None, 2),
    ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 2, 4),
    ({"not": {"type": "string"}}, 1, "a"),
    ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}, 2, "a"),
    ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
    ({"$defs": {"few": {"maximum": 3}}, "$ref": "#/$defs/few"}, 3, 4),
]


@pytest.mark.parametrize(
    ("schema", "fitting", "broken"), BROKEN, ids=lambda each: "-".join(each)[:40] if isinstance(each, dict) else ""
)
def test_a_body_that_breaks_its_schema_is_refused(schema: dict[str, Any], fitting: Any, broken: Any) -> None:
    """Whatever keyword it breaks; the problem names the argument, the place in the body and the schema."""
    operation = taking(schema)
    assert bind(
        read_body("args/op", "", JSON, json.dumps({"n": fitting}).encode()).asked, operation, operation.resolved()
    ).args == (fitting,)
    (error,) = refused(operation, {"n": broken}).errors
    assert error["parameter"] == "n"
    assert error["pointer"].startswith("/n")
    assert error["detail"].startswith(("argument 'n", 'argument "n'))
    assert error["schema"]["title"] == "n"


def test_every_wrong_argument_is_told() -> None:
    """Each with its place."""

    @op(name="args/several")
    @typemap(int, list_of(int), bool)
    def several(n: int, many: Any, flag: bool, *rest: Any, **more: Any) -> Any:
        return n

    problem = refused(several, {"n": "1", "many": [1, "2"], "flag": True})
    assert [error["pointer"] for error in problem.errors] == ["/n", "/many/1"]


def test_the_schema_within_a_list_counts() -> None:
    """A converter's keywords hold for each of the items."""

    @op(name="args/list")
    @typemap(list_of(FunctionConverter("few", int, {"type": "integer", "maximum": 3})))
    def listed(n: Any) -> Any:
        return n

    (error,) = refused(listed, {"n": [1, 2, 4]}).errors
    assert (error["pointer"], error["detail"]) == ("/n/2", "argument 'n[2]': 4 is not an integer up to 3")


def test_texts_are_for_the_converter_alone() -> None:
    """A query and a form hold texts, of which a schema says nothing."""
    operation = taking({"type": "integer", "maximum": 3})
    assert bind(read_query("args/op", "n=9").asked, operation, operation.resolved()).args == ("9",)
    assert bind(read_body("args/op", "", FORM, b"n=9").asked, operation, operation.resolved()).args == ("9",)


def test_a_schema_is_asked_for_once_for_many_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made ready with the first one."""
    asked: list[object] = []
    described = argument_checks.parameters
    monkeypatch.setattr(argument_checks, "parameters", lambda each: asked.append(each) or described(each))
    operation = taking({"type": "integer"})
    for number in range(3):
        assert wrong_arguments(operation, {"n": number}) == []
    assert len(asked) == 1


def test_checks_go_with_their_operation() -> None:
    """Code that is reloaded leaves nothing behind."""
    operation = taking({"type": "integer"})
    wrong_arguments(operation, {"n": 1})
    gone = weakref.ref(operation)
    del operation
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("name", "given", "parameter", "said"),
    [
        ("PurgeRequest", {"operatoin": "a/b"}, "operatoin", "did you mean 'operation'?"),
        ("PurgeRequest", {"operation": 5}, "operation", "5 is not a text"),
        ("PurgeRequest", {"older_than": "soon"}, "older_than", "pattern"),
        ("StatisticsSwitch", {"pause": ""}, "pause", "at least 1"),
        ("StatisticsSwitch", {"pause": "RAVE", "resume": "RAVE"}, "", "the body"),
        ("StatisticsSwitch", {}, "", "the body"),
    ],
)
def test_the_bodies_of_the_service_itself_are_checked(name: str, given: Any, parameter: Any, said: str) -> None:
    """Against the documents that the OpenAPI document shows."""
    with pytest.raises(Problem) as caught:
        check_document(name, given)
    assert caught.value.status == 400
    assert caught.value.errors[0]["parameter"] == parameter
    assert said in caught.value.detail


@pytest.mark.parametrize("age", ["90s", "2h30m", "7d", "1.5h", "30"])
def test_a_duration_of_a_purge_may_have_several_parts(age: str) -> None:
    """As durations have everywhere."""
    check_document("PurgeRequest", {"namespace": "flow", "older_than": age})

"""Descriptions: what the service says of operations, in lists and one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from rave_core import Runtime, crossover_strategy, duration_strategy, list_of, nocache, one_of, op, op_file
from rave_core.converters.converter import FunctionConverter
from rave_core.expiry import forever
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_core.typemap import any as any_value
from rave_core.typemap import iso_date, typemap
from rave_http.description.argument_checks import wrong_arguments
from rave_http.description.operation_documents import (
    describe,
    expiry_in_words,
    media_types,
    parameters,
    summary,
    sure_types,
)
from rave_http.protocol.media_types import short_name
from tests.http.representation.forms import forms_of

pytestmark = pytest.mark.usefixtures("runtime")


class Color(Enum):
    """Values of different types, one of which JSON does not have."""

    RED = "red"
    DEEP = (1, 2)


@dataclass
class Point:
    """A class of somebody's own."""

    x: int = 0


BROKEN = FunctionConverter("broken", str, {"type": "integr", "minimum": float("nan"), "title": "whatever"})
NO_DEFAULT = object()
SPECIFIERS: list[Any] = [
    *(int, float, bool, str, bytes, complex, None, list, tuple, set, dict, object, any_value),
    *(list_of(int), list_of(int, str), list_of(any_value), one_of(int, None), one_of(int, list_of(str)), iso_date),
    *("iso_date", "iso_datetime", "duration", "size", "ip_address", "ip_network", "port", "json"),
    *("path", "file_content", "file_stat", Path, Decimal, IPv4Address, datetime, date),
    *(Color, Literal["a", 1, True, None], list[int], set[int], tuple[int, str], tuple[int, ...], dict[str, int]),
    *(int | None, list[int] | None, str.upper, BROKEN),
]


def operation_of(function: Callable[..., Any], name: str, **keywords: Any) -> Operation[..., Any]:
    """An operation without a typemap, unless one is given."""
    made: Operation[..., Any] = op(name=name, **keywords)(function)
    return made


def everywhere(_: str) -> bool:
    """Whether anybody may see a namespace: they may."""
    return True


@pytest.mark.parametrize("specifier", SPECIFIERS, ids=str)
def test_every_specifier_gives_a_valid_schema(specifier: object) -> None:
    """Whatever the type and the default, it is JSON Schema 2020-12, and JSON; a default fits its own schema."""

    def required(value):  # type: ignore[no-untyped-def]  # a typemap is what is tested
        """Takes a value."""

    for place, default in enumerate((NO_DEFAULT, None, "text", 5, object(), float("nan"), [1])):

        def optional(value=default):  # type: ignore[no-untyped-def]  # a function without hints is what is tested
            """Takes a value or none."""

        function = required if default is NO_DEFAULT else optional
        operation = op(name=f"zoo/it{place}", typemap=(specifier,))(function)
        schema = json.loads(json.dumps(describe("zoo/it", operation, base="")["parameters"], allow_nan=False))
        Draft202012Validator.check_schema(schema)
        assert schema["required"] == (["value"] if default is NO_DEFAULT else [])
        value = schema["properties"]["value"]
        if "default" in value:
            Draft202012Validator(value).validate(value["default"])


def test_type_hints_give_valid_schemas() -> None:
    """Of optional, literal, nested and strange types."""

    @typemap.from_annotations
    def hinted(
        n: int,
        mode: Literal["fast", "slow"] = "fast",
        maybe: int | None = None,
        table: dict[str, list[int]] | None = None,
        point: Point | None = None,
        color: Color = Color.RED,
        *rest: float,
        **others: str,
    ) -> None: ...

    schema = parameters(op(name="zoo/hinted")(hinted))
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["mode"] == {"title": "mode", "enum": ["fast", "slow"], "default": "fast"}
    assert schema["properties"]["rest"] == {"title": "rest", "type": "array", "items": {"type": "number"}}
    assert schema["additionalProperties"] == {"type": "string"}


def test_without_a_typemap_every_value_fits() -> None:
    """Names, defaults and what is required come from the signature; a default that is no JSON is not told."""

    def free(a, b=2, c=object(), *rest, d, **others):  # type: ignore[no-untyped-def]  # noqa: B008  # a strange default
        """It takes anything."""

    assert parameters(operation_of(free, "zoo/free")) == {
        "type": "object",
        "properties": {
            "a": {"title": "a"},
            "b": {"title": "b", "default": 2},
            "c": {"title": "c"},
            "rest": {"title": "rest", "type": "array", "items": {}},
            "d": {"title": "d"},
        },
        "required": ["a", "d"],
        "additionalProperties": True,
    }


def test_what_the_docstring_says_of_a_parameter_is_in_its_schema() -> None:
    """For whoever fills in a form, and for tools."""

    def talkers(n):  # type: ignore[no-untyped-def]  # a function without hints is what is tested
        """The largest.

        Args:
            n: how many of
                them.
        """

    assert parameters(operation_of(talkers, "zoo/talkers"))["properties"]["n"]["description"] == "how many of them."


def test_a_description_tells_everything() -> None:
    """Of a real operation, with links that start with the base."""
    catalog = Catalog.installed()
    found = describe("flow/top", catalog.find("flow/top"), base="https://host/rave")
    assert found["name"] == "flow/top"
    assert found["summary"].startswith("The n largest sources")
    assert found["kind"] == "data"
    assert found["mime_type"] == "application/vnd.apache.arrow.stream"
    assert set(found["media_types"]) >= {"text/csv", "application/json", "text/html", "application/vnd.apache.parquet"}
    assert found["version"]["strategy"] == "source"
    assert found["parameters"]["properties"]["n"]["maximum"] == 1_000_000
    assert found["links"] == {
        "run": "https://host/rave/flow/top",
        "ui": "https://host/rave/-/ui/flow/top",
        "self": "https://host/rave/-/ops/flow/top",
    }
    json.dumps(found, allow_nan=False)


def test_links_survive_hostile_names() -> None:
    """A name is quoted; its slashes stay."""
    found = summary("zoo/a b/<ü?#%>", operation_of(lambda: None, "zoo/x"), base="")
    assert found["links"]["run"] == "/zoo/a%20b/%3C%C3%BC%3F%23%25%3E"


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (forever, "never"),
        (nocache, "at once: nothing is stored"),
        (duration_strategy("2h30m"), "after 2 h 30 min"),
        (crossover_strategy("5m", "5d", "3h", "end"), "after 5 min while 'end' is less than 3 h ago, else after 5 d"),
        (crossover_strategy(nocache, forever, 60, "t"), "at once: nothing is stored while 't' is less than 1 min ago"),
    ],
)
def test_expiry_is_told_in_words(strategy: Any, words: str) -> None:
    """Not as the code that decides it."""
    assert expiry_in_words(strategy).startswith(words)


def test_a_strategy_of_ones_own_is_told_by_its_docstring() -> None:
    """Or by its name, where it has none."""

    def settling(request: Any) -> float:
        """Five ``minutes``, more or less."""
        return 0.0

    assert expiry_in_words(settling) == "Five minutes, more or less."
    settling.__doc__ = None
    assert expiry_in_words(settling) == "settling"


def test_a_default_expiry_comes_from_the_settings(make_runtime: Callable[..., Runtime]) -> None:
    """An operation without a strategy follows the configuration of whoever runs it."""
    from rave_core import using

    with using(make_runtime(data_expire_after="2h")):
        assert describe("zoo/x", operation_of(lambda: None, "zoo/x"), base="")["expires"] == "after 2 h"


def test_media_types_follow_from_what_an_operation_makes() -> None:
    """A file has one form, a table has many, and of what says nothing anything may come."""

    def file(out):  # type: ignore[no-untyped-def]  # a function without hints is what is tested
        """A picture."""

    assert media_types(op_file(name="zoo/f", mime_type="image/png")(file).spec) == ("image/png",)
    csv = media_types(operation_of(lambda: None, "zoo/c", mime_type="text/csv; header=present").spec)
    assert csv[0] == "text/csv"
    assert "application/vnd.apache.parquet" in csv
    assert media_types(operation_of(lambda: None, "zoo/t", mime_type="text/plain").spec) == (
        "text/plain",
        "application/json",
    )
    assert "application/json" in media_types(operation_of(lambda: None, "zoo/u").spec)
    assert [short_name(each) for each in csv] == ["csv", "json", "arrow", "parquet", "html"]


@pytest.mark.parametrize("value", [True, 2.5, 3, "text", b"bytes"])
def test_forms_of_a_plain_result_are_those_that_are_served(value: object) -> None:
    """If the annotation says what it is, and no MIME type does."""

    def plain():  # type: ignore[no-untyped-def]  # it is annotated below
        """Makes the value."""

    plain.__annotations__["return"] = type(value)
    spec = operation_of(plain, "zoo/plain").spec
    assert media_types(spec) == sure_types(spec)
    assert set(sure_types(spec)) == {each.partition(";")[0] for each in forms_of(value, spec.mime_type)}


def test_json_of_the_wrong_type_is_told_for_every_argument() -> None:
    """A text is no number in JSON, though a typemap would convert it; the schema that it has to fit is told."""

    @typemap(int, list_of(int), any_value, str, others=int)
    def typed(n, many, free=None, name="x", **others):  # type: ignore[no-untyped-def]  # a function without hints is what is tested
        """Typed."""

    operation = op(name="zoo/typed")(typed)
    assert wrong_arguments(operation, {"n": 1, "many": [1, 2], "free": {"a": []}, "k": 3}) == []
    found = wrong_arguments(operation, {"n": "10", "many": [1, True], "free": 1, "name": 5, "k": "x"})
    assert [(each["parameter"], each["detail"]) for each in found] == [
        ("n", "argument 'n': \"10\" is not an integer"),
        ("many", "argument 'many[1]': true is not an integer"),
        ("name", "argument 'name': 5 is not a text"),
        ("k", "argument 'k': \"x\" is not an integer"),
    ]
    assert found[0]["schema"] == {"title": "n", "type": "integer"}


def test_a_default_of_another_type_may_be_said_aloud() -> None:
    """It is the same call as leaving it out, and so it fits."""

    @typemap(int)
    def auto(n="auto"):  # type: ignore[no-untyped-def]  # a function without hints is what is tested
        """How many, or as many as there are."""

    operation = op(name="zoo/auto")(auto)
    assert wrong_arguments(operation, {"n": "auto"}) == []
    assert (
        wrong_arguments(operation, {"n": "other"})[0]["detail"] == 'argument \'n\': "other" is not an integer or "auto"'
    )

"""From specifiers and hints to converters: what is accepted, looked up late, and described."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
import pytest

from rave_core.converters import Converter, any, list_of, one_of
from rave_core.converters.converter import shown
from rave_core.converters.specifiers import converter_of, converter_of_hint
from rave_core.errors import DecorationError, UnknownNameError


class Colour(Enum):
    RED = 1
    GREEN = "g"


class Port(int):
    """A class of one argument."""


class Point:
    """A class that is no built-in one."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y


class Row(TypedDict):
    name: str


def same(left: object, right: object) -> bool:
    """Equal, and of the same type."""
    return type(left) is type(right) and left == right


@pytest.mark.parametrize(
    "spec", [5, 1.5, sys, ..., (int, str), [int], {"a": int}, Point, lambda: 1, typing.Union, b"int"]
)
def test_what_is_no_type_is_refused_with_what_is(spec: object) -> None:
    """A specifier that can't convert anything is an error at decoration that says what is accepted."""
    with pytest.raises(DecorationError, match=r"accepted: a type, None|called with one argument"):
        converter_of(spec)


def test_lists_and_choices_need_a_type() -> None:
    """list_of() and one_of() without types mean nothing."""
    with pytest.raises(DecorationError, match=r"list_of\(\) needs at least one type"):
        list_of()
    with pytest.raises(DecorationError, match=r"one_of\(\) needs at least one type"):
        one_of()


def test_a_name_is_looked_up_when_it_is_first_needed() -> None:
    """Converters of plugins may be named before the plugins are loaded, also inside others."""
    asked: list[str] = []

    def named(name: str) -> Converter:
        asked.append(name)
        return converter_of(int)

    found = converter_of(list_of(one_of(None, "later")), named=named)
    assert asked == []
    assert found.convert(["1", None]) == [1, None]
    assert found.convert(["2"]) == [2]
    assert asked == ["later"]


def test_a_name_that_nobody_knows_is_an_unknown_name() -> None:
    """It is no failed conversion, so that one_of does not hide it."""
    with pytest.raises(UnknownNameError, match="no converter 'later'"):
        one_of("later", str).convert("x")


def test_a_failed_choice_says_what_was_wanted() -> None:
    """Every alternative is named with its reason."""
    with pytest.raises(TypeError, match=r"None: .*; int: .*'x'"):
        one_of(None, int).convert("x")


def test_a_bad_item_is_named() -> None:
    """The message about a list says which item."""
    with pytest.raises(ValueError, match="item 1 is not int"):
        list_of(int).convert([1, "x"])


def test_a_function_of_one_argument_is_a_type() -> None:
    """It gets the value, and its TypeError and ValueError refuse it."""
    found = converter_of(str.upper)
    assert found.convert("a") == "A"
    assert found.name == "upper"
    with pytest.raises(TypeError):
        found.convert(5)


@pytest.mark.parametrize(
    ("hint", "value", "wanted"),
    [
        (Sequence[int], ("1",), [1]),
        (Iterable[int], iter(["1"]), [1]),
        (Mapping[str, int], {"a": "1"}, {"a": 1}),
        (Row, {"name": "x"}, {"name": "x"}),
        (Callable[[int], int], len, len),
        (type[int], int, int),
        (Any, "x", "x"),
        (object, "x", "x"),
        (Port, "80", Port(80)),
        (typing.TypeVar("T", bound=int), "1", 1),
    ],
    ids=lambda part: shown(part)[:40].partition(" at 0x")[0],
)
def test_hints_are_types(hint: object, value: object, wanted: object) -> None:
    """What annotations say is understood as far as a value can be converted to it."""
    assert same(converter_of_hint(hint).convert(value), wanted)


def test_a_hinted_class_takes_its_instances_alone() -> None:
    """A class is never called because a hint names it: numpy.ndarray(5) would make an array of rubbish."""
    point, array = Point(1, 2), np.array([1])
    assert converter_of_hint(Point).convert(point) is point
    assert converter_of_hint(np.ndarray).convert(array) is array
    for hint, value in ((Point, 5), (np.ndarray, 5), (pd.DataFrame, {"a": [1]})):
        with pytest.raises(TypeError, match=f"only an instance of {hint.__name__}"):
            converter_of_hint(hint).convert(value)


@pytest.mark.parametrize(
    ("spec", "schema"),
    [
        (int, {"type": "integer"}),
        (None, {"type": "null"}),
        (any, {}),
        (date, {"type": "string", "format": "date"}),
        (list_of(int), {"type": "array", "items": {"type": "integer"}}),
        (list_of(int, str), {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}),
        (list_of(int, any), {"type": "array"}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (int | None, {"anyOf": [{"type": "null"}, {"type": "integer"}]}),
        (one_of(int, any), {}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Colour, {"enum": [1, "g"]}),
        ("port", {"type": "integer", "minimum": 0, "maximum": 65535}),
        (tuple[int], {"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 1, "maxItems": 1}),
    ],
    ids=lambda part: str(part).partition(" at 0x")[0],
)
def test_a_type_has_a_schema(spec: object, schema: dict[str, object]) -> None:
    """A typemap also drives JSON Schema."""
    assert converter_of(spec).schema() == schema


def test_a_schema_is_the_callers_to_change() -> None:
    """Changing what schema() gave does not change the next one."""
    converter_of(int).schema()["title"] = "n"
    assert converter_of(int).schema() == {"type": "integer"}

"""The encoding of functions, methods and local classes."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import pytest

from rave_core.errors import UnencodableError
from rave_core.fingerprint.encoder import encode


class Point(NamedTuple):
    """Something with methods."""

    x: object
    y: object


Pair = collections.namedtuple("Pair", "x y")


def scaled(factor: object) -> Callable[[float], object]:
    """A closure over ``factor``."""
    return lambda value: (factor, value)


def test_captured_values_count() -> None:
    """Two closures of one function differ by what they captured, and are refused when that has no encoding."""
    assert encode(scaled(2)) == encode(scaled(2)) != encode(scaled(3))
    with pytest.raises(UnencodableError) as caught:
        encode([scaled(object())])
    assert caught.value.path == "[0].factor[0]"


def defined(source: str) -> Any:
    """The function ``helper`` of a module with this source."""
    names: dict[str, Any] = {"__name__": "project.helpers"}
    exec(compile(source, "helpers.py", "exec"), names)
    return names["helper"]


def test_an_edited_helper_changes_the_key() -> None:
    """A function counts by what it does: its constants, names and nested code, but not its lines or comments."""
    old = encode(defined("def helper(x):\n    return sorted(x, key=lambda y: y + 1)"))
    assert encode(defined("\n# moved\ndef helper(x):  # same\n    return sorted(x, key=lambda y: y + 1)")) == old
    assert encode(defined("def helper(x):\n    return sorted(x, key=lambda y: y + 2)")) != old
    assert encode(defined("def helper(x):\n    return set(x, key=lambda y: y + 1)")) != old
    assert encode(defined("def helper(x):\n    return x in {1, 2}")) != old


def test_a_method_counts_with_its_object() -> None:
    """A bound method is its function and what it is bound to."""
    assert encode(Point(1, 2).count) == encode(Point(1, 2).count) != encode(Point(1, 3).count)
    assert encode(Point._make) != encode(Pair._make)


def local_class(factor: int) -> type:
    """A class whose method captured ``factor``."""

    @dataclasses.dataclass
    class Local:
        start: int

        def scaled(self) -> int:
            return self.start * factor

    return Local


def test_a_local_class_counts_by_what_it_captures() -> None:
    """Two classes of one name differ by what their methods captured."""
    for one, same, other in (
        (local_class(1), local_class(1), local_class(2)),
        (local_class(1)(5), local_class(1)(5), local_class(2)(5)),
    ):
        assert encode(one) == encode(same) != encode(other)


def test_a_local_class_that_captures_what_has_no_encoding_is_refused() -> None:
    """The path leads to the captured variable."""
    with pytest.raises(UnencodableError) as caught:
        encode([local_class(object())])  # type: ignore[arg-type]  # no number
    assert caught.value.path == "[0].scaled.factor[0]"


def schema(unit: str) -> type:
    """A class that is told from others of its name by an attribute."""

    class Schema:
        time_unit = unit

        @property
        def label(self) -> str:
            return self.time_unit

        def again(self) -> Any:
            return __class__  # type: ignore[name-defined]  # the cell that super() uses

    return Schema


MADE: list[tuple[type, type, type]] = [
    (collections.namedtuple("R", "a b"), collections.namedtuple("R", "a b"), collections.namedtuple("R", "x y")),
    (
        dataclasses.make_dataclass("P", ["x"]),
        dataclasses.make_dataclass("P", ["x"]),
        dataclasses.make_dataclass("P", ["y"]),
    ),
    (schema("s"), schema("s"), schema("ms")),
    (type("T", (int,), {}), type("T", (int,), {}), type("T", (str,), {})),
    (
        attrs.make_class("A", {"x": attrs.field(default=1)}),
        attrs.make_class("A", {"x": attrs.field(default=1)}),
        attrs.make_class("A", {"x": attrs.field(default=2)}),
    ),
    (enum.Enum("E", "A B"), enum.Enum("E", "A B"), enum.Enum("E", "A C")),
]


@pytest.mark.parametrize(("one", "same", "other"), MADE)
def test_a_class_made_at_run_time_counts_by_what_it_is(one: type, same: type, other: type) -> None:
    """Fields, attributes, bases and members count, and so for the instances."""
    assert encode(one) == encode(same) != encode(other)


def test_a_change_of_a_class_made_at_run_time_is_seen() -> None:
    """Such a class is looked at anew for each key, for itself and for an instance."""
    made = schema("s")
    before = encode(made), encode(made())
    made.time_unit = "ms"  # type: ignore[attr-defined]  # a class of a function's
    assert encode(made) != before[0]
    assert encode(made()) != before[1]


def test_an_enum_made_at_run_time_is_told_apart_by_its_members() -> None:
    """Members of equal name and value differ where their enums do."""
    two, three = enum.Enum("E", "A B"), enum.Enum("E", "A B C")
    assert encode(two["A"]) == encode(enum.Enum("E", "A B")["A"]) != encode(three["A"])


def test_a_function_behind_a_cache_counts_by_its_code() -> None:
    """``lru_cache`` hides what it wraps; what it remembers does not count."""
    one, two = functools.lru_cache(scaled(1)), functools.lru_cache(scaled(2))
    before = encode(one)
    one(1.0)
    assert encode(one) == before != encode(two)
    assert encode(functools.lru_cache(3)(scaled(1))) != before

"""The encoding of functions, methods and local classes."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

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


def test_a_local_class_that_captures_values_is_refused() -> None:
    """Its name would be that of another class; a local class that captures nothing is as good as any."""
    for value in (local_class(1), local_class(2)(1)):
        with pytest.raises(UnencodableError, match="captures values"):
            encode(value)
    local = collections.namedtuple("local", "x")
    plain = dataclasses.make_dataclass("plain", ["x"])
    assert encode(local(1)) != encode(plain(1))

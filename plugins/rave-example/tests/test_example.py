"""The example, tried as any namespace can be: on a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rave_example
from rave_example import fib, goodbye, hello

from rave_core import Runtime, Settings, using
from rave_core.errors import ArgumentError
from rave_core.testing import uncounted_code


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path) -> Iterator[None]:
    """Fresh caches for each test."""
    runtime = Runtime(Settings(cache=[f"file://{tmp_path}/cache"], products=[f"file://{tmp_path}/products"]))
    with runtime, using(runtime):
        yield


def test_a_greeting_names_who_is_greeted() -> None:
    """Hello and goodbye are texts with the name in them."""
    assert hello("Ada") == "Hello, Ada!"
    assert goodbye("Ada") == "Goodbye, Ada!"


@pytest.mark.parametrize(("n", "number"), [(-3, 0), (0, 0), (1, 1), (2, 1), (10, 55), (50, 12586269025)])
def test_fibonacci_numbers_are_right(n: int, number: int) -> None:
    """Those below the first are 0."""
    assert fib(n) == number


def test_all_that_runs_counts_in_the_versions() -> None:
    """The conversion of the numbers that are asked for in turn is a part of it."""
    assert uncounted_code(fib, 7) == uncounted_code(hello, "Ada") == uncounted_code(goodbye, "Ada") == []


def test_each_number_is_kept() -> None:
    """After the tenth number those before it are answered from the cache, however they are asked for."""
    fib(10)
    assert [fib.resolve(n).status for n in (10, "10", 10.0, 5)] == ["hit"] * 4


def test_what_is_no_number_is_refused() -> None:
    """The error names the argument."""
    with pytest.raises(ArgumentError, match="'n'"):
        fib("ten")  # type: ignore[arg-type]  # that is the point


def test_the_exports_are_those_of_the_guide() -> None:
    """Three names, two of them in a group."""
    assert rave_example.__export__ == {"fibonacci": fib, "greeting/hello": hello, "greeting/goodbye": goodbye}
    assert {operation.spec.mime_type for operation in rave_example.__export__.values()} == {"text/plain"}


@pytest.mark.parametrize("place", ["ten", "91", "1.5"])
def test_a_wrong_place_is_refused_in_words(place: str) -> None:
    """With what would be right."""
    with pytest.raises(ArgumentError, match="expected a whole number up to 90"):
        fib(place)

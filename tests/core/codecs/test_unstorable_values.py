"""What can't be stored is refused with the reason."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import pytest

from rave_core.errors import UnstorableError
from tests.core.codecs.sample_values import (
    CODECS,
    Colour,
    around,
)


def generator() -> Any:
    """A value that can't be kept."""
    yield 1


def test_what_can_not_be_stored_is_named_with_the_reason(tmp_path: pathlib.Path) -> None:
    """Generators, locks, open files and local functions are refused with what is wrong."""
    with (tmp_path / "x").open("w") as file:
        for value, words in [
            (generator(), "generator.*return a list"),
            ({"a": [threading.Lock()]}, "dict can't be pickled.*lock"),
            (file, "TextIOWrapper.*@op_file"),
            (lambda: 1, "function.*lambda"),
        ]:
            with pytest.raises(UnstorableError, match=words):
                CODECS.choose(value, data_only=False)


def test_what_is_no_data_is_named_in_data_only_mode() -> None:
    """The message names the outer type, the type inside, and the way out."""
    with pytest.raises(UnstorableError, match=r"keeps this dict: .*Colour is not a type.*signing_key"):
        CODECS.choose({"a": [Colour.RED]}, data_only=True)


@pytest.mark.parametrize("data_only", [True, False])
def test_a_bottomless_value_is_unstorable(data_only: bool) -> None:
    """Endless nesting ends in an error of ours, not in a crash."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnstorableError, match="nested"):
        CODECS.choose(value, data_only=data_only)


def test_a_list_that_holds_itself_is_kept_by_pickle_only() -> None:
    """Plain data has no references, pickle has."""
    value: list[Any] = []
    value.append(value)
    back = around(value, data_only=False)
    assert back[0] is back
    with pytest.raises(UnstorableError, match="contains itself"):
        CODECS.choose(value, data_only=True)


def test_the_deepest_data_that_is_taken_can_be_read() -> None:
    """Whatever depth is written is also decoded."""
    depth, value = 0, ()
    while True:
        try:
            back = around(value, data_only=True)
        except UnstorableError:
            break
        assert back == value
        depth, value = depth + 1, (value,)
    assert depth > 50


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), ValueError("odd")])
def test_whatever_pickling_raises_is_unstorable(error: Exception) -> None:
    """A value's own ``__reduce__`` can't break the engine."""

    class Broken:
        def __reduce__(self) -> str:
            raise error

    with pytest.raises(UnstorableError, match="list can't be pickled") as caught:
        CODECS.choose([Broken()], data_only=False)
    assert caught.value.__cause__ is error

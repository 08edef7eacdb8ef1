"""What users of ``joblib.Memory`` rely on, as RAVE does it; what differs is listed in the documentation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rave_core import Options, Runtime, op, using
from rave_core.errors import DecorationError


@op(ignore=["runs"])
def added(a: Any, b: Any = 10, *rest: Any, scale: Any = 1, runs: Any = None, **more: Any) -> Any:
    """Notes that it ran."""
    if runs is not None:
        runs.append((a, b))
    return [a, b, rest, scale, more]


def test_the_second_call_runs_nothing(runs: list[object]) -> None:
    """And gives an equal value."""
    assert added(1, runs=runs) == added(1, runs=runs)
    assert runs == [(1, 10)]


def test_arguments_count_by_value_however_they_are_passed(runs: list[object]) -> None:
    """By place, by name, by default and in any order."""
    added(1, 10, runs=runs)
    added(1, runs=runs)
    added(b=10, a=1, runs=runs)
    added(a=1, scale=1, runs=runs)
    assert len(runs) == 1


def test_more_arguments_of_either_kind_count(runs: list[object]) -> None:
    """Those of ``*args`` and ``**kwargs``, the latter in any order."""
    added(1, 2, 3, x=1, y=2, runs=runs)
    added(1, 2, 3, y=2, x=1, runs=runs)
    assert len(runs) == 1
    added(1, 2, 4, x=1, y=2, runs=runs)
    added(1, 2, 3, x=1, y=3, runs=runs)
    assert len(runs) == 3


def test_an_ignored_argument_does_not_count() -> None:
    """Whatever it is."""
    assert added.key(1, runs=[1]) == added.key(1, runs=object())


def test_ignoring_an_argument_that_there_is_not_is_refused() -> None:
    """When it is decorated."""
    with pytest.raises(DecorationError, match="wrong"):
        op(ignore=["wrong"])(lambda x: x)


def test_none_is_a_result() -> None:
    """It is kept like any other."""
    nothing = op(name="peers/nothing")(lambda x: None)
    nothing(1)
    assert nothing.resolve(1).status == "hit"


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (np.arange(6), np.arange(6).copy(), True),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), True),
        (np.arange(6), np.arange(6, dtype="int32"), False),
        (np.arange(6), np.arange(6).reshape(2, 3), False),
        (np.arange(6)[::2], np.array([0, 2, 4]), True),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
        ({3, 1, 2}, {1, 2, 3}, True),
        (1, 1.0, False),
        (1, True, False),
        ("1", 1, False),
        (["x y", "z"], ["x", "y z"], False),
    ],
)
def test_values_are_equal_by_content_and_type(one: object, other: object, are_equal: bool) -> None:
    """Memory layout and order of making do not count; dtype, shape and type do."""
    assert (added.key(one) == added.key(other)) is are_equal


def test_a_mapped_file_is_the_array_in_it(tmp_path: Path) -> None:
    """As workers get it."""
    np.save(tmp_path / "a.npy", np.arange(100))
    assert added.key(np.load(tmp_path / "a.npy", mmap_mode="r")) == added.key(np.arange(100))


def test_whether_a_call_is_kept_can_be_asked(runs: list[object]) -> None:
    """Nothing runs for it."""
    ask = added.answering(Options(dry_run=True))
    assert ask(5, runs=runs) is None
    assert not runs
    added(5, runs=runs)
    assert ask(5, runs=runs) == added(5)


def test_one_result_can_be_cleared(runs: list[object]) -> None:
    """And only that."""
    added(1, runs=runs), added(2, runs=runs)
    assert added.invalidate(1)
    added(1, runs=runs), added(2, runs=runs)
    assert runs == [(1, 10), (2, 10), (1, 10)]


def test_a_changed_result_does_not_change_what_is_kept() -> None:
    """Each caller gets a value of its own."""
    first = added(1)
    first.append("changed")
    assert added(1) == [1, 10, (), 1, {}]


def test_an_exception_is_not_kept(runs: list[object]) -> None:
    """The body runs again."""

    @op(name="peers/fails", ignore=["runs"])
    def fails(runs: list[object]) -> None:
        runs.append(1)
        raise LookupError("no")

    for _ in range(2):
        with pytest.raises(LookupError):
            fails(runs)
    assert len(runs) == 2


def test_another_process_finds_the_result(make_runtime: Callable[..., Runtime], runs: list[object]) -> None:
    """Another runtime over the same directory stands for it."""
    added(7, runs=runs)
    with using(make_runtime()):
        added(7, runs=runs)
    assert len(runs) == 1


def test_a_partial_is_an_argument_and_no_operation() -> None:
    """It counts by what it calls and holds; as an operation it is refused."""
    assert added.key(functools.partial(pow, 2)) == added.key(functools.partial(pow, 2))
    assert added.key(functools.partial(pow, 2)) != added.key(functools.partial(pow, 3))
    with pytest.raises(DecorationError, match=r"not functools\.partial"):
        op(name="peers/power")(functools.partial(pow, 2))


def test_a_local_function_needs_a_name() -> None:
    """Another of its qualname may be made elsewhere."""
    with pytest.raises(DecorationError, match="give it one"):

        @op
        def local() -> None:
            pass


def test_a_method_counts_with_its_object() -> None:
    """By the state that it has."""

    class Scaled:
        def __init__(self, by: int) -> None:
            self.by = by

        @op(name="peers/scaled")
        def of(self, n: int) -> int:
            return n * self.by

    assert (Scaled(2).of(3), Scaled(5).of(3)) == (6, 15)
    assert Scaled(2).of.resolve(3).status == "hit"

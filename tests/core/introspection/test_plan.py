"""A plan tells what a call would run and how long that takes."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core import Operation, Runtime, op
from rave_core.introspection.plan import Need
from rave_core.runtime.runtime import current_runtime
from rave_core.testing import FakeClock
from tests.core.introspection.explained import scaled

_operations: dict[str, Operation[..., Any]] = {}


def _leaf(n: int) -> int:
    current_runtime().clock.advance(10)  # type: ignore[attr-defined]  # the test's own clock
    return n


def _root(count: int) -> int:
    current_runtime().clock.advance(1)  # type: ignore[attr-defined]  # likewise
    return sum(_operations["leaf"](n) for n in range(count))


def _tree(version: int = 1) -> tuple[Operation[..., Any], Operation[..., Any]]:
    _operations["leaf"] = op(name="test/leaf", version=version, expires=100)(_leaf)
    return op(name="test/root", version=version, expires=50)(_root), _operations["leaf"]


@pytest.fixture
def tree(runtime: Runtime, clock: FakeClock) -> tuple[Operation[..., Any], Operation[..., Any], FakeClock]:
    """An operation of one second over others of ten, by the clock of the runtime."""
    return (*_tree(), clock)


def test_a_kept_call_needs_nothing(tree: tuple[Any, Any, FakeClock]) -> None:
    """The plan of a fresh result is one cached step, and takes no time."""
    root, _, _ = tree
    root(3)
    plan = root.plan(3)
    assert [(step.need, step.depth) for step in plan.steps] == [(Need.CACHED, 0)]
    assert plan.seconds == 0


def test_a_plan_tells_which_steps_run_and_how_long_that_takes(tree: tuple[Any, Any, FakeClock]) -> None:
    """Once the root expired its own second is due; the leaves that are still fresh cost nothing."""
    root, leaf, clock = tree
    root(3)
    clock.advance(60)
    leaf.invalidate(1)
    plan = root.plan(3)
    assert [(step.depth, step.need) for step in plan.steps] == [
        (0, Need.RUN),
        (1, Need.CACHED),
        (1, Need.RUN),
        (1, Need.CACHED),
    ]
    assert plan.steps[0].basis == "the last time"
    assert plan.steps[2].basis == "other calls of the operation"
    assert plan.steps[2].seconds == pytest.approx(10)
    assert plan.to_run == 2


def test_the_time_of_a_step_is_its_own(tree: tuple[Any, Any, FakeClock]) -> None:
    """What its children took while it ran is theirs, so that the sum is right."""
    root, _, clock = tree
    root(3)
    clock.advance(1000)
    plan = root.plan(3)
    assert [step.seconds for step in plan.steps] == pytest.approx([1, 10, 10, 10])
    assert plan.seconds == pytest.approx(31)


def test_a_plan_after_a_change_goes_by_the_earlier_version(runtime: Runtime) -> None:
    """Results of other versions still tell the steps, and how long they take."""
    _tree(version=1)[0](2)
    plan = _tree(version=2)[0].plan(2)
    assert [step.need for step in plan.steps] == [Need.RUN] * 3
    assert {step.basis for step in plan.steps} == {"an earlier version"}
    assert plan.seconds == pytest.approx(21)


def test_a_step_that_is_asked_twice_runs_once(runtime: Runtime, clock: FakeClock) -> None:
    """In a plan of Fibonacci numbers each number runs once; where it is asked again it is shared."""

    def fib(n: int) -> int:
        return n if n < 2 else int(fib_op(n - 1)) + int(fib_op(n - 2))

    fib_op = op(name="test/fib", version=1, expires=10)(fib)
    fib_op(20)
    clock.advance(20)
    plan = fib_op.plan(20)
    assert plan.to_run == 21
    assert sum(step.need is Need.SHARED for step in plan.steps) == 18


def test_a_call_that_was_never_made_has_no_known_time(runtime: Runtime) -> None:
    """Without any record the plan says that it does not know, instead of a number."""
    plan = scaled().plan(1.0)
    assert plan.seconds is None
    assert plan.steps[0].basis == "never computed"

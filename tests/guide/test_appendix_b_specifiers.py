"""Appendix B: the type specifiers that are supplied."""

from __future__ import annotations

import pytest

from rave_core import list_of, one_of, op, typemap
from rave_core.typemap import any

pytestmark = pytest.mark.usefixtures("runtime")


@op
@typemap(list_of(str, int))
def pairs(values):
    """Types in turn."""
    return values


@op
@typemap(one_of(None, str))
def maybe(value):
    """A text or nothing."""
    return value


@op
@typemap(one_of(str, None))
def badly_ordered(value):
    """The order that the guide warns of."""
    return value


@op
@typemap(one_of(int, str))
def number_or_text(value):
    """The first that succeeds."""
    return value


@op
@typemap(any, int)
def anything(value, number):
    """The first argument is of no importance."""
    return (value, number)


def test_list_of_recycles_its_types() -> None:
    """More items than types: the types start over."""
    assert pairs(["a", "1", "b", "2", 3]) == ["a", 1, "b", 2, "3"]


def test_one_of_gives_the_first_success() -> None:
    """A number if it can be one, else a text."""
    assert number_or_text("7") == 7
    assert number_or_text("seven") == "seven"


def test_none_must_go_before_str() -> None:
    """``str`` takes everything, ``None`` included, so it comes last."""
    assert maybe(None) is None
    assert maybe("x") == "x"
    assert badly_ordered(None) == "None"


def test_any_changes_nothing() -> None:
    """Whatever comes goes on as it is, and under ``any`` 10 and "10" stay apart."""
    assert anything(10, "1") == (10, 1)
    assert anything("10", 1) == ("10", 1)
    assert anything([None], 1.0) == ([None], 1)


def test_no_type_fits() -> None:
    """The error names operation, argument, value and what was wanted."""
    with pytest.raises(TypeError, match=r"pairs.*'values.*'x'.*int"):
        pairs(["a", "x"])

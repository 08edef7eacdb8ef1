"""Appendix A: the expiration strategies that are supplied."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

import pytest

from rave_core import Runtime, crossover_strategy, duration_strategy, expires, forever, nocache, op, using
from rave_core.testing.clock import FakeClock

Ran = Callable[[], list[str]]
HOUR = 3600
DAY = 24 * HOUR

five_mins = duration_strategy("5m")
five_days = duration_strategy("5d")


@op
@expires(forever)
def always(x):
    """Kept for good."""
    print("always")


@op
@expires(nocache)
def never(x):
    """Not kept at all."""
    print("never")


@op
@expires(duration_strategy("2h30m"))
def two_and_a_half_hours(x):
    """The listing whose body was lost."""
    print("two and a half hours")


@op
@expires(duration_strategy(300))
def three_hundred(x):
    """An interval in seconds."""
    print("three hundred")


@op
@expires(crossover_strategy(five_mins, five_days, 3 * 60 * 60, "etime"))
def foo(a, b, stime, etime):
    """The last listing."""
    print("foo")
    return (a, b)


@pytest.fixture(autouse=True)
def _by_that_clock(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[None]:
    with using(make_runtime(clock=clock)):
        yield


def test_forever(clock: FakeClock, ran: Ran) -> None:
    """A result under ``forever`` is valid after a hundred years."""
    always(1)
    clock.advance(100 * 365 * DAY)
    always(1)
    assert ran() == ["always"]


def test_nocache(clock: FakeClock, ran: Ran) -> None:
    """A result under ``nocache`` is never kept."""
    never(1)
    never(1)
    assert ran() == ["never", "never"]


@pytest.mark.parametrize(("operation", "seconds"), [(two_and_a_half_hours, 9000), (three_hundred, 300)])
def test_durations(clock: FakeClock, ran: Ran, operation: Callable[[int], None], seconds: int) -> None:
    """``"2h30m"`` is two and a half hours, and a number is seconds."""
    operation(1)
    clock.advance(seconds - 1)
    operation(1)
    assert len(ran()) == 1
    clock.advance(1)
    operation(1)
    assert len(ran()) == 1


@pytest.mark.parametrize(("age", "seconds"), [(HOUR, 300), (4 * HOUR, 5 * DAY)])
@pytest.mark.parametrize("by_name", [True, False])
def test_crossover(clock: FakeClock, ran: Ran, age: int, seconds: int, by_name: bool) -> None:
    """An end time newer than three hours expires after five minutes, an older one after five days."""
    etime = datetime.datetime.fromtimestamp(clock.now() - age, datetime.UTC)

    def ask() -> int:
        foo(1, 2, 0, etime=etime) if by_name else foo(1, 2, 0, etime)
        return len(ran())

    assert ask() == 1
    clock.advance(seconds - 1)
    assert ask() == 0
    clock.advance(2)
    assert ask() == 1

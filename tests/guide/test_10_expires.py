"""§10: a strategy says after which time a result is invalid."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rave_core import Runtime, expires, op, using
from rave_core.testing.clock import FakeClock

Ran = Callable[[], list[str]]


def soon(req):
    """Five minutes from now."""
    return time.time() + 300


@op
@expires(soon)
def volatile_data(x, y, z):
    """Data that should not stay long."""
    print("volatile_data")
    return (x, y, z)


def test_soon_is_five_minutes(
    make_runtime: Callable[..., Runtime], clock: FakeClock, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    """Within five minutes the result is valid; after that it is made anew."""
    monkeypatch.setattr(time, "time", clock.now)
    with using(make_runtime(clock=clock)):
        volatile_data(1, 2, 3)
        clock.advance(299)
        volatile_data(1, 2, 3)
        assert ran() == ["volatile_data"]
        clock.advance(2)
        assert volatile_data(1, 2, 3) == (1, 2, 3)
        assert ran() == ["volatile_data"]


SEEN = []


@op
@expires(lambda req: SEEN.append(req) or req.generated_at + 1)
def watched(x, y=2):
    """An operation whose strategy looks at the request."""


def test_a_strategy_gets_the_request(runtime: Runtime) -> None:
    """The one argument of a strategy tells which call it is about."""
    SEEN.clear()
    watched(1)
    assert [dict(req.arguments) for req in SEEN] == [{"x": 1, "y": 2}]
    assert SEEN[0].key == watched.key(1)
    assert SEEN[0].operation == watched.spec.name

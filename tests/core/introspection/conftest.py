"""What the tests here share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rave_core import Runtime, using
from rave_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock of the test's own."""
    return FakeClock()


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime that goes by that clock, over directories alone, so that files can be damaged."""
    root = make_runtime().settings.cache[-1]
    with using(make_runtime(clock=clock, cache=[root])) as entered:
        yield entered

"""A cache for each test, and a clock to turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rave_core import Runtime, using
from rave_core.testing import FakeClock


@pytest.fixture(autouse=True)
def own_runtime(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """Memory over a directory."""
    with using(make_runtime(clock=clock)) as entered:
        yield entered


@pytest.fixture
def runs() -> list[object]:
    """What the bodies note when they run; reading a global counts as code, so it is passed as an ignored argument."""
    return []

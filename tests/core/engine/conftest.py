"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.engine.gates import GATES, Gate


@pytest.fixture
def gate() -> Iterator[Gate]:
    """The gate that `gated` goes through."""
    GATES.append(Gate())
    yield GATES[-1]
    GATES.pop().open.set()

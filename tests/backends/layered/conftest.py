"""What the tests of layers share: two that can fail, and both as one."""

from __future__ import annotations

import pytest

from rave_backends.layered.backend import LayeredBackend
from tests.backends.layered.failing import Broken


@pytest.fixture
def upper():
    """The layer in front."""
    return Broken()


@pytest.fixture
def lower():
    """The layer that counts."""
    return Broken()


@pytest.fixture
def layered(upper, lower):
    """Both."""
    return LayeredBackend([upper, lower])

"""Where the documentation lies, for the tests that hold it against the code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def page() -> Callable[[str], str]:
    """Gives the text of a page by its path below ``docs/``."""
    return lambda name: (ROOT / "docs" / name).read_text("utf-8")

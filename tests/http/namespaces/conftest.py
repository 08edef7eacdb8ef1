"""What the tests here share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.namespaces.live_code import write


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory whose operation answers ``one``."""
    write(tmp_path / "code", "one")
    return tmp_path / "code"

"""What the tests here share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime
from tests.core.reloading.served_code import Code, Gate, Served


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """An operation that answers ``one``."""
    made = Code(tmp_path / "code")
    made.answer("one")
    return made


@pytest.fixture
def served(runtime: Runtime, code: Code) -> Served:
    """It, served."""
    return Served(code)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that is shut."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def elsewhere() -> Any:
    """A thread that does what would stop the test; it is over when the test is."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit

"""What the tests of workers share: a run directory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_http.workers.run_directory import RunDirectory


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where boards are made; of a short path."""
    with tempfile.TemporaryDirectory(prefix="rave-test-", dir="/tmp") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
        yield Path(name)


@pytest.fixture
def run_directory(parent: Path) -> Iterator[RunDirectory]:
    """A board of this process."""
    made = RunDirectory.create()
    yield made
    made.remove()

"""What one worker imported, its successors import before they serve."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_core.testing import FakeClock
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.shared_imports import SharedImports

RARE = "this"
"""A module that nobody imports."""


@pytest.fixture(name="directory")
def _directory() -> Iterator[RunDirectory]:
    made = RunDirectory.create()
    yield made
    made.remove()
    sys.modules.pop(RARE, None)


def imported_by_a_worker(directory: RunDirectory, name: str) -> None:
    """Lets a worker import a module, and record that; then it is as if in another process."""
    worker = SharedImports(directory, FakeClock(), workers=1)
    __import__(name)
    worker.note()
    del sys.modules[name]


def test_a_new_worker_imports_what_another_did(directory: RunDirectory) -> None:
    """If as many serve as there should be, as at a reload; else it serves at once."""
    imported_by_a_worker(directory, RARE)
    SharedImports(directory, FakeClock(), workers=1).repeat()
    assert RARE not in sys.modules
    directory.socket("worker-1").touch()
    SharedImports(directory, FakeClock(), workers=1).repeat()
    assert RARE in sys.modules


def test_code_of_directories_is_not_imported(
    directory: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have changed meanwhile, and is loaded in another way."""
    (tmp_path / "changing.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    imported_by_a_worker(directory, "changing")
    assert directory.read("imports") is None


def test_a_module_that_is_gone_is_no_trouble(directory: RunDirectory) -> None:
    """As after an upgrade: the others are imported."""
    directory.write("imports", ["gone_for_good", RARE])
    directory.socket("worker-1").touch()
    SharedImports(directory, FakeClock(), workers=1).repeat()
    assert RARE in sys.modules

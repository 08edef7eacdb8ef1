"""The directory that the workers of a service share."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from rave_core.errors import ConfigurationError
from rave_http.workers.run_directory import RunDirectory


def test_a_board_is_for_its_owner_alone(run_directory: RunDirectory) -> None:
    """Nobody else may look into it."""
    assert stat.S_IMODE(run_directory.directory.stat().st_mode) == 0o700


def test_only_its_maker_removes_a_board(run_directory: RunDirectory) -> None:
    """A worker that was forked can't take it away from the others."""
    child = os.fork()
    if not child:
        run_directory.remove()
        os._exit(0)
    os.waitpid(child, 0)
    RunDirectory(run_directory.directory).remove()
    assert run_directory.directory.is_dir()
    run_directory.remove()
    run_directory.remove()
    assert not run_directory.directory.exists()


def test_left_overs_of_dead_services_are_removed(parent: Path, run_directory: RunDirectory) -> None:
    """A board that nobody holds goes when the next one is made; one in use, or just being made, stays."""
    dead, young = parent / "rave-board-dead", parent / "rave-board-young"
    for directory in (dead, young):
        directory.mkdir()
        (directory / "worker-1.socket").touch()
    for directory in (dead, run_directory.directory):
        os.utime(directory, (0, 0))
    RunDirectory.create().remove()
    assert (dead.exists(), young.exists(), run_directory.directory.exists()) == (False, True, True)


def test_a_board_needs_a_short_path(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the temporary directory is too deep for sockets another is taken; where there is none, that is told."""
    deep = parent / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    run_directory = RunDirectory.create()
    assert not run_directory.directory.is_relative_to(deep)
    run_directory.remove()
    monkeypatch.setattr(os, "access", lambda place, _mode: place != "/tmp")
    with pytest.raises(ConfigurationError, match="set TMPDIR to a shorter one than"):
        RunDirectory.create()


def test_facts_are_read_as_they_were_written(run_directory: RunDirectory) -> None:
    """Another process sees them too; what was never written is ``None``."""
    assert run_directory.read("paused") is None
    run_directory.write("paused", ["RAVE", {"ü": 1}])
    assert RunDirectory(run_directory.directory).read("paused") == ["RAVE", {"ü": 1}]
    assert sorted(path.name for path in run_directory.directory.iterdir()) == ["metrics", "paused.json"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "a\n"])
def test_names_of_facts_are_checked(run_directory: RunDirectory, name: str) -> None:
    """Nothing outside of the board can be reached."""
    with pytest.raises(ValueError, match="a fact in the run directory is named with small letters"):
        run_directory.write(name, 1)
    with pytest.raises(ValueError, match="a fact in the run directory is named with small letters"):
        run_directory.read(name)


def test_no_change_of_a_fact_is_lost(run_directory: RunDirectory) -> None:
    """Eight threads that each add to one fact add everything."""

    def add() -> None:
        for _ in range(20):
            run_directory.update("count", lambda old: (old or 0) + 1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run_directory.read("count") == 160


def test_the_plain_parts_import_next_to_nothing() -> None:
    """The process that starts the workers needs the board, but neither falcon nor asyncio for it."""
    code = "import rave_http.workers.run_directory, sys; "
    code += "print({'falcon', 'asyncio', 'prometheus_client'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

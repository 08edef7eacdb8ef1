"""What the tests of the backends share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rave_backends.filesystem import FilesystemBackend

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    """Where a filesystem cache of the test lies; it does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def store(root):
    """A filesystem cache."""
    return FilesystemBackend(root)


@pytest.fixture
def start_python():
    """Starts Python on a script with arguments; what still runs at the end of the test is killed."""
    started = []

    def start(script, *args, **options):
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", script, *map(str, args)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def tmpfs(tmp_path, as_root):
    """A file system of 4 MiB of its own, which ``mount`` can change. Needs root."""
    place = tmp_path / "tmpfs"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True)
    assert mounted.returncode == 0, f"this test mounts a small tmpfs, which was refused: {mounted.stderr}"
    yield place
    subprocess.run(["umount", "-l", place], check=True)

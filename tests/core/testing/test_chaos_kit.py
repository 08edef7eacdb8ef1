"""The contracts for trouble notice what they are for: each fails on a backend that is wrong in its way."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

# A backend of files that is right, and others that are wrong in one way each.
BACKENDS = """
import os
import pathlib
import threading
import time
from urllib.parse import quote, unquote
from rave_core.backend import Backend, Purged

class Good(Backend):
    def __init__(self, place):
        self.place = str(place)
        os.makedirs(self.place, exist_ok=True)

    def path(self, key):
        return os.path.join(self.place, quote(key, safe=""))

    def get(self, key):
        try:
            with open(self.path(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def put(self, key, frame):
        temporary = os.path.join(self.place, f".{os.getpid()}.{threading.get_ident()}")
        try:
            with open(temporary, "wb") as file:
                file.write(b"".join(frame))
            os.replace(temporary, self.path(key))
        except OSError:
            os.unlink(temporary)
            raise

    def delete(self, key):
        try:
            os.unlink(self.path(key))
        except FileNotFoundError:
            return False
        return True

    def keys(self, prefix=""):
        names = [unquote(name) for name in os.listdir(self.place) if name[0] != "."]
        return iter([name for name in names if name.startswith(prefix)])

    def close(self):
        pass

    def lease_path(self, key):
        return os.path.join(self.place, "." + quote(key, safe=""))

    def claim(self, key, record):
        temporary = os.path.join(self.place, f".{os.getpid()}.lease")
        with open(temporary, "wb") as file:
            file.write(record)
        try:
            os.link(temporary, self.lease_path(key))
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True

    def lease(self, key):
        try:
            with open(self.lease_path(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def swap_lease(self, key, seen, record):
        if self.lease(key) != seen:
            return False
        if record is None:
            os.unlink(self.lease_path(key))
            return True
        temporary = os.path.join(self.place, f".{os.getpid()}.swap")
        with open(temporary, "wb") as file:
            file.write(record)
        os.replace(temporary, self.lease_path(key))
        return True

    def purge(self, is_dead, *, grace, seconds=None):
        return Purged()

    def last_purge(self):
        return None

class WritesInPlace(Good):
    def put(self, key, frame):
        with open(self.path(key), "wb") as file:
            for piece in frame:
                file.write(piece)
                file.flush()

class ForgetsFirst(Good):
    def put(self, key, frame):
        self.delete(key)
        super().put(key, frame)

class LooksThenClaims(Good):
    def claim(self, key, record):
        if self.lease(key) is not None:
            return False
        time.sleep(0.01)
        with open(self.lease_path(key), "wb") as file:
            file.write(record)
        return True

class HasLeaseWithoutRecord(Good):
    def swap_lease(self, key, seen, record):
        return bool(seen) and super().swap_lease(key, seen, record)

    def claim(self, key, record):
        try:
            file = os.open(self.lease_path(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        os.write(file, record)
        os.close(file)
        return True

class PurgesByItsClock(Good):
    def purge(self, is_dead, *, grace, seconds=None):
        for name in os.listdir(self.place):
            if time.time() - os.stat(os.path.join(self.place, name)).st_mtime > 300:
                os.unlink(os.path.join(self.place, name))
        return Purged()

class Swallows(Good):
    def put(self, key, frame):
        try:
            super().put(key, frame)
        except OSError:
            pass
"""

TESTS = """
import shutil
import pytest
import {backends} as backends
from rave_core.testing import ClockContract, CrashContract, ProcessContract, SpaceContract

class TestIt(CrashContract, ProcessContract, ClockContract, SpaceContract):
    opening = "import sys; sys.path.insert(0, {place!r}); from {backends} import {kind} as open_backend"
    lacks = {{"files", "objects", "unpacking"}}
    kills = 24

    @pytest.fixture
    def cramped(self):
        yield backends.{kind}({small!r})
        shutil.rmtree({small!r})
"""

WRONG = {
    "Good": set(),
    "WritesInPlace": {"test_a_kill_leaves_the_old_or_the_new"},
    "ForgetsFirst": {"test_a_kill_leaves_the_old_or_the_new"},
    "LooksThenClaims": {"test_one_of_many_processes_wins_each_claim"},
    "HasLeaseWithoutRecord": {"test_a_kill_leaves_a_lease_that_can_be_had"},
    "PurgesByItsClock": {"test_a_purge_by_another_clock_takes_nothing_from_the_living"},
    "Swallows": {"test_a_full_store_refuses_and_keeps_what_it_has"},
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_backend_fails_where_it_is_wrong(tmp_path, small_disk, kind):
    """And a right one passes everything; of a wrong one only what must fail is run, since each takes a while."""
    (tmp_path / "tried_backends.py").write_text(BACKENDS)
    names = {"backends": "tried_backends", "place": str(tmp_path), "kind": kind, "small": str(small_disk / "store")}
    (tmp_path / "test_tried.py").write_text(TESTS.format(**names))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    chosen = ["-k", " or ".join(WRONG[kind])] if WRONG[kind] else []
    done = subprocess.run(
        [*command, *chosen, "test_tried.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    failed = set(re.findall(r"^FAILED \S*::(\w+)", done.stdout, re.MULTILINE))
    assert failed == WRONG[kind], done.stdout
    assert failed or " passed" in done.stdout


@pytest.fixture
def small_disk(tmp_path, as_root):
    """A file system of 4 MiB. Needs root."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)

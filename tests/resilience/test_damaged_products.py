"""Products that are damaged, cut or replaced: always made anew with a report, never a wrong file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rave_core import using
from tests.resilience.spoiled import Store, written


@pytest.fixture
def runtime(make_runtime, tmp_path):
    """A runtime whose values lie in a directory alone, so that every call reads the file."""
    with using(make_runtime(cache=[f"file://{tmp_path}/data"])) as entered:
        yield entered


@pytest.mark.parametrize("size", [0, 1, 100, 10_000])
def test_a_damaged_product_header_is_a_miss(runtime, size):
    """Each byte flipped, and each truncation, of what lies beside a product."""
    store = Store(runtime, written, size)
    for place in range(0, len(store.good), 1 if size == 100 else 17):
        frame = bytearray(store.good)
        frame[place] ^= 0x10
        assert store.is_missed(frame, quietly=place == 7), f"byte {place}"
        assert store.is_missed(store.good[:place]), f"{place} bytes"
    assert store.is_missed(store.good + b"\0")


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _flip_secretly(path):
    status = path.stat()
    _flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _link_to_the_same(path):
    shutil.copy(path, path.parents[2] / "copy")
    path.unlink()
    path.symlink_to(path.parents[2] / "copy")


def _link_to_another(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


def _link_to_itself(path):
    path.unlink()
    path.symlink_to(path)


def _make_directory(path):
    path.unlink()
    path.mkdir()


def _make_pipe(path):
    path.unlink()
    os.mkfifo(path)


SPOILS = [
    Path.unlink,
    _flip,
    _flip_secretly,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes() + b"x"),
    _link_to_the_same,
    _link_to_another,
    _link_to_itself,
    _make_directory,
    _make_pipe,
]


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "in a new process"])
@pytest.mark.parametrize("spoil", SPOILS, ids=[getattr(spoil, "__name__", "") for spoil in SPOILS])
def test_a_spoiled_product_is_a_miss(runtime, make_runtime, spoil, seen):
    """Changed, cut, deleted, or replaced by something that is no plain file: it is made anew, and that is reported."""
    store = Store(runtime, written, 100)
    spoil(Path(written(100)))
    before = store.diagnostics()
    with using(runtime if seen else make_runtime()):
        assert store.call() == "miss"
        assert store.diagnostics() > before
        assert store.call() == "hit"


def test_a_pipe_in_the_place_of_an_empty_product_blocks_nobody(runtime, make_runtime):
    """It has the right size, but is no plain file."""
    store = Store(runtime, written, 0)
    _make_pipe(Path(written(0)))
    with using(make_runtime()):
        assert store.call() == "miss"

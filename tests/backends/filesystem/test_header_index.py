"""What a directory holds is counted without reading every header again, and purged in slices that go on."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from rave_backends.filesystem import frame_files, header_index
from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.model import Key
from rave_core.testing import frame_of


def put(store, operation, name, **fields):
    """An entry."""
    text = Key(operation, "v1", name).text
    store.put(text, frame_of(text, **fields))


def usage(store):
    """Entries and seconds of computing by operation and version."""
    found = {}
    for held in store.holdings():
        entries, seconds = found.get(held.prefix, (0, 0.0))
        found[held.prefix] = entries + held.entries, seconds + held.seconds
    return found


@pytest.fixture
def reads(monkeypatch):
    """The headers that are read from now on."""
    seen = []

    def read_entry(files, path):
        seen.append(path)
        return frame_files.read_entry(files, path)

    monkeypatch.setattr(header_index, "read_entry", read_entry)
    return seen


def test_counting_twice_reads_each_header_once(store, reads):
    """The second time the inventory tells."""
    for number in range(40):
        put(store, "a/b", f"a{number}", seconds=0.5)
        put(store, "a/c", f"b{number}", seconds=1.0)
    expected = {"a/b/v1": (40, 20.0), "a/c/v1": (40, 40.0)}
    assert usage(store) == expected
    assert len(reads) == 80
    assert usage(store) == expected
    assert len(reads) == 80


def test_what_came_since_is_read_and_what_went_does_not_count(store, reads):
    """Replaced ones are read again."""
    for number in range(40):
        put(store, "a/b", f"a{number}", seconds=0.5)
    usage(store)
    del reads[:]
    put(store, "a/b", "anew", seconds=7.0)
    put(store, "a/b", "a3", seconds=1.5)
    store.delete(Key("a/b", "v1", "a5").text)
    assert usage(store) == {"a/b/v1": (40, 38 * 0.5 + 7.0 + 1.5)}
    assert sorted(os.path.basename(path) for path in reads) == ["a3.rave", "anew.rave"]


def test_a_purge_leaves_an_inventory(store, reads):
    """It reads every header anyway."""
    for number in range(40):
        put(store, "a/b", f"a{number}", expires_at=1.0 if number % 4 == 0 else 9.0)
    store.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
    assert usage(store) == {"a/b/v1": (30, 0.0)}
    assert reads == []


@pytest.mark.parametrize("content", [b"", b"RAVE inventory 1\n", b"x" * 100, None])
def test_a_damaged_inventory_is_made_anew(store, root, content):
    """One flipped bit is noticed."""
    for number in range(40):
        put(store, "a/b", f"a{number}", seconds=0.5)
    usage(store)
    (path,) = root.rglob(".inventory")
    damaged = bytearray(path.read_bytes())
    damaged[-9] ^= 1
    path.write_bytes(damaged if content is None else content)
    assert usage(store) == {"a/b/v1": (40, 20.0)}
    (path,) = root.rglob(".inventory")
    assert path.read_bytes() != (damaged if content is None else content)


def test_an_inventory_goes_with_its_entries(store, root):
    """Nothing is left of an operation without entries, whoever removed them."""
    for number in range(40):
        put(store, "a/b", f"a{number}")
        put(store, "a/c", f"a{number}")
    usage(store)
    for number in range(40):
        store.delete(Key("a/c", "v1", f"a{number}").text)
    store.purge(lambda entry: True, grace=0)
    assert sorted(os.listdir(root)) == [".gitignore", ".rave", "CACHEDIR.TAG"]


def test_a_directory_that_can_t_be_written_to_is_counted(tmpfs):
    """Without an inventory, by reading."""
    store = FilesystemBackend(tmpfs / "store")
    for number in range(40):
        put(store, "a/b", f"a{number}")
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    assert usage(store) == {"a/b/v1": (40, 0.0)}
    assert list(tmpfs.rglob(".inventory")) == []


def test_a_purge_in_slices_goes_on_where_it_stopped(store, root):
    """Each gets one directory further, in whatever process, until all was looked at."""
    for number in range(64):
        put(store, "a/b", f"{chr(97 + number % 16)}{number}", expires_at=1.0)
    slices = 0
    while not store.purge(lambda entry: True, grace=0, seconds=0).is_complete:
        slices += 1
        assert len(list(store.keys())) == 64 - 4 * slices
        assert store.last_purge() is None
        store = FilesystemBackend(root)
    assert slices in (15, 16)
    assert list(store.keys()) == []
    assert store.last_purge() is not None


def test_a_purge_without_a_limit_looks_at_everything(store):
    """Also where another one stopped half-way."""
    for letter in "abcdef":
        put(store, "a/b", f"{letter}1", expires_at=1.0)
    store.purge(lambda entry: False, grace=0, seconds=0)
    assert store.purge(lambda entry: True, grace=0).entries == 6


def test_a_purge_that_is_killed_is_gone_on_with(store, root, start_python):
    """How far it got is known, and the next one may enter at once."""
    script = """
import os, signal, sys
from rave_backends.filesystem import purger
from rave_backends.filesystem.backend import FilesystemBackend
purger._STRIDE = 0.0
seen = []
def is_dead(entry):
    seen.append(entry)
    if len(seen) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
FilesystemBackend(sys.argv[1]).purge(is_dead, grace=0, seconds=3600)
"""
    for letter in "abcdef":
        put(store, "a/b", f"{letter}1", expires_at=1.0)
    process = start_python(script, root)
    assert process.wait() == -signal.SIGKILL
    seen = []
    assert store.purge(lambda entry: bool(seen.append(entry.key)), grace=0, seconds=3600).is_complete
    assert [key.rpartition("/")[2] for key in seen] == ["e1", "f1"]

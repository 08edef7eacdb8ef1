"""Leases of the filesystem backend: a lock at first, a file from the first heartbeat on."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.filesystem.byte_locks import ByteLocks

KEY = "op/0123456789abcdef/00000000000000000000000000000000"

HOLDER = """
import sys
from rave_backends.filesystem.backend import FilesystemBackend
store = FilesystemBackend(sys.argv[1])
print(store.claim(sys.argv[2], b"theirs"), flush=True)
sys.stdin.readline()
print(store.swap_lease(sys.argv[2], b"theirs", b"renewed"), store.lease(sys.argv[2]), flush=True)
sys.stdin.readline()
"""

PARENT = """
import os, sys, threading
from rave_backends.filesystem.backend import FilesystemBackend
store = FilesystemBackend(sys.argv[1])
store.claim("before", b"before")
ready, of_child = os.pipe()
with store._root.lock("purge") as held:
    child = os.fork()
    if not child:
        os.write(of_child, b"1")
        sys.stdin.read()
        os._exit(0)
    os.read(ready, 1)
print(held, store.claim(sys.argv[2], b"theirs"), flush=True)
threading.Event().wait()
"""


@pytest.fixture
def root(tmp_path):
    """Where the store under test lies."""
    return tmp_path / "cache"


@pytest.fixture
def store(root):
    """A store of this process."""
    return FilesystemBackend(root)


@pytest.fixture
def holder(root, store, start_python):
    """Another process that has claimed the key."""
    process = start_python(HOLDER, root, KEY, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "True\n"
    yield process
    process.stdin.close()


def say(process):
    """Lets the other process go on, and gives what it prints next."""
    process.stdin.write("go on\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_a_claim_costs_no_file_until_it_is_renewed(store, root):
    """A short computation leaves nothing on the disk; a long one has its record there for all to see."""
    store.claim(KEY, b"mine")
    assert os.listdir(root / ".rave" / "leases") == []
    store.swap_lease(KEY, b"mine", b"mine too")
    assert len(os.listdir(root / ".rave" / "leases")) == 1
    assert FilesystemBackend(root).lease(KEY) == b"mine too"
    assert store.swap_lease(KEY, b"mine too", None)
    assert os.listdir(root / ".rave" / "leases") == []
    assert FilesystemBackend(root).claim(KEY, b"next")


def test_another_process_sees_that_a_key_is_claimed(store, holder):
    """Before the first heartbeat without a record, from then on with it."""
    assert store.lease(KEY) == b""
    assert store.claim(KEY, b"mine") is False
    assert say(holder) == "True b'renewed'\n"
    assert store.lease(KEY) == b"renewed"
    assert store.claim(KEY, b"mine") is False


def test_the_lock_of_a_killed_holder_is_free_at_once(store, holder):
    """Nobody waits for the dead, who had not even written down that they were at work."""
    holder.kill()
    holder.wait()
    assert store.lease(KEY) is None
    assert store.claim(KEY, b"mine") is True


def test_the_record_of_a_killed_holder_is_there_to_be_judged(store, holder):
    """After a heartbeat the file outlives its holder; who finds it dead replaces it."""
    say(holder)
    holder.kill()
    holder.wait()
    assert store.claim(KEY, b"mine") is False
    assert store.swap_lease(KEY, b"renewed", b"mine") is True
    assert store.lease(KEY) == b"mine"
    assert store.swap_lease(KEY, b"mine", None) is True
    assert store.claim(KEY, b"again") is True


def test_a_holder_that_fell_silent_loses_its_key(store, holder):
    """A stopped process keeps its lock, but a file beats it; when it wakes up it learns that it lost."""
    os.kill(holder.pid, signal.SIGSTOP)
    assert store.lease(KEY) == b""
    assert store.swap_lease(KEY, b"", b"mine") is True
    assert store.swap_lease(KEY, b"", b"late") is False
    os.kill(holder.pid, signal.SIGCONT)
    assert say(holder) == "False b'mine'\n"
    assert store.swap_lease(KEY, b"mine", None) is True
    assert store.claim(KEY, b"again") is True


def test_a_forked_child_does_not_give_back_its_parents_key(store, root):
    """The child shares the open file, and still has no say over the lock."""
    store.claim(KEY, b"mine")
    child = os.fork()
    if child == 0:
        try:
            kept = store.lease(KEY) == b"" and not store.swap_lease(KEY, b"", None)
            store.close()
        finally:
            os._exit(0 if kept else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert FilesystemBackend(root).claim(KEY, b"other") is False
    assert store.swap_lease(KEY, b"mine", None) is True


def test_a_forked_child_holds_no_lock_of_its_parent(store, root, start_python):
    """A lock is free once its parent releases it, and its keys once the parent is dead, though the child lives on."""
    parent = start_python(PARENT, root, KEY, stdin=subprocess.PIPE)
    assert parent.stdout.readline() == "True True\n"
    with store._root.lock("purge") as held:
        assert held
    assert store.claim(KEY, b"mine") is False
    parent.kill()
    parent.wait()
    assert store.claim(KEY, b"mine") is True
    assert store.claim("before", b"mine") is True
    parent.stdin.close()


def test_without_such_locks_a_claim_is_a_file(store, root, monkeypatch):
    """On a file system that has none, the record is there from the start, and all else is the same."""
    monkeypatch.setattr(ByteLocks, "take", lambda self, key: None)
    monkeypatch.setattr(ByteLocks, "is_taken", lambda self, key: False)
    assert store.claim(KEY, b"mine") is True
    assert FilesystemBackend(root).lease(KEY) == b"mine"
    assert store.claim(KEY, b"other") is False
    assert store.swap_lease(KEY, b"mine", b"renewed") is True
    assert store.swap_lease(KEY, b"renewed", None) is True
    assert store.lease(KEY) is None


def test_who_opens_a_cache_at_the_same_moment_takes_no_lock_away(store, root, monkeypatch):
    """Between a look that finds no lock file and the next step, another process creates and locks it."""
    rival, open_file = FilesystemBackend(root), store._root._files.open
    claims = []

    def open_as_rival_claims(path, *args):
        try:
            return open_file(path, *args)
        except FileNotFoundError:
            claims.append(rival.claim(KEY, b"theirs"))
            raise

    monkeypatch.setattr(store._root._files, "open", open_as_rival_claims)
    assert not store.claim(KEY, b"ours")
    assert claims == [True]
    assert rival.lease(KEY) == b"theirs"

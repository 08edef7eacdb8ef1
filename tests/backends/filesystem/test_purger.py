"""What a purge of the filesystem backend removes, and when."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import replace

import pytest

from rave_backends.budget import Limit
from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.backend import Purged
from rave_core.testing import FakeClock, frame_of, key_of

DAY = 86400


@pytest.fixture
def clock():
    """A clock that starts now, as files are stamped by the real one."""
    return FakeClock()


@pytest.fixture
def store(root, clock):
    """A cache by that clock."""
    return FilesystemBackend(root, clock=clock)


def commit(store, key, name, **fields):
    """A product that holds its own name, and its path."""
    draft = store.draft(".txt")
    draft.write_text(name)
    return store.commit(key, draft, name, frame_of(key, name.encode(), product=name, **fields))


def dead(entry):
    """A judge who spares nobody."""
    return True


def alive(entry):
    """A judge who spares everybody."""
    return False


def files(root):
    """All files but those that belong to the store."""
    return sorted(path.name for path in root.rglob("*") if path.is_file() and ".rave" not in path.parent.parts[-2:])


def test_a_product_stays_for_its_grace(store, clock):
    """The entry goes at once, the file when the grace time is over."""
    product = commit(store, key_of("a"), "a.txt")
    clock.advance(DAY)
    assert store.purge(dead, grace=3600).entries == 1
    clock.advance(3500)
    store.purge(dead, grace=3600)
    assert product.exists()
    clock.advance(200)
    assert store.purge(dead, grace=3600).leftovers == 1
    assert not product.exists()


def test_without_grace_a_product_goes_with_its_entry(store):
    """Its bytes are counted."""
    product = commit(store, key_of("a"), "a.txt")
    removed = store.purge(dead, grace=0)
    assert removed.entries == 1
    assert removed.bytes > len(product.name)
    assert not product.exists()


@pytest.mark.parametrize("how", ["delete", "replace", "set_aside"])
def test_the_grace_starts_when_the_entry_goes(store, clock, how):
    """However old the product is, who was given its path just before can still read it."""
    product = commit(store, key_of("a"), "a-1.txt")
    clock.advance(10 * DAY)
    if how == "delete":
        store.delete(key_of("a"))
    elif how == "replace":
        commit(store, key_of("a"), "a-2.txt")
    else:
        store.set_aside(key_of("a"))
    store.purge(alive, grace=3600)
    assert product.exists()
    clock.advance(3700)
    store.purge(alive, grace=3600)
    assert not product.exists()


def test_the_product_of_a_live_entry_stays(store, clock):
    """However old it is."""
    product = commit(store, key_of("a"), "a.txt")
    clock.advance(365 * DAY)
    assert store.purge(alive, grace=0) == Purged()
    assert product.exists()


def test_products_beside_an_entry_of_a_later_version_stay(store, clock):
    """Which of them it names can't be told."""
    product = commit(store, key_of("a"), "a.txt")
    frame = bytearray(store.get(key_of("a")))
    frame[7] += 1
    store.put(key_of("a"), [frame])
    clock.advance(DAY)
    store.purge(dead, grace=0)
    assert product.exists()


def test_empty_directories_are_removed(store, root):
    """Nothing is left of an operation without entries."""
    store.put(key_of("a"), frame_of(key_of("a")))
    store.purge(dead, grace=0)
    assert sorted(os.listdir(root)) == [".gitignore", ".rave", "CACHEDIR.TAG"]


def test_what_a_dead_process_left_is_removed(store, root, start_python):
    """Temporaries and drafts of a process of this host that is no more, but not those of a living one."""
    script = """
import os, sys
from pathlib import Path
from rave_backends.budget import Limit
from rave_backends.filesystem.backend import FilesystemBackend
store = FilesystemBackend(sys.argv[1])
store.draft(".txt").write_text("half")
Path(store._temporaries.path()).write_text("half")
os._exit(9)
"""
    mine = store.draft(".txt")
    process = start_python(script, root)
    process.wait()
    assert len(os.listdir(root / ".rave" / "tmp")) == 3
    assert store.purge(alive, grace=0).leftovers == 2
    assert os.listdir(root / ".rave" / "tmp") == [mine.parent.name]


def test_what_another_host_left_is_removed_after_a_day(store, root, clock):
    """Whether its process is alive can't be known here."""
    (root / ".rave" / "tmp" / "0123456789ab.77.123456.aaaa.0").write_text("half")
    assert store.purge(alive, grace=0).leftovers == 0
    clock.advance(DAY + 60)
    assert store.purge(alive, grace=0).leftovers == 1


def test_a_reused_process_number_does_not_keep_a_temporary(store, root):
    """The start of the process is part of the name."""
    mine = store.draft(".txt").parent.name.split(".")
    mine[2] = "1"
    (root / ".rave" / "tmp" / ".".join(mine)).write_text("of an earlier process of our number")
    assert store.purge(alive, grace=0).leftovers == 1


def test_damaged_frames_are_kept_for_a_week(store, root, clock):
    """Then nobody is going to look at them."""
    store.put(key_of("a"), [b"damaged"])
    store.purge(alive, grace=0)
    clock.advance(6 * DAY)
    store.purge(alive, grace=0)
    assert len(os.listdir(root / ".rave" / "damaged")) == 1
    clock.advance(2 * DAY)
    assert store.purge(alive, grace=0).leftovers == 1
    assert os.listdir(root / ".rave" / "damaged") == []


def test_idle_leases_are_removed(store, clock):
    """An hour after their last heartbeat."""
    store.claim(key_of("a"), b"record")
    store.swap_lease(key_of("a"), b"record", b"renewed")
    clock.advance(3500)
    store.purge(alive, grace=0)
    assert store.lease(key_of("a")) == b"renewed"
    clock.advance(200)
    assert store.purge(alive, grace=0).leftovers == 1
    store.close()
    assert store.lease(key_of("a")) is None


def test_one_purges_at_a_time(store, root):
    """While a purge is under way, another returns at once and removes nothing."""
    store.put(key_of("a"), frame_of(key_of("a")))
    other = FilesystemBackend(root)
    inner = []

    def judge(entry):
        inner.append(other.purge(dead, grace=0))
        return False

    store.purge(judge, grace=0)
    assert inner == [Purged()]
    assert list(store.keys()) == [key_of("a")]


def test_a_product_that_is_being_committed_is_no_orphan(root):
    """Commits in other threads lose nothing to purges without grace."""
    store = FilesystemBackend(root)
    stop = threading.Event()

    def sweep():
        while not stop.is_set():
            store.purge(alive, grace=0)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        products = [commit(store, key_of(str(number)), f"{number}.txt") for number in range(150)]
    finally:
        stop.set()
        sweeper.join()
    assert [product.read_text() for product in products] == [product.name for product in products]


def put_sized(store, name, *, seconds=0.0):
    """A frame of about 10 kB."""
    store.put(key_of(name), frame_of(key_of(name), b"x" * 10_000, seconds=seconds))


def test_the_longest_unused_go_first(root, clock):
    """A read refreshes what was not read for a minute."""
    store = FilesystemBackend(root, max_bytes=1 << 30, clock=clock)
    for name in "abcde":
        put_sized(store, name)
        os.utime(store._tree.frame(key_of(name)), (clock.now(), clock.now()))
        clock.advance(100)
    store.get(key_of("a"))
    store.budget = replace(store.budget, whole=Limit(40_000))
    assert store.purge(alive, grace=0).entries == 2
    assert set(store.keys()) == {key_of(name) for name in "ade"}


def test_the_cheapest_to_compute_go_first(root):
    """Seconds of computing for each byte decide."""
    store = FilesystemBackend(root, max_bytes=1 << 30, policy="cost")
    for name, seconds in (("a", 5.0), ("b", 0.1), ("c", 3.0), ("d", 0.2), ("e", 9.0)):
        put_sized(store, name, seconds=seconds)
    store.budget = replace(store.budget, whole=Limit(40_000))
    store.purge(alive, grace=0)
    assert set(store.keys()) == {key_of(name) for name in "ace"}


def test_products_count(root):
    """The budget is for frames and products together."""
    store = FilesystemBackend(root, max_bytes=1 << 30)
    for name in "abc":
        draft = store.draft(".txt")
        draft.write_bytes(b"x" * 10_000)
        store.commit(key_of(name), draft, f"{name}.txt", frame_of(key_of(name), product=f"{name}.txt"))
    assert store.usage()[1] > 30_000
    store.budget = replace(store.budget, whole=Limit(15_000))
    assert store.purge(alive, grace=0).entries == 2
    assert len([name for name in files(root) if name.endswith(".txt")]) == 1


@pytest.mark.parametrize("policy", ["lru", "cost"])
def test_writing_keeps_the_budget_without_a_purge(root, policy):
    """Who writes looks at the budget from time to time."""
    store = FilesystemBackend(root, max_bytes=200_000, policy=policy)
    for number in range(60):
        put_sized(store, str(number))
    entries, size = store.usage()
    assert size <= 200_000 * 17 / 16 + 11_000
    assert entries > 10


def test_a_purge_of_a_vanished_root_does_nothing(store, root):
    """Nor does it make the directory again."""
    subprocess.run(["rm", "-r", root], check=True)
    assert store.purge(dead, grace=0) == Purged()
    assert not root.exists()


def test_a_durable_put_bears_a_purge_that_takes_its_directory(root, monkeypatch):
    """What was put was dead, and is gone with all above it before the directories are synced."""
    store = FilesystemBackend(root, durable=True)
    replace = os.replace

    def place(source, target, **directories):
        replace(source, target, **directories)
        if target.endswith(".rave"):
            store.purge(dead, grace=0)

    monkeypatch.setattr(os, "replace", place)
    store.put(key_of("a"), frame_of(key_of("a")))
    assert list(store.keys()) == []

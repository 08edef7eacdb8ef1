"""The filesystem backend when things go wrong: crashes, races, full and read-only disks."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.testing import frame_of, key_of

WRITER = """
import sys
from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.storage.signature import Signer
from rave_core.storage.frame import pack
from rave_core.model import Entry

class NoSeal(Signer):
    def sign(self, data):
        return bytes(32)

def frame_of(key, payload, product=None):
    entry = Entry(key=key, created_at=0, expires_at=9, codec="bytes", digest="", product=product)
    return pack(entry, [payload] if product is None else [], NoSeal())

store, value, file = FilesystemBackend(sys.argv[1]), sys.argv[2], sys.argv[3]
frames = [frame_of(value, bytes([number]) * 300_000) for number in range(5)]
print("writing", flush=True)
while True:
    for frame in frames:
        store.put(value, frame)
        draft = store.draft(".bin")
        draft.write_bytes(b"x" * 50_000)
        store.commit(file, draft, "p.bin", frame_of(file, b"x" * 50_000, "p.bin"))
"""

# Everybody starts each round at the same instant, given by the clock that they share.
RACER = """
import sys, time
from rave_backends.filesystem.backend import FilesystemBackend
store = FilesystemBackend(sys.argv[1])
start, me, way = float(sys.argv[2]), sys.argv[3].encode(), sys.argv[4]
for number in range(20):
    time.sleep(max(0, start + number * 0.02 - time.time()))
    key = f"race/0123456789abcdef/{number:032x}"
    if way == "claim":
        won = store.claim(key, me) and store.swap_lease(key, me, me)
    else:
        won = store.swap_lease(key, b"dead", me)
    if won:
        print(number)
"""

# Without root's privileges permissions bind.
UNPRIVILEGED = """
import os, sys
from rave_backends.filesystem.backend import FilesystemBackend
os.seteuid(65534)
store = FilesystemBackend(sys.argv[1])
try:
    store.put("a/b/c", [b"x"])
except PermissionError:
    print("refused")
print(store.get("a/b/c"), store.secret(), store.check())
"""


def test_a_killed_writer_leaves_whole_frames_and_no_temporaries(store, root, start_python):
    """Ten writers are killed at any moment; readers never see a part, and a purge clears up after each."""
    chance = random.Random(7)
    for _ in range(10):
        writer = start_python(WRITER, root, key_of("a"), key_of("p"))
        assert writer.stdout.readline() == "writing\n"
        until = time.monotonic() + chance.uniform(0.002, 0.1)
        while time.monotonic() < until:
            frame = store.get(key_of("a"))
            assert frame is None or len(set(frame[-300_000:])) == 1
        writer.kill()
        writer.wait()
        frame = store.get(key_of("a"))
        assert frame is None or len(set(frame[-300_000:])) == 1
        store.purge(lambda entry: False, grace=0)
        assert os.listdir(root / ".rave" / "tmp") == []
        names = {path.suffix for path in root.rglob("*") if path.is_file() and ".rave" not in path.parts[-3:-1]}
        assert names <= {".rave", ".bin", ".TAG", ".lock", ""}


@pytest.mark.parametrize("way", ["claim", "swap"])
def test_one_of_many_processes_wins(store, root, start_python, way):
    """In each of 20 rounds exactly one of 6 processes claims a key, or takes over the lease of a dead holder."""
    if way == "swap":
        for number in range(20):
            key = f"race/0123456789abcdef/{number:032x}"
            assert store.claim(key, b"dead")
            assert store.swap_lease(key, b"dead", b"dead")
    start = time.time() + 1.5
    racers = [start_python(RACER, root, start, number, way) for number in range(6)]
    won = [(int(line), number) for number, racer in enumerate(racers) for line in racer.communicate()[0].split()]
    assert [racer.returncode for racer in racers] == [0] * 6
    assert sorted(turn for turn, _ in won) == list(range(20))
    for turn, winner in won:
        assert store.lease(f"race/0123456789abcdef/{turn:032x}") == str(winner).encode()


def fill(store):
    """Puts 10 MB."""
    for number in range(100):
        store.put(key_of(str(number)), [b"x" * 100_000])


def test_a_full_disk_refuses_and_says_so(tmpfs):
    """A put fails with nothing half-written, ``check`` tells why, and what was there stays."""
    store = FilesystemBackend(tmpfs / "cache")
    store.put(key_of("a"), [b"kept"])
    assert store.check() is None
    with pytest.raises(OSError, match="No space left"):
        fill(store)
    assert "less than 1 MiB" in store.check() or "disk is full" in store.check()
    assert store.get(key_of("a")) == b"kept"
    assert os.listdir(tmpfs / "cache" / ".rave" / "tmp") == []


def test_a_read_only_disk_still_answers(tmpfs):
    """What is there is found, sealing key included; a put fails; ``check`` tells why; a lease can't be claimed."""
    first = FilesystemBackend(tmpfs / "cache")
    first.put(key_of("a"), [b"kept"])
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    store = FilesystemBackend(tmpfs / "cache")
    assert store.get(key_of("a")) == b"kept"
    assert store.secret() == first.secret() is not None
    assert list(store.keys()) == [key_of("a")]
    for act in (
        lambda: store.put(key_of("b"), [b"x"]),
        lambda: store.claim(key_of("b"), b"x"),
        lambda: store.draft(".txt"),
    ):
        with pytest.raises(OSError, match="Read-only"):
            act()
    assert "read-only file system" in store.check()


def test_a_directory_without_permission_refuses_and_says_so(start_python, as_root):
    """Opening is no error, so that the operation still runs."""
    with tempfile.TemporaryDirectory() as directory:  # the directories above tmp_path keep others out
        os.chmod(directory, 0o755)
        output, _ = start_python(UNPRIVILEGED, f"{directory}/cache").communicate()
        os.mkdir(f"{directory}/cache", 0o755)
        again, _ = start_python(UNPRIVILEGED, f"{directory}/cache").communicate()
    for words in (output, again):
        assert words.startswith("refused\nNone None the cache directory")
        assert "no permission to write" in words


def test_a_root_that_is_a_file_refuses_and_says_so(root):
    """Opening is no error; ``get`` finds nothing."""
    root.write_text("not a directory")
    store = FilesystemBackend(root)
    assert store.get(key_of("a")) is None
    assert list(store.keys()) == []
    with pytest.raises(OSError, match=r"exists|directory"):
        store.put(key_of("a"), [b"x"])
    assert "is not a directory" in store.check()


def test_a_root_that_vanishes_is_made_again(store, root):
    """Whatever is asked first; with the same key, so that what is kept in memory stays valid."""
    secret = store.secret()
    draft = store.draft(".txt")
    for act in (
        lambda: store.put(key_of("a"), [b"x"]),
        lambda: store.claim(key_of("a"), b"record"),
        lambda: store.draft(".txt"),
        lambda: store.check(),
    ):
        shutil.rmtree(root)
        assert store.get(key_of("a")) is None
        assert list(store.keys()) == []
        assert store.usage() == (0, 0)
        store.discard(draft)
        act()
        assert FilesystemBackend(root).secret() == secret


def test_a_purge_in_another_process_takes_no_directory_from_a_writer(store, root, start_python):
    """Directories that a purge empties and removes come back when they are needed."""
    script = """
import sys
from rave_backends.filesystem.backend import FilesystemBackend
store = FilesystemBackend(sys.argv[1])
print("purging", flush=True)
while True:
    store.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
"""
    purger = start_python(script, root)
    assert purger.stdout.readline() == "purging\n"
    for number in range(400):
        store.put(key_of(str(number)), frame_of(key_of(str(number)), expires_at=1.0))
    store.put(key_of("live"), frame_of(key_of("live")))
    assert purger.poll() is None
    assert store.get(key_of("live")) is not None


def test_many_who_open_a_new_root_agree_on_its_key(root, start_python):
    """The first one's key counts."""
    script = """
import sys
from rave_backends.filesystem.backend import FilesystemBackend
print(FilesystemBackend(sys.argv[1]).secret().hex())
"""
    keys = {process.communicate()[0] for process in [start_python(script, root) for _ in range(6)]}
    assert keys == {FilesystemBackend(root).secret().hex() + "\n"}

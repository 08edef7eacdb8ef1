"""A user of a shared directory who claims keys and never computes: that costs others one lease time, not one a key."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, op, using

BOB = 50002
LEASE = 0.8
MANY = 6
TRIES = range(MANY)

# Everything is imported while root may; then the process becomes somebody else.
SQUATTER = """
import fcntl, json, struct
from rave_backends.filesystem.backend import FilesystemBackend
root, how, *keys = sys.argv[1:]
FilesystemBackend(root).check()
import pwd
os.setgroups([]); os.setgid(50002); os.setuid(50002); os.umask(0)
store = FilesystemBackend(root)
if how == "all":
    handle = os.open(root + "/.rave/leases.bytes", os.O_RDWR)
    fcntl.fcntl(handle, 37, struct.pack("@hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK: of this handle
else:
    for number, key in enumerate(keys):
        record = json.dumps({"owner": "o%d" % number, "host": "host%d" % number, "pid": number, "start": "",
                             "operation": "x", "since": 0.0}).encode()
        assert store.claim(key, record)
        if how != "bytes":
            assert store.swap_lease(key, record, record)
    if how == "locked":
        fcntl.flock(os.open(root + "/.rave/leases.lock", os.O_RDWR | os.O_CREAT, 0o666), fcntl.LOCK_EX)
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(as_root: None) -> Iterator[Path]:
    """A directory in which everybody may write."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory, "shared")


@pytest.mark.filterwarnings("ignore:cache file.* could not:rave_core.RaveWarning")
@pytest.mark.parametrize("how", ["all", "bytes", "files", "locked"])
def test_keys_that_another_user_holds_cost_one_lease_time(
    start: Callable[..., Any], place: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """By a lock on all of them, by one on each, or by records that name another process each; it is logged once."""

    @op(name="fire/wanted", version=1)
    def wanted(n: int) -> int:
        return n + 1

    settings = Settings(cache=[f"file://{place}?mode=777"], lease_time=LEASE, data_only=True)
    with Runtime(settings) as runtime, using(runtime):
        wanted(-1)
        keys = [str(wanted.key(n)) for n in TRIES]
        squatter = start(SQUATTER, place, how, *keys)
        assert squatter.stdout.readline() == "holds\n"
        with caplog.at_level(logging.WARNING, logger="rave"):
            began = time.monotonic()
            assert [wanted(n) for n in TRIES] == [n + 1 for n in TRIES]
            took = time.monotonic() - began
        assert squatter.poll() is None
        assert LEASE * 0.9 < took < LEASE * 2 + (1 if how == "locked" else 0)
        told = [record.getMessage() for record in caplog.records if "nobody waits for it" in record.getMessage()]
        assert len(told) == 1
        who = {"all": "somebody who locks all keys", "bytes": "a process that did not name itself"}
        assert who.get(how, f"user {BOB}") in told[0]
        assert str(place) in told[0]
        squatter.kill()
        squatter.wait()
        assert [wanted.resolve(n).status.value for n in TRIES] == ["hit"] * MANY

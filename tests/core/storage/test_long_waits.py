"""A lease that is renewed for long: its holder computes, or keeps others from it for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.storage.leases import Leases, LeaseWait
from rave_core.testing import FakeClock


def test_a_long_wait_for_one_holder_is_logged_ever_less_often(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the key and what bounds the wait; nobody takes over what is renewed."""
    clock = FakeClock()
    ours, theirs = (Leases(FilesystemBackend(str(tmp_path)), clock, lease_time=15, heartbeat=5) for _ in range(2))
    assert LeaseWait(theirs, "op/v/args", "op").attempt()
    wait = LeaseWait(ours, "op/v/args", "op")
    for _ in range(130):  # 1300 s
        assert wait.attempt() is None
        theirs.beat()
        clock.advance(10)
    waits = [record.getMessage() for record in caplog.records if "signs of life" in record.getMessage()]
    assert [line.partition("for over ")[2].partition(" s,")[0] for line in waits] == ["300", "600", "1200"]
    assert all("lease of op/v/args" in line and "rave_timeout" in line for line in waits)


def test_a_wait_for_a_lease_that_nobody_can_read_begins_with_the_first_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not when the machine started."""
    clock = FakeClock()
    clock.advance(10_000)
    store = FilesystemBackend(str(tmp_path))
    assert store.claim("op/v/args", b"half a rec")
    wait = LeaseWait(Leases(store, clock, lease_time=15, heartbeat=5), "op/v/args", "op")
    assert wait.attempt() is None
    assert "signs of life" not in caplog.text

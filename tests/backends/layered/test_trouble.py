"""Layers in trouble: the others answer, and what went wrong is reported."""

from __future__ import annotations

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.layered.breaker import FAILURES, FIRST_PAUSE
from rave_backends.memory.backend import MemoryBackend
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_backends.object_store.config import S3Config
from rave_core.backend import SupportsLease
from rave_core.errors import BackendError
from rave_core.testing import key_of
from tests.backends.layered.failing import Remote

A = key_of("a")


def test_a_layer_in_trouble_is_passed_over(layered, upper, lower):
    """The next one answers, and ``check`` names the one that failed."""
    lower.put(A, [b"frame"])
    upper.broken = "get"
    assert layered.get(A) == b"frame"
    assert layered.last_failure.layer is upper
    assert "get failed: no get today" in layered.check()


def test_a_failed_copy_upwards_is_no_failure(layered, upper, lower):
    """It is remembered, though."""
    lower.put(A, [b"frame"])
    upper.broken = "put"
    assert layered.get(A) == b"frame"
    assert layered.last_failure.action == "put"


def test_a_get_fails_when_every_layer_does(layered, upper, lower):
    """Nothing is known then."""
    upper.broken = lower.broken = "get"
    with pytest.raises(OSError, match="no get today"):
        layered.get(A)


def test_a_put_that_fails_below_is_kept_above(layered, upper, lower):
    """And raised, since what counts did not happen."""
    lower.broken = "put"
    with pytest.raises(OSError, match="no put today"):
        layered.put(A, [b"frame"])
    assert upper.get(A) == b"frame"


def test_a_put_that_fails_above_is_no_failure(layered, upper, lower):
    """The layer that counts has it."""
    upper.broken = "put"
    layered.put(A, [b"frame"])
    assert lower.get(A) == b"frame"


def test_a_delete_that_fails_anywhere_is_raised(layered, upper, lower):
    """Else a forgotten result could come back; the other layers forget it nevertheless."""
    layered.put(A, [b"frame"])
    upper.broken = "delete"
    with pytest.raises(OSError, match="no delete today"):
        layered.delete(A)
    assert lower.get(A) is None


def test_trouble_in_any_layer_is_told(tmp_path):
    """By name."""
    (tmp_path / "file").write_text("x")
    layered = LayeredBackend([MemoryBackend(), FilesystemBackend(tmp_path / "file")])
    assert "FilesystemBackend(" in layered.check()
    assert "not a directory" in layered.check()


def test_a_remote_layer_in_trouble_is_left_alone(upper, clock):
    """The others go on without it, and it comes back by itself."""
    lower = Remote()
    layered = LayeredBackend([upper, lower], clock=clock)
    lower.put(A, [b"frame"])
    lower.broken = "get"
    for _ in range(FAILURES):
        assert layered.get(A) is None
    lower.broken = ""
    assert layered.get(A) is None
    with pytest.raises(BackendError, match="is skipped because it is in trouble"):
        layered.put(key_of("b"), [b"b"])
    assert layered.get(key_of("b")) == b"b"
    clock.advance(FIRST_PAUSE)
    assert layered.get(A) == b"frame"
    layered.put(key_of("b"), [b"b"])
    assert lower.get(key_of("b")) == b"b"
    assert layered.last_failure is None


def test_a_local_layer_is_never_left_alone(layered, lower):
    """A disk that is full can still be read."""
    lower.put(A, [b"frame"])
    lower.broken = "put"
    for _ in range(FAILURES + 1):
        with pytest.raises(OSError, match="no put today"):
            layered.put(key_of("b"), [b"b"])
    assert layered.get(A) == b"frame"


def test_the_leases_of_a_layer_in_trouble_are_refused_at_once(tmp_path, clock, free_port, aws):
    """No caller waits for a claim that can't be had."""
    far = ObjectStoreBackend(S3Config("bucket", endpoint=f"http://127.0.0.1:{free_port}"), timeout=0.5)
    leases = LayeredBackend([MemoryBackend(), far], clock=clock).capability(SupportsLease)
    for _ in range(FAILURES):
        with pytest.raises(BackendError, match="can't be reached"):
            leases.claim(A, b"record")
    with pytest.raises(BackendError, match="is skipped because it is in trouble"):
        leases.claim(A, b"record")


def test_a_failure_is_forgotten_once_the_last_layer_keeps_frames_again(tmp_path):
    """A doctor who is asked later does not tell old stories."""
    far = FilesystemBackend(tmp_path / "far")
    store = LayeredBackend([MemoryBackend(), far])
    broken = far.put
    far.put = lambda key, frame: (_ for _ in ()).throw(OSError("the disk is full"))
    with pytest.raises(OSError, match="full"):
        store.put(A, [b"frame"])
    assert "the disk is full" in store.check()
    far.put = broken
    store.put(A, [b"frame"])
    assert store.check() is None

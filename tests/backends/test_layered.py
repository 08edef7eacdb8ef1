"""Layers of backends."""

from __future__ import annotations

import pytest

from rave_backends.filesystem import FilesystemBackend
from rave_backends.layered import LayeredBackend
from rave_backends.memory import MemoryBackend
from rave_core.backend import (
    GONE,
    SupportsFiles,
    SupportsLease,
    SupportsPurge,
    SupportsStats,
    SupportsValues,
)
from rave_core.errors import ConfigurationError
from rave_core.model import Entry
from rave_core.testing import (
    BackendContract,
    FilesContract,
    LeaseContract,
    PurgeContract,
    StatsContract,
    ValuesContract,
    backend_machine,
)
from rave_core.testing.capability_contracts import frame_of, key_of

A = key_of("a")
ENTRY = Entry(key=A, created_at=0.0, expires_at=5.0, codec="bytes", digest="")


class Broken(MemoryBackend):
    """A layer in which one method fails while ``broken`` names it."""

    broken = ""

    def get(self, key):
        """Fails or gets."""
        self._fail("get")
        return super().get(key)

    def put(self, key, frame):
        """Fails or puts."""
        self._fail("put")
        super().put(key, frame)

    def delete(self, key):
        """Fails or deletes."""
        self._fail("delete")
        return super().delete(key)

    def _fail(self, action):
        if self.broken == action:
            raise OSError(f"no {action} today")


class TestLayeredBackend(
    BackendContract, LeaseContract, FilesContract, ValuesContract, PurgeContract, StatsContract
):  # fmt: skip
    persistent = True

    def open_backend(self, place):
        """As it is by default."""
        return LayeredBackend([MemoryBackend(), FilesystemBackend(place)])


class TestLayersOfMemory(BackendContract, ValuesContract, PurgeContract, StatsContract):
    lacks = frozenset({"files", "lease"})

    def open_backend(self, place):
        """Three, none of which lasts."""
        return LayeredBackend([MemoryBackend(), MemoryBackend(policy="lfu"), MemoryBackend()])


TestLayersAsADict = backend_machine(
    lambda place: LayeredBackend([MemoryBackend(), FilesystemBackend(place)]), persistent=True
).TestCase
TestTightLayersAsADict = backend_machine(
    lambda place: LayeredBackend([MemoryBackend(max_bytes=1200), FilesystemBackend(place)]), persistent=True
).TestCase


@pytest.fixture
def upper():
    """The layer in front."""
    return Broken()


@pytest.fixture
def lower():
    """The layer that counts."""
    return Broken()


@pytest.fixture
def layered(upper, lower):
    """Both."""
    return LayeredBackend([upper, lower])


def test_what_is_found_below_is_copied_upwards(layered, upper, lower):
    """The next read does not go so far."""
    lower.put(A, [b"frame"])
    assert layered.get(A) == b"frame"
    assert upper.get(A) == b"frame"


def test_the_nearest_layer_answers(layered, upper, lower):
    """Those below are not asked."""
    upper.put(A, [b"near"])
    lower.put(A, [b"far"])
    assert layered.get(A) == b"near"


def test_what_changed_while_it_was_read_is_not_copied_upwards(layered, upper, lower, monkeypatch):
    """An older frame must not hide the newer one that another thread has put meanwhile."""
    lower.put(A, [b"old"])

    def get(key):
        layered.put(A, [b"new"])
        return b"old"

    monkeypatch.setattr(lower, "get", get)
    upper.delete(A)
    assert layered.get(A) == b"old"
    assert upper.get(A) == b"new"


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


def test_keys_of_all_layers_are_listed_once(layered, upper, lower):
    """A union."""
    layered.put(A, [b"both"])
    upper.put(key_of("u"), [b"upper"])
    lower.put(key_of("l"), [b"lower"])
    assert sorted(layered.keys()) == sorted([A, key_of("u"), key_of("l")])


def test_it_can_do_what_a_layer_can(tmp_path):
    """And nothing else, so that asking for a capability gives the right answer."""
    memory = LayeredBackend([MemoryBackend(), MemoryBackend()])
    files = LayeredBackend([FilesystemBackend(tmp_path / "a"), FilesystemBackend(tmp_path / "b")])
    both = LayeredBackend([MemoryBackend(), FilesystemBackend(tmp_path / "c")])
    protocols = (SupportsValues, SupportsFiles, SupportsLease, SupportsPurge, SupportsStats)
    assert [isinstance(memory, protocol) for protocol in protocols] == [True, False, False, True, True]
    assert [isinstance(files, protocol) for protocol in protocols] == [False, True, True, True, True]
    assert [isinstance(both, protocol) for protocol in protocols] == [True] * 5


def test_leases_and_the_secret_are_those_of_the_last_layer(tmp_path):
    """That is where every process looks."""
    near, far = FilesystemBackend(tmp_path / "near"), FilesystemBackend(tmp_path / "far")
    layered = LayeredBackend([near, far])
    assert layered.secret() == far.secret() != near.secret()
    layered.claim(A, b"record")
    assert (near.lease(A), far.lease(A)) == (None, b"record")


def test_a_commit_replaces_the_copy_above(tmp_path):
    """Else the memory tier would go on naming the older product."""
    memory, files = MemoryBackend(), FilesystemBackend(tmp_path / "c")
    layered = LayeredBackend([memory, files])
    memory.put(A, [b"older"])
    draft = layered.draft(".txt")
    draft.write_text("content")
    layered.commit(A, draft, "a.txt", frame_of(A, product="a.txt"))
    assert memory.get(A) == files.get(A) == b"".join(frame_of(A, product="a.txt"))


def test_a_put_lets_go_of_the_value_above(layered, upper):
    """A reader that kept the ``Held`` asks again."""
    layered.put(A, [b"one"])
    held = layered.hold(A, "value", ENTRY)
    layered.put(A, [b"two"])
    assert held.value is GONE


def test_a_damaged_frame_is_set_aside_everywhere(layered, upper, lower):
    """It may have been copied upwards before the damage was seen."""
    layered.put(A, [b"damaged"])
    layered.set_aside(A)
    assert (upper.get(A), lower.get(A)) == (None, None)


def test_trouble_in_any_layer_is_told(tmp_path):
    """By name."""
    (tmp_path / "file").write_text("x")
    layered = LayeredBackend([MemoryBackend(), FilesystemBackend(tmp_path / "file")])
    assert "FilesystemBackend(" in layered.check()
    assert "not a directory" in layered.check()


def test_no_layers_are_refused():
    """There must be somewhere to put things."""
    with pytest.raises(ConfigurationError, match="one backend at least"):
        LayeredBackend([])


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

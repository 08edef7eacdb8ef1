"""Layers of backends."""

from __future__ import annotations

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.memory.backend import MemoryBackend
from rave_backends.plugin import open_filesystem, open_memory
from rave_core.backend import (
    EVICTED,
    StoreURL,
    SupportsFiles,
    SupportsLease,
    SupportsPurge,
    SupportsStats,
    SupportsValues,
    peek,
)
from rave_core.errors import ConfigurationError
from rave_core.model import Entry
from rave_core.testing import (
    BackendContract,
    FilesContract,
    HoldingsContract,
    LeaseContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
    ValuesContract,
    backend_machine,
    frame_of,
    key_of,
)

A = key_of("a")
ENTRY = Entry(key=A, created_at=0.0, expires_at=5.0, codec="bytes", digest="")


class TestLayeredBackend(
    BackendContract,
    FilesContract,
    HoldingsContract,
    LeaseContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
    ValuesContract,
):  # fmt: skip
    lacks = frozenset({"aging", "objects", "url"})
    persistent = True

    def open_backend(self, place):
        """As it is by default."""
        return LayeredBackend([MemoryBackend(), FilesystemBackend(place)])


class TestLayersOfMemory(BackendContract, ValuesContract, PurgeContract, StatsContract):
    lacks = frozenset({"aging", "files", "holdings", "lease", "objects", "pins", "unpacking", "url"})

    def open_backend(self, place):
        """Three, none of which lasts."""
        return LayeredBackend([MemoryBackend(), MemoryBackend(policy="lfu"), MemoryBackend()])


TestLayersAsADict = backend_machine(
    lambda place: LayeredBackend([MemoryBackend(), FilesystemBackend(place)]), persistent=True
).TestCase
TestTightLayersAsADict = backend_machine(
    lambda place: LayeredBackend([MemoryBackend(max_bytes=1200), FilesystemBackend(place)]), persistent=True
).TestCase


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

    def able(backend):
        return [backend.capability(protocol) is not None for protocol in protocols]

    assert able(memory) == [True, False, False, True, True]
    assert able(files) == [False, True, True, True, True]
    assert able(both) == [True] * 5


def test_leases_and_the_secret_are_those_of_the_last_layer(tmp_path):
    """That is where every process looks."""
    near, far = FilesystemBackend(tmp_path / "near"), FilesystemBackend(tmp_path / "far")
    layered = LayeredBackend([near, far])
    assert layered.secret() == far.secret() != near.secret()
    layered.capability(SupportsLease).claim(A, b"record")
    assert (near.lease(A), far.lease(A)) == (None, b"record")


def test_a_commit_replaces_the_copy_above(tmp_path):
    """Else the memory tier would go on naming the older product."""
    memory, files = MemoryBackend(), FilesystemBackend(tmp_path / "c")
    layered = LayeredBackend([memory, files])
    memory.put(A, [b"older"])
    products = layered.capability(SupportsFiles)
    draft = products.draft(".txt")
    draft.write_text("content")
    products.commit(A, draft, "a.txt", frame_of(A, product="a.txt"))
    assert memory.get(A) == files.get(A) == b"".join(frame_of(A, product="a.txt"))


def test_a_put_lets_go_of_the_value_above(layered, upper):
    """A reader that kept the ``MemoryRef`` asks again."""
    held = layered.put_value(A, [b"one"], "value", ENTRY)
    layered.put(A, [b"two"])
    assert held.value is EVICTED


def test_a_damaged_frame_is_set_aside_everywhere(layered, upper, lower):
    """It may have been copied upwards before the damage was seen."""
    layered.put(A, [b"damaged"])
    layered.set_aside(A)
    assert (upper.get(A), lower.get(A)) == (None, None)


@pytest.fixture(params=["memory", "file"])
def aging(request, tmp_path, clock):
    """A tier in which entries count for ten seconds."""
    if request.param == "memory":
        return MemoryBackend(max_age=10.0, clock=clock)
    return FilesystemBackend(tmp_path / "cache", max_age=10.0, clock=clock)


def test_a_tier_asks_again_what_is_over_its_age(aging, lower, clock):
    """So what another host has put below is seen, and counts anew from then."""
    layered = LayeredBackend([aging, lower], clock=clock)
    layered.put(A, [b"old"])
    lower.put(A, [b"new"])
    assert layered.get(A) == b"old"
    clock.advance(11)
    assert aging.head(A, 3) is None
    assert layered.get(A) == b"new"


def test_what_is_over_its_age_answers_while_nothing_below_does(aging, lower, clock):
    """Better than to compute it again; it is not renewed by that."""
    layered = LayeredBackend([aging, lower], clock=clock)
    layered.put(A, [b"old"])
    clock.advance(11)
    lower.broken = "get"
    assert layered.get(A) == b"old"
    assert aging.get(A) is None
    lower.broken = ""
    lower.delete(A)
    assert layered.get(A) is None


def test_a_value_in_memory_is_over_its_age_too(lower, clock):
    """Whoever holds it sees when it stops to count, which no entry outlives."""
    memory = MemoryBackend(max_age=10.0, clock=clock)
    layered = LayeredBackend([memory, lower], clock=clock)
    clock.jump(1000.0 - clock.now())
    frame = b"".join(frame_of(A, expires_at=5000.0))
    layered.put(A, [frame])
    clock.advance(4)
    located = layered.get_value(A)
    ref = layered.hold_value(A, located, "value", peek(frame))
    assert ref.expires_at == 1010.0
    assert layered.get_value(A).ref is ref
    clock.advance(7)
    assert layered.get_value(A).ref is None
    assert memory.get_value(A) == (None, None, None)
    assert memory.hold_value(A, located, "value", peek(frame)) is None


@pytest.mark.parametrize("scheme", ["memory://", "file:///tmp/never-made"])
@pytest.mark.parametrize("age", ["0", "-5m", "soon", ""])
def test_an_age_that_is_none_is_refused(scheme, age):
    """By the name of the option."""
    open_it = open_memory if scheme == "memory://" else open_filesystem
    with pytest.raises(ConfigurationError, match="option max_age="):
        open_it(StoreURL(f"{scheme}?max_age={age}"))


def test_no_layers_are_refused():
    """There must be somewhere to put things."""
    with pytest.raises(ConfigurationError, match="one backend at least"):
        LayeredBackend([])

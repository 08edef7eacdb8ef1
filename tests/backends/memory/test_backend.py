"""The memory backend."""

from __future__ import annotations

import os
import threading

import pytest

from rave_backends.budget import Budget, Limit
from rave_backends.memory.backend import MemoryBackend
from rave_backends.memory.eviction_policies import OVERHEAD
from rave_core.backend import EVICTED, StoreURL, peek
from rave_core.errors import ConfigurationError
from rave_core.model import Entry, Key
from rave_core.testing import (
    AgingContract,
    BackendContract,
    PurgeContract,
    StatsContract,
    ValuesContract,
    backend_machine,
    frame_of,
    key_of,
)

ROOM_FOR_THREE = 3 * (OVERHEAD + 100)
ENTRY = Entry(key="k", created_at=0.0, expires_at=5.0, codec="bytes", digest="")


@pytest.fixture(params=["lru", "lfu"])
def small(request):
    """A backend of each policy with room for three frames of 100 bytes."""
    return MemoryBackend(max_bytes=ROOM_FOR_THREE, policy=request.param)


def fill(backend, *names):
    """Puts a frame of 100 bytes under each name."""
    for name in names:
        backend.put(name, [b"x" * 100])


class TestMemoryBackend(BackendContract, AgingContract, ValuesContract, PurgeContract, StatsContract):
    lacks = frozenset({"files", "holdings", "lease", "objects", "pins", "unpacking", "url"})

    def open_backend(self, place):
        """A new one each time."""
        return MemoryBackend()


class TestLeastFrequentlyUsed(TestMemoryBackend):
    def open_backend(self, place):
        """A new one each time, of the other policy."""
        return MemoryBackend(policy="lfu")


TestMemoryAsADict = backend_machine(lambda place: MemoryBackend()).TestCase


def test_the_least_recently_used_goes_first():
    """Reading counts as use."""
    backend = MemoryBackend(max_bytes=ROOM_FOR_THREE, policy="lru")
    fill(backend, "a", "b", "c")
    backend.get("a")
    fill(backend, "d")
    assert set(backend.keys()) == {"a", "c", "d"}


def test_the_least_frequently_used_goes_first():
    """What was read most stays, however long ago."""
    backend = MemoryBackend(max_bytes=ROOM_FOR_THREE, policy="lfu")
    fill(backend, "a", "b", "c")
    for name in "aab":
        backend.get(name)
    fill(backend, "d")
    assert set(backend.keys()) == {"a", "b", "d"}


def test_the_budget_is_never_exceeded(small):
    """However much is put, what is counted stays within it."""
    for number in range(50):
        small.put(str(number), [b"x" * (number * 7 % 150)])
        assert small.usage()[1] <= ROOM_FOR_THREE


def test_a_frame_beyond_the_budget_is_not_kept(small):
    """Nothing else is evicted for it, and an older frame of its key does not stay in its place."""
    fill(small, "a", "b")
    small.put("a", [b"x" * ROOM_FOR_THREE])
    assert list(small.keys()) == ["b"]


def hold(backend, key):
    """Has ``backend`` hold a value beside the frame of ``key``, as whoever decoded it does."""
    return backend.hold_value(key, backend.get_value(key), "value", ENTRY)


def test_a_value_counts_as_much_as_its_frame(small):
    """Holding a value makes the entry larger, so something else may have to go."""
    fill(small, "a", "b", "c")
    before = small.usage()[1]
    assert hold(small, "c") is not None
    assert small.usage() == (2, before - OVERHEAD)


def test_a_value_for_which_there_is_no_room_is_not_held():
    """Its frame stays."""
    backend = MemoryBackend(max_bytes=OVERHEAD + 150)
    fill(backend, "a")
    assert hold(backend, "a") is None
    assert backend.get("a") == b"x" * 100


@pytest.mark.parametrize("policy", ["lru", "lfu"])
def test_eviction_lets_go_of_the_value(policy):
    """Who kept the ``MemoryRef`` sees ``EVICTED``."""
    backend = MemoryBackend(max_bytes=OVERHEAD + 250, policy=policy)
    fill(backend, "a")
    held = hold(backend, "a")
    assert held.value == "value"
    fill(backend, "b")
    assert list(backend.keys()) == ["b"]
    assert held.value is EVICTED


def test_reading_through_a_held_gives_a_second_chance():
    """A flag set without any lock spares an entry once, and is cleared by that."""
    backend = MemoryBackend(max_bytes=ROOM_FOR_THREE, policy="lru")
    fill(backend, "a")
    held = hold(backend, "a")
    fill(backend, "b")
    held.used = True
    fill(backend, "c")
    assert set(backend.keys()) == {"a", "c"}
    assert (held.value, held.used) == ("value", False)
    fill(backend, "d", "e")
    assert held.value is EVICTED


def test_a_second_chance_counts_as_one_use():
    """Under LFU the spared entry has been used twice, so it outlasts what was used once."""
    backend = MemoryBackend(max_bytes=4 * (OVERHEAD + 200), policy="lfu")
    fill(backend, "a")
    hold(backend, "a")
    helds = {"a": backend.get_value("a").ref}
    for name in "bcd":
        fill(backend, name)
        helds[name] = hold(backend, name)
    helds["b"].used = True
    fill(backend, "e", "f")
    assert "b" in set(backend.keys())
    assert helds["b"].used is False


def test_all_in_use_still_makes_room():
    """When every entry was read through its ``MemoryRef``, the flags are cleared and one goes."""
    backend = MemoryBackend(max_bytes=3 * (OVERHEAD + 200))
    helds = []
    for name in "abc":
        fill(backend, name)
        helds.append(hold(backend, name))
    for held in helds:
        held.used = True
    fill(backend, "d")
    assert set(backend.keys()) == {"b", "c", "d"}


def test_a_fork_amid_other_threads_leaves_a_working_child():
    """A child that is forked while threads hold locks can still use its copy."""
    backend = MemoryBackend()
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            fill(backend, "a", "b")

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                fill(backend, "c")
                os._exit(0 if backend.get("c") else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_each_has_a_secret_of_its_own():
    """What one process sealed means nothing to another."""
    assert MemoryBackend().secret() != MemoryBackend().secret()


def test_the_url_sets_budget_and_policy():
    """Options are query parameters."""
    assert MemoryBackend.from_url(StoreURL("memory://?max_bytes=1MiB&policy=lfu")).max_bytes == 1 << 20
    assert MemoryBackend.from_url(StoreURL("memory://")).max_bytes == 256 << 20


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://host", "neither host nor path"),
        ("memory:///path", "neither host nor path"),
        ("memory://?policy=mru", "expected lru or lfu or cost"),
        ("memory://?max_bytes=much", "is not a size"),
        ("memory://?max_byte=1MiB", "max_bytes"),
    ],
)
def test_a_wrong_url_is_refused(url, words):
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=words):
        MemoryBackend.from_url(StoreURL(url))


def named(operation, number, **fields):
    """The key and the frame of an entry of an operation."""
    key = Key(operation, "v1", f"k{number}").text
    return key, frame_of(key, **fields)


def test_a_budget_of_entries_is_kept():
    """Whatever their size."""
    backend = MemoryBackend(budget=Budget(Limit(1 << 20, max_entries=3)))
    for number in range(9):
        backend.put(*named("a/b", number))
    assert sorted(key[-2:] for key in backend.keys("")) == ["k6", "k7", "k8"]


def test_the_cheapest_to_compute_goes_first():
    """By seconds for each byte; what is no frame costs nothing."""
    backend = MemoryBackend(budget=Budget(Limit(1 << 20, max_entries=2), policy="cost"))
    backend.put(key_of("no frame"), [b"x"])
    for number, seconds in enumerate((3.0, 0.5, 7.0, 0.2)):
        backend.put(*named("a/b", number, seconds=seconds))
    assert sorted(key[-2:] for key in backend.keys("")) == ["k0", "k2"]


def test_replacing_under_cost_forgets_what_was_replaced():
    """Over and over, neither the order nor the memory that it takes goes wrong."""
    backend = MemoryBackend(budget=Budget(Limit(1 << 20, max_entries=2), policy="cost"))
    for number in range(1000):
        backend.put(*named("a/b", number % 2, seconds=float(number % 7)))
    assert len(backend._items._rest._heap) <= 2 * 2 + 65
    backend.put(*named("a/b", 0, seconds=9.0))
    backend.put(*named("a/b", 1, seconds=8.0))
    backend.put(*named("a/b", 2, seconds=8.5))
    assert sorted(key[-2:] for key in backend.keys("")) == ["k0", "k2"]


def test_a_namespace_does_not_crowd_out_the_others():
    """It has a budget of its own, and where all together have too much, whoever has most does with less."""
    backend = MemoryBackend(budget=Budget(Limit(20_000), {"flow": Limit(8_000), "web": Limit(max_entries=2)}))
    for number in range(9):
        for operation in ("flow/top", "web/page", "other/thing"):
            backend.put(*named(operation, number, created_at=1.0))
    counts = {name: sum(key.startswith(name) for key in backend.keys("")) for name in ("flow/", "web/", "other/")}
    assert counts["web/"] == 2
    assert counts["flow/"] >= 5
    assert counts["other/"] >= 5
    assert backend.usage()[1] <= 20_000


def test_a_value_that_does_not_fit_beside_its_frame_leaves_the_frame():
    """And the value that was held before stays held."""
    key, frame = named("a/b", 1)
    backend = MemoryBackend(max_bytes=OVERHEAD + len(b"".join(frame)) + 10)
    backend.put(key, frame)
    assert backend.hold_value(key, backend.get_value(key), "value", peek(b"".join(frame))) is None
    assert backend.get(key) == b"".join(frame)

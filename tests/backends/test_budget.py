"""Budgets of bytes and entries, of everything and of single namespaces, and pins, which are exempt."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from rave_backends.budget import Budget, Limit
from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.memory.backend import MemoryBackend
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_core.backend import StoreURL
from rave_core.errors import ConfigurationError
from rave_core.model import Key
from rave_core.testing import FakeClock, frame_of


def key(operation, name):
    """A key of an operation."""
    return Key(operation, "v1", name).text


def put(store, operation, name, *, size=1000, **fields):
    """An entry of about ``size`` bytes."""
    text = key(operation, name)
    store.put(text, frame_of(text, b"x" * size, **fields))


def kept(store, operation=""):
    """The names of what is kept, of one operation or of all."""
    return sorted(text.rpartition("/")[2] for text in store.keys(operation))


def purge(store):
    """How many entries a purge evicts where nothing is dead."""
    return store.purge(lambda entry: False, grace=0).entries


@pytest.fixture(params=["file", "s3"])
def open_store(request, tmp_path):
    """Opens a store with the options of a URL, or without a budget; again and again the same one."""
    if request.param == "file":
        return lambda options="policy=lru": FilesystemBackend.from_url(StoreURL(f"file://{tmp_path}/store?{options}"))
    url = request.getfixturevalue("s3_url")
    return lambda options="policy=lru": ObjectStoreBackend.from_url(StoreURL(f"{url}&{options}"))


def test_a_budget_of_entries_is_kept(open_store):
    """However small they are: a purge leaves as many as may be kept."""
    for number in range(20):
        put(open_store(), "a/b", f"k{number}")
    store = open_store("max_entries=10")
    assert purge(store) == 10
    assert len(kept(store)) == 10
    assert purge(store) == 0


@pytest.mark.parametrize("policy", ["lru", "lfu", "cost"])
@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_the_newest_entry_goes_last(tmp_path, kind, policy, most):
    """Whatever the policy: what was just put is there, and no more than may be kept."""
    options = f"max_entries={most}&policy={policy}"
    if kind == "file":
        store = FilesystemBackend.from_url(StoreURL(f"file://{tmp_path}/store?{options}"))
    else:
        store = MemoryBackend.from_url(StoreURL(f"memory://?{options}"))
    for number in range(8):
        put(store, "a/b", f"k{number}")
        assert f"k{number}" in kept(store)
        assert len(kept(store)) == min(most, number + 1)


def test_an_entry_over_the_whole_budget_is_not_kept(tmp_path):
    """As in memory: there is no room for it, and what is smaller stays out of its way."""
    store = FilesystemBackend.from_url(StoreURL(f"file://{tmp_path}/store?max_bytes=100"))
    put(store, "a/b", "large")
    assert kept(store) == []


def test_a_namespace_has_a_budget_of_its_own(open_store):
    """What others keep does not count for it, and they keep what they have."""
    for number in range(6):
        for operation in ("flow/top", "flower/top", "web/page", "flow"):
            put(open_store(), operation, f"k{number}")
    store = open_store("max_entries.flow=4&max_bytes.web=2500")
    purge(store)
    assert len(kept(store, "flow/top/")) + len(kept(store, "flow/v1/")) == 4
    assert len(kept(store, "flower/")) == 6
    assert 1 <= len(kept(store, "web/")) <= 2


def test_what_is_pinned_is_not_evicted(open_store):
    """A pin holds for whoever opens the store, and until it is taken away."""
    store = open_store()
    for number in range(10):
        put(store, "a/b", f"k{number}")
        put(store, "a/c", f"k{number}")
    store.pin("a/b/")
    store.pin(key("a/c", "k3"))
    assert store.pins() == ["a/b/", key("a/c", "k3")]
    again = open_store("max_entries=5")
    assert purge(again) == 9
    assert len(kept(again, "a/b/")) == 10
    assert kept(again, "a/c/") == ["k3"]
    assert again.unpin("a/b/") is True
    assert again.unpin("a/b/") is False
    assert purge(again) >= 6


def test_what_is_pinned_expires(open_store):
    """A pin is about room, not about validity."""
    store = open_store("max_entries=5")
    put(store, "a/b", "k1", expires_at=1.0)
    store.pin("a/b/")
    assert store.purge(lambda entry: not entry.is_fresh(2.0), grace=0).entries == 1


def test_the_cheapest_to_compute_goes_first(open_store):
    """By seconds for each byte."""
    for number, seconds in enumerate((3.0, 0.1, 7.0, 0.2, 5.0)):
        put(open_store(), "a/b", f"k{number}", seconds=seconds)
    store = open_store("max_entries=2&policy=cost")
    purge(store)
    assert kept(store) == ["k2", "k4"]


def test_products_count_for_the_budget_of_an_object_store(s3_url, tmp_path):
    """By the size of their objects."""
    store = ObjectStoreBackend.from_url(StoreURL(f"{s3_url}&max_bytes=25000"))
    (tmp_path / "product").write_bytes(b"x" * 10_000)
    for number in range(3):
        text, name = key("a/b", f"k{number}"), f"k{number}-0123abcd.bin"
        frame = frame_of(text, b"x" * 10_000, product=name)
        store.upload(text, tmp_path / "product", name, frame)
    assert purge(store) == 1


def test_the_least_often_used_goes_first(tmp_path):
    """A use counts once a minute; among equals the longest unused goes."""
    clock = FakeClock()
    store = FilesystemBackend(tmp_path / "store", budget=Budget(Limit(max_entries=64), policy="lfu"), clock=clock)
    for name, times in (("k1", 3), ("k2", 0), ("k3", 2), ("k4", 1)):
        put(store, "a/b", name)
        for _ in range(times):
            clock.advance(100)
            store.get(key("a/b", name))
    store.budget = replace(store.budget, whole=Limit(max_entries=2))
    assert purge(store) == 2
    assert kept(store) == ["k1", "k3"]


def test_uses_before_the_policy_are_one_use(tmp_path):
    """What was put under another policy has no number."""
    plain = FilesystemBackend(tmp_path / "store")
    clock = FakeClock()
    put(plain, "a/b", "old")
    os.utime(plain._tree.frame(key("a/b", "old")), ns=(0, int(clock.now()) * 10**9 + 500_000_000))
    store = FilesystemBackend(tmp_path / "store", budget=Budget(Limit(max_entries=64), policy="lfu"), clock=clock)
    for number in range(9):
        put(store, "a/b", f"new{number}")
        clock.advance(100)
        store.get(key("a/b", f"new{number}"))
    store.budget = replace(store.budget, whole=Limit(max_entries=9))
    assert purge(store) == 1
    assert "old" not in kept(store)


def test_writing_keeps_a_budget_of_entries_without_a_purge(tmp_path):
    """Who writes looks at it from time to time, also at that of a namespace."""
    limits = {"flow": Limit(max_entries=32)}
    store = FilesystemBackend(tmp_path / "store", budget=Budget(Limit(max_entries=160), limits))
    for number in range(100):
        put(store, "flow/top", f"k{number}")
        put(store, "web/page", f"k{number}")
    assert len(kept(store, "flow/")) <= 34
    assert 34 < len(kept(store)) <= 170


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://bucket?policy=lfu", "expected lru or cost"),
        ("s3://bucket?max_entries=many", "not a number of entries"),
        ("s3://bucket?max_bytes.=1GiB", "max_bytes."),
        ("s3://bucket?max_entries.flow=0", "not a number of entries"),
    ],
)
def test_a_wrong_budget_is_refused(url, words):
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=words):
        ObjectStoreBackend.from_url(StoreURL(url))


def test_the_longest_name_counts(tmp_path):
    """An operation may have a budget of its own within that of its namespace's others."""
    budget = Budget(parts={"flow": Limit(max_entries=5), "flow/top": Limit(max_entries=2)})
    assert budget.part_of(key("flow/top", "a")) == "flow/top"
    assert budget.part_of(key("flow/count", "a")) == "flow"
    assert budget.part_of(key("flows/count", "a")) == ""

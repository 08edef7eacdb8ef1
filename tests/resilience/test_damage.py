"""Entries that are damaged, swapped, forged or of another format: always a miss with a report, never a wrong value."""

from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from rave_core import using
from rave_core.backend import peek
from rave_core.backend.frame_header import FORMAT
from rave_core.storage.frame import digest, pack
from rave_core.storage.signature import Signer
from tests.resilience.spoiled import VALUES, Store, kept

SMALL = ["text", "bytes", "int", "float", "none", "dict", "datetime", "array"]


@pytest.fixture
def runtime(make_runtime, tmp_path):
    """A runtime whose values lie in a directory alone, so that every call reads the file."""
    with using(make_runtime(cache=[f"file://{tmp_path}/data"])) as entered:
        yield entered


@pytest.mark.parametrize("name", VALUES)
def test_a_flipped_byte_is_a_miss(runtime, name):
    """Each byte of a small entry, a sample of a large one: wherever it stands."""
    store = Store(runtime, kept, name)
    places = range(len(store.good))
    if name not in SMALL or len(places) > 500:
        places = [*range(44), *random.Random(1).sample(places, 60), len(store.good) - 1]
    for place in places:
        frame = bytearray(store.good)
        frame[place] ^= 1 << place % 8
        assert store.is_missed(frame, quietly=place == 7), f"byte {place}"


@pytest.mark.parametrize("name", ["text", "dict", "array"])
def test_a_truncated_entry_is_a_miss(runtime, name):
    """At every length from nothing to one byte short; what was there is set aside."""
    store = Store(runtime, kept, name)
    for length in range(len(store.good)):
        assert store.is_missed(store.good[:length]), f"{length} bytes"
        assert store.good[:length] in store.set_aside()


@pytest.mark.parametrize("more", [b"\0", b"x", b"\0" * 64, b"x" * 5000])
@pytest.mark.parametrize("name", ["none", "text", "array"])
def test_bytes_behind_an_entry_are_a_miss(runtime, name, more):
    """Even zeros; the frame is set aside."""
    store = Store(runtime, kept, name)
    assert store.is_missed(store.good + more)
    assert store.set_aside() == [store.good + more]


def test_another_key_s_entry_is_a_miss(runtime):
    """A frame with its seal intact does not count under another key."""
    other = Store(runtime, kept, "bytes")
    store = Store(runtime, kept, "text")
    assert store.is_missed(other.good)
    assert store.set_aside() == [other.good]


def test_an_entry_of_a_later_format_is_a_miss(runtime):
    """It may be right, to a later version of RAVE: it is no damage to set aside."""
    store = Store(runtime, kept, "text")
    assert store.is_missed(store.good[:7] + bytes([FORMAT + 1]) + store.good[8:], quietly=True)
    assert store.set_aside() == []


def test_an_entry_sealed_with_another_key_is_a_miss(runtime):
    """Whole, but made by nobody we know."""
    store = Store(runtime, kept, "text")
    assert store.is_missed(b"".join(pack(peek(store.good), [b"wrong"], Signer(b"another key"))))
    assert store.is_missed(b"".join(pack(peek(store.good), [b"wrong"], Signer())))


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def _forged(store, payload, codec, signer):
    entry = structs.replace(
        peek(store.good), codec=codec, sizes=(len(payload),), digest=digest([payload], signer.algorithm)
    )
    return b"".join(pack(entry, [payload], signer))


@pytest.mark.parametrize("codec", ["pickle", "text", "plain", "numpy", "arrow"])
def test_a_pickle_without_our_seal_is_never_run(runtime, tmp_path, codec):
    """Whatever codec its header claims, and with any other seal."""
    store = Store(runtime, kept, "text")
    bomb = pickle.dumps(Bomb(str(tmp_path / "mark")), protocol=5)
    for signer in (Signer(), Signer(b"another key")):
        assert store.is_missed(_forged(store, bomb, codec, signer))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("codec", ["scalar", "text", "plain", "numpy", "arrow", "arrow.batch", "pandas", "nonsense"])
def test_a_pickle_under_a_data_codec_is_a_miss(runtime, tmp_path, codec):
    """Even with our own seal the codec that the header names decides, and it finds no data of its kind."""
    store = Store(runtime, kept, "text")
    bomb = pickle.dumps(Bomb(str(tmp_path / "mark")), protocol=5)
    assert store.is_missed(_forged(store, bomb, codec, store.signer))
    assert not (tmp_path / "mark").exists()


def test_a_shared_cache_without_a_key_unpickles_nothing(make_runtime, tmp_path):
    """Its seal is only a checksum, so a pickle in it is refused."""
    shared = make_runtime(cache=[f"file://{tmp_path}/shared?mode=2770"])
    with using(shared):
        store = Store(shared, kept, "text")
        assert not store.signer.trusted
        bomb = pickle.dumps(Bomb(str(tmp_path / "mark")), protocol=5)
        assert store.is_missed(_forged(store, bomb, "pickle", store.signer))
    assert not (tmp_path / "mark").exists()


def test_damage_that_reached_memory_is_a_miss(make_runtime, tmp_path):
    """A damaged frame was copied into the memory in front before it was looked at: it goes from there too."""
    first = make_runtime(cache=[f"file://{tmp_path}/data"])
    with using(first):
        store = Store(first, kept, "dict")
    Path(store.path).write_bytes(store.good[:-1] + b"!")
    second = make_runtime()
    with using(second):
        assert [kept.resolve("dict").status for _ in range(2)] == ["miss", "hit"]
        assert kept("dict") == VALUES["dict"]


MUTATION = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 1000), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), st.integers(0, 1000), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("delete"), st.integers(0, 1000), st.binary(min_size=1, max_size=100)),
)


def _mutated(frame, mutations):
    for what, place, data in mutations:
        place = place % (len(frame) + 1)
        end = place if what == "insert" else place + len(data)
        frame = frame[:place] + (b"" if what == "delete" else data) + frame[end:]
    return frame


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(SMALL), mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_any_other_bytes_are_a_miss(runtime, name, mutations):
    """Whatever is done to an entry: it is a hit exactly if its bytes are what they were."""
    store = Store(runtime, kept, name)
    frame = _mutated(store.good, mutations)
    is_later = frame[:7] == store.good[:7] and len(frame) >= 44 and frame[7] > FORMAT
    assert store.is_missed(frame, quietly=is_later) != (frame == store.good)


TAMPERINGS = {
    "forged": lambda store, other, frame, number: frame,
    "replayed": lambda store, other, frame, number: other.good,
    "truncated": lambda store, other, frame, number: frame[: number % len(frame)],
    "truncated, ours": lambda store, other, frame, number: other.good[: number % len(other.good)],
    "downgraded": lambda store, other, frame, number: frame[:7] + bytes([number % FORMAT]) + frame[8:],
    "of a later format": lambda store, other, frame, number: frame[:7] + bytes([FORMAT + 1 + number % 200]) + frame[8:],
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    how=st.sampled_from(sorted(TAMPERINGS)),
    codec=st.sampled_from(["pickle", "text", "plain", "numpy", "arrow", "nonsense"]),
    key=st.one_of(st.none(), st.binary(min_size=1, max_size=64)),
    number=st.integers(0, 5000),
)
def test_nothing_that_was_tampered_with_is_unpickled(runtime, tmp_path, how, codec, key, number):
    """Forged with another key, put under another key, cut anywhere, or claiming an older format: a miss, never run."""
    bomb = pickle.dumps(Bomb(str(tmp_path / "mark")), protocol=5)
    store, other = Store(runtime, kept, "text"), Store(runtime, kept, "dict")
    frame = _forged(store, bomb, codec, Signer() if key is None else Signer(key))
    assert store.is_missed(TAMPERINGS[how](store, other, frame, number), quietly=how == "of a later format")
    assert not (tmp_path / "mark").exists()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.binary(max_size=200))
def test_a_header_of_any_bytes_is_a_miss(runtime, header):
    """Even one that is sealed with our own key."""
    store = Store(runtime, kept, "text")
    start = store.good[:8] + len(header).to_bytes(4, "little")
    assert store.is_missed(start + store.signer.sign(start + header) + header)

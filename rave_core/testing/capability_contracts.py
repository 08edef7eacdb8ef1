"""Contracts for the capabilities of `rave_core.backend`, as pytest classes to mix in."""

from __future__ import annotations

from functools import partial

import pytest

from rave_core.backend import EVICTED, peek
from rave_core.model import Entry, Key
from rave_core.testing.samples import Some, frame_of, key_of, together


class LeaseContract:
    """Of a `rave_core.backend.SupportsLease`."""

    def test_a_lease_is_claimed_once(self, store: Some) -> None:
        """The first claimant gets the key, the second does not and changes nothing."""
        assert store.lease(key_of("a")) is None
        assert store.claim(key_of("a"), b"first") is True
        assert store.claim(key_of("a"), b"second") is False
        assert store.lease(key_of("a")) == b"first"
        assert store.lease(key_of("b")) is None

    def test_any_record_comes_back(self, store: Some) -> None:
        """A record is opaque: newlines, zeros and digits mean nothing."""
        for number, record in enumerate((b"\n", b"\0\xff", b"5\nhello", b"x" * 4000)):
            assert store.claim(key_of(str(number)), record)
            assert store.lease(key_of(str(number))) == record

    def test_a_swap_needs_the_present_record(self, store: Some) -> None:
        """A process that has not seen the latest record can't replace or remove it."""
        store.claim(key_of("a"), b"one")
        assert store.swap_lease(key_of("a"), b"other", b"two") is False
        assert store.swap_lease(key_of("a"), b"other", None) is False
        assert store.lease(key_of("a")) == b"one"
        assert store.swap_lease(key_of("a"), b"one", b"two") is True
        assert store.lease(key_of("a")) == b"two"

    def test_a_removed_lease_can_be_claimed_again(self, store: Some) -> None:
        """Swapping the record for nothing gives the key back."""
        store.claim(key_of("a"), b"one")
        assert store.swap_lease(key_of("a"), b"one", None) is True
        assert store.lease(key_of("a")) is None
        assert store.swap_lease(key_of("a"), b"one", b"two") is False
        assert store.claim(key_of("a"), b"three") is True

    def test_one_of_many_claimants_wins(self, store: Some) -> None:
        """Of sixteen threads exactly one gets ``True``, ten times over."""
        for turn in range(10):
            key = key_of(str(turn))
            winners = together(16, partial(_claim, store, key))
            assert store.lease(key) == b"%d" % winners.index(True)
            assert winners.count(True) == 1

    def test_one_of_many_swaps_wins(self, store: Some) -> None:
        """Of eight threads that saw the same record exactly one replaces it."""
        for turn in range(5):
            key = key_of(str(turn))
            store.claim(key, b"dead")
            winners = together(8, partial(_take_over, store, key))
            assert winners.count(True) == 1
            assert store.lease(key) == b"%d" % winners.index(True)

    def test_a_lease_is_no_entry(self, store: Some) -> None:
        """Leases and frames do not interfere with each other."""
        store.claim(key_of("a"), b"record")
        assert store.get(key_of("a")) is None
        assert list(store.keys()) == []
        store.put(key_of("a"), [b"frame"])
        store.delete(key_of("a"))
        assert store.lease(key_of("a")) == b"record"


class AgingContract:
    """Of a `rave_core.backend.SupportsAging`."""

    def test_without_a_limit_of_age_all_counts(self, store: Some) -> None:
        """An entry is there for every method."""
        assert store.max_age is None
        store.put(key_of("a"), [b"frame"])
        assert bytes(store.aged(key_of("a"))) == b"frame"
        assert store.aged(key_of("b")) is None


class ValuesContract:
    """Of a `rave_core.backend.SupportsValues`."""

    def test_nothing_is_found_under_an_absent_key(self, store: Some) -> None:
        """Neither a frame nor a value."""
        assert store.get_value(key_of("a"))[:2] == (None, None)

    def test_a_value_that_was_put_is_handed_out(self, store: Some) -> None:
        """The same place comes back with the frame."""
        frame = frame_of(key_of("a"), expires_at=5.0)
        ref = store.put_value(key_of("a"), frame, "value", peek(b"".join(frame)))
        located = store.get_value(key_of("a"))
        assert located.ref is ref
        assert (ref.value, ref.expires_at) == ("value", 5.0)
        assert bytes(located.frame) == bytes(store.get(key_of("a"))) == b"".join(frame)

    def test_a_frame_without_its_value_is_found_and_its_value_held(self, store: Some) -> None:
        """The reader that decodes it makes memory keep the value."""
        frame = frame_of(key_of("a"))
        store.put(key_of("a"), frame)
        located = store.get_value(key_of("a"))
        assert (bytes(located.frame), located.ref) == (b"".join(frame), None)
        ref = store.hold_value(key_of("a"), located, "value", peek(b"".join(frame)))
        assert store.get_value(key_of("a")).ref is ref
        assert ref.value == "value"

    def test_a_frame_can_be_held_without_a_value(self, store: Some) -> None:
        """It stays unchanged."""
        store.put(key_of("a"), frame_of(key_of("a")))
        located = store.get_value(key_of("a"))
        store.hold_frame(key_of("a"), located)
        assert store.get_value(key_of("a"))[:2] == (located.frame, None)

    @pytest.mark.parametrize("action", ["put", "delete"])
    def test_a_value_of_another_frame_is_not_held(self, store: Some, action: str) -> None:
        """A value decoded before the key changed would hide the present one."""
        old, new = (frame_of(key_of("a"), created_at=at) for at in (1.0, 2.0))
        store.put(key_of("a"), old)
        located = store.get_value(key_of("a"))
        getattr(store, action)(key_of("a"), *([new] if action == "put" else []))
        assert store.hold_value(key_of("a"), located, "old", peek(b"".join(old))) is None
        store.hold_frame(key_of("a"), located)
        assert store.get_value(key_of("a")).frame == (b"".join(new) if action == "put" else None)

    @pytest.mark.parametrize("action", ["put", "put_value", "delete", "set_aside"])
    def test_a_value_that_is_let_go_says_so(self, store: Some, action: str) -> None:
        """The holder of a `MemoryRef` sees ``EVICTED`` once it no longer counts."""
        ref = store.put_value(key_of("a"), [b"frame"], "value", _entry("a"))
        following = {"put": ([b"frame"],), "put_value": ([b"frame"], "other", _entry("a"))}.get(action, ())
        getattr(store, action)(key_of("a"), *following)
        assert ref.value is EVICTED
        assert store.get_value(key_of("a")).ref is not ref


class HoldingsContract:
    """Of a `rave_core.backend.SupportsHoldings`."""

    def test_what_is_held_adds_up(self, store: Some) -> None:
        """Entries, bytes and seconds of each operation and version."""
        assert list(store.holdings()) == []
        for number in range(12):
            key = key_of(str(number))
            store.put(key, frame_of(key, b"x" * 100, created_at=float(number), seconds=0.5))
        store.delete(key_of("0"))
        held = list(store.holdings())
        assert {part.prefix for part in held} == {key_of("0").rpartition("/")[0]}
        assert sum(part.entries for part in held) == 11
        assert sum(part.size for part in held) == 1100
        assert sum(part.used for part in held) > 1100
        assert sum(part.seconds for part in held) == 5.5
        assert (min(part.oldest for part in held), max(part.newest for part in held)) == (1.0, 11.0)

    def test_each_entry_has_its_outline(self, store: Some) -> None:
        """Those whose keys start with a prefix, including entries that can't be read."""
        for number in range(3):
            key = key_of(str(number))
            store.put(key, frame_of(key, b"x" * 100, created_at=float(number), seconds=0.5))
        other = Key("contract:other", "0123456789abcdef", "a").text
        store.put(other, [b"no frame"])
        found = sorted(store.outlines("contract:operation/"))
        assert found == sorted((key_of(str(number)), float(number), 100, 0.5) for number in range(3))
        assert [outline.key for outline in store.outlines("contract:other/")] == [other]
        assert len(list(store.outlines())) == 4


class StatsContract:
    """Of a `rave_core.backend.SupportsStats`."""

    def test_usage_grows_with_what_is_put(self, store: Some) -> None:
        """Entries are counted, and bytes are no less than those of the frames."""
        assert store.usage()[0] == 0
        for number in range(3):
            store.put(key_of(str(number)), [b"x" * 1000])
        entries, size = store.usage()
        assert entries == 3
        assert size >= 3000
        store.delete(key_of("0"))
        assert store.usage()[0] == 2

    def test_the_budget_is_a_number_or_none(self, store: Some) -> None:
        """``max_bytes`` is positive where there is a budget."""
        assert store.max_bytes is None or store.max_bytes > 0


def _entry(name: str) -> Entry:
    return Entry(key=key_of(name), created_at=0.0, expires_at=5.0, codec="bytes", digest="")


def _claim(store: Some, key: str, number: int) -> bool:
    return bool(store.claim(key, b"%d" % number))


def _take_over(store: Some, key: str, number: int) -> bool:
    return bool(store.swap_lease(key, b"dead", b"%d" % number))

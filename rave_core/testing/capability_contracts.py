"""What a backend must do that has one of the capabilities of `rave_core.backend`, as pytest classes to mix in."""

from __future__ import annotations

from functools import partial

import pytest

from rave_core.backend import EVICTED, peek
from rave_core.model import Entry, Key
from rave_core.testing.samples import Some, frame_of, key_of, together


class LeaseContract:
    """Of a `rave_core.backend.SupportsLease`."""

    def test_a_lease_is_claimed_once(self, backend: Some) -> None:
        """The first claimant gets the key, the second does not and changes nothing."""
        assert backend.lease(key_of("a")) is None
        assert backend.claim(key_of("a"), b"first") is True
        assert backend.claim(key_of("a"), b"second") is False
        assert backend.lease(key_of("a")) == b"first"
        assert backend.lease(key_of("b")) is None

    def test_any_record_comes_back(self, backend: Some) -> None:
        """A record is opaque: newlines, zeros and digits mean nothing."""
        for number, record in enumerate((b"\n", b"\0\xff", b"5\nhello", b"x" * 4000)):
            assert backend.claim(key_of(str(number)), record)
            assert backend.lease(key_of(str(number))) == record

    def test_a_swap_needs_the_present_record(self, backend: Some) -> None:
        """Who has not seen the latest record can't replace or remove it."""
        backend.claim(key_of("a"), b"one")
        assert backend.swap_lease(key_of("a"), b"other", b"two") is False
        assert backend.swap_lease(key_of("a"), b"other", None) is False
        assert backend.lease(key_of("a")) == b"one"
        assert backend.swap_lease(key_of("a"), b"one", b"two") is True
        assert backend.lease(key_of("a")) == b"two"

    def test_a_removed_lease_can_be_claimed_again(self, backend: Some) -> None:
        """Swapping the record for nothing gives the key back."""
        backend.claim(key_of("a"), b"one")
        assert backend.swap_lease(key_of("a"), b"one", None) is True
        assert backend.lease(key_of("a")) is None
        assert backend.swap_lease(key_of("a"), b"one", b"two") is False
        assert backend.claim(key_of("a"), b"three") is True

    def test_one_of_many_claimants_wins(self, backend: Some) -> None:
        """Of sixteen threads exactly one gets ``True``, ten times over."""
        for turn in range(10):
            key = key_of(str(turn))
            winners = together(16, partial(_claim, backend, key))
            assert backend.lease(key) == b"%d" % winners.index(True)
            assert winners.count(True) == 1

    def test_one_of_many_swaps_wins(self, backend: Some) -> None:
        """Of eight threads that saw the same record exactly one replaces it."""
        for turn in range(5):
            key = key_of(str(turn))
            backend.claim(key, b"dead")
            winners = together(8, partial(_take_over, backend, key))
            assert winners.count(True) == 1
            assert backend.lease(key) == b"%d" % winners.index(True)

    def test_a_lease_is_no_entry(self, backend: Some) -> None:
        """Leases and frames do not get in each other's way."""
        backend.claim(key_of("a"), b"record")
        assert backend.get(key_of("a")) is None
        assert list(backend.keys()) == []
        backend.put(key_of("a"), [b"frame"])
        backend.delete(key_of("a"))
        assert backend.lease(key_of("a")) == b"record"


class AgingContract:
    """Of a `rave_core.backend.SupportsAging`."""

    def test_without_a_limit_of_age_all_counts(self, backend: Some) -> None:
        """What is there is there, however one asks."""
        assert backend.max_age is None
        backend.put(key_of("a"), [b"frame"])
        assert bytes(backend.aged(key_of("a"))) == b"frame"
        assert backend.aged(key_of("b")) is None


class ValuesContract:
    """Of a `rave_core.backend.SupportsValues`."""

    def test_a_value_needs_a_frame(self, backend: Some) -> None:
        """Nothing is held beside nothing."""
        assert backend.hold(key_of("a"), 1, _entry("a")) is None
        assert backend.held(key_of("a")) is None

    def test_a_held_value_is_handed_out(self, backend: Some) -> None:
        """The same object comes back, and the frame is still there."""
        frame = frame_of(key_of("a"), expires_at=5.0)
        backend.put(key_of("a"), frame)
        held = backend.hold(key_of("a"), "value", peek(b"".join(frame)))
        assert backend.held(key_of("a")) is held
        assert held.value == "value"
        assert held.expires_at == 5.0
        assert bytes(backend.get(key_of("a"))) == b"".join(frame)

    def test_a_value_of_another_frame_is_not_held(self, backend: Some) -> None:
        """What was decoded before somebody put a newer frame would hide that one."""
        old, new = (frame_of(key_of("a"), created_at=at) for at in (1.0, 2.0))
        backend.put(key_of("a"), new)
        assert backend.hold(key_of("a"), "old", peek(b"".join(old))) is None
        assert backend.held(key_of("a")) is None

    @pytest.mark.parametrize("action", ["put", "delete", "set_aside", "hold"])
    def test_a_value_that_is_let_go_says_so(self, backend: Some, action: str) -> None:
        """Who kept the `MemoryRef` sees ``EVICTED`` once it no longer counts."""
        backend.put(key_of("a"), [b"frame"])
        held = backend.hold(key_of("a"), "value", _entry("a"))
        following = {"put": ([b"frame"],), "hold": ("other", _entry("a"))}.get(action, ())
        getattr(backend, action)(key_of("a"), *following)
        assert held.value is EVICTED
        assert backend.held(key_of("a")) is not held


class HoldingsContract:
    """Of a `rave_core.backend.SupportsHoldings`."""

    def test_what_is_held_adds_up(self, backend: Some) -> None:
        """Entries, bytes and seconds of each operation and version."""
        assert list(backend.holdings()) == []
        for number in range(12):
            key = key_of(str(number))
            backend.put(key, frame_of(key, b"x" * 100, created_at=float(number), seconds=0.5))
        backend.delete(key_of("0"))
        held = list(backend.holdings())
        assert {part.prefix for part in held} == {key_of("0").rpartition("/")[0]}
        assert sum(part.entries for part in held) == 11
        assert sum(part.size for part in held) == 1100
        assert sum(part.used for part in held) > 1100
        assert sum(part.seconds for part in held) == 5.5
        assert (min(part.oldest for part in held), max(part.newest for part in held)) == (1.0, 11.0)

    def test_each_entry_has_its_outline(self, backend: Some) -> None:
        """Those whose keys start with a prefix, also of an entry that can't be read."""
        for number in range(3):
            key = key_of(str(number))
            backend.put(key, frame_of(key, b"x" * 100, created_at=float(number), seconds=0.5))
        other = Key("contract:other", "0123456789abcdef", "a").text
        backend.put(other, [b"no frame"])
        found = sorted(backend.outlines("contract:operation/"))
        assert found == sorted((key_of(str(number)), float(number), 100, 0.5) for number in range(3))
        assert [outline.key for outline in backend.outlines("contract:other/")] == [other]
        assert len(list(backend.outlines())) == 4


class StatsContract:
    """Of a `rave_core.backend.SupportsStats`."""

    def test_usage_grows_with_what_is_put(self, backend: Some) -> None:
        """Entries are counted, and bytes are no less than those of the frames."""
        assert backend.usage()[0] == 0
        for number in range(3):
            backend.put(key_of(str(number)), [b"x" * 1000])
        entries, size = backend.usage()
        assert entries == 3
        assert size >= 3000
        backend.delete(key_of("0"))
        assert backend.usage()[0] == 2

    def test_the_budget_is_a_number_or_none(self, backend: Some) -> None:
        """``max_bytes`` is positive where there is a budget."""
        assert backend.max_bytes is None or backend.max_bytes > 0


def _entry(name: str) -> Entry:
    return Entry(key=key_of(name), created_at=0.0, expires_at=5.0, codec="bytes", digest="")


def _claim(backend: Some, key: str, number: int) -> bool:
    return bool(backend.claim(key, b"%d" % number))


def _take_over(backend: Some, key: str, number: int) -> bool:
    return bool(backend.swap_lease(key, b"dead", b"%d" % number))

"""Contracts for backends that can purge, and pin what a purge must leave, as pytest classes to mix in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from rave_core.backend.frame_header import FORMAT
from rave_core.clock import SystemClock
from rave_core.model import Entry
from rave_core.testing.samples import Some, frame_of, key_of


class PurgeContract:
    """Of a `rave_core.backend.SupportsPurge`."""

    def test_a_purge_removes_the_dead(self, store: Some) -> None:
        """Entries for which ``is_dead`` go, with their frames; the others stay."""
        for name, expires_at in (("old", 1.0), ("new", 9.0)):
            store.put(key_of(name), frame_of(key_of(name), expires_at=expires_at))
        removed = store.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
        assert removed.entries >= 1
        assert removed.bytes > 0
        assert list(store.keys()) == [key_of("new")]
        assert store.get(key_of("old")) is None

    def test_a_purge_of_nothing_removes_nothing(self, store: Some) -> None:
        """A purge touches neither an empty store nor a live entry."""
        assert store.purge(_always, grace=0).entries == 0
        store.put(key_of("a"), frame_of(key_of("a")))
        assert store.purge(_never, grace=0).entries == 0
        assert list(store.keys()) == [key_of("a")]

    def test_a_purge_is_remembered_if_others_may_purge_too(self, store: Some) -> None:
        """Nothing before the first; then, unless only this object can purge, the time of the last."""
        assert store.last_purge() is None
        before = SystemClock().now()
        store.purge(_never, grace=0)
        last = store.last_purge()
        assert last is None or before - 60 <= last <= SystemClock().now() + 60

    def test_a_purge_judges_long_headers_too(self, store: Some) -> None:
        """A header may be longer than a first look reads."""
        children = tuple(key_of(str(number)) for number in range(500))
        store.put(key_of("a"), frame_of(key_of("a"), children=children))
        assert store.purge(lambda entry: len(entry.children) == 500, grace=0).entries >= 1
        assert list(store.keys()) == []

    def test_a_purge_takes_damaged_frames_away(self, store: Some) -> None:
        """What has no readable header can't be used."""
        store.put(key_of("a"), [b"not a frame"])
        store.put(key_of("b"), [])
        assert store.purge(_never, grace=0).leftovers >= 2
        assert list(store.keys()) == []

    def test_a_purge_leaves_what_a_later_version_wrote(self, store: Some) -> None:
        """A cache may be shared with newer programs."""
        frame = bytearray(b"".join(frame_of(key_of("a"))))
        frame[7] = FORMAT + 1
        store.put(key_of("a"), [frame])
        store.purge(_always, grace=0)
        assert list(store.keys()) == [key_of("a")]

    def test_a_purge_among_writers_loses_only_the_dead(self, store: Some) -> None:
        """While others put and delete, a purge neither fails nor takes a live entry."""
        stop = threading.Event()

        def write(number: int) -> None:
            while not stop.is_set():
                key = key_of(f"dead{number}")
                store.put(key, frame_of(key, expires_at=1.0))
                store.delete(key)

        for number in range(20):
            store.put(key_of(f"live{number}"), frame_of(key_of(f"live{number}")))
        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write, number) for number in range(3)]
            try:
                for _ in range(20):
                    store.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
            finally:
                stop.set()
            for writer in writers:
                writer.result()
        live = {key_of(f"live{number}") for number in range(20)}
        assert live <= set(store.keys())

    def test_a_purge_in_slices_comes_to_an_end(self, store: Some) -> None:
        """Each makes some progress, however little time it has, and says when everything is done."""
        for number in range(20):
            store.put(key_of(str(number)), frame_of(key_of(str(number))))
        removed = 0
        for _ in range(200):
            purged = store.purge(_always, grace=0, seconds=0.0)
            removed += purged.entries
            if purged.is_complete:
                break
        assert purged.is_complete
        assert removed >= 20
        assert list(store.keys()) == []


class PinsContract:
    """Of a `rave_core.backend.SupportsPins`."""

    def test_pins_are_remembered_in_order(self, store: Some) -> None:
        """Each once, with any characters."""
        assert store.pins() == []
        for prefix in ("b/", "a/b@c+d/v1/", "b/", "ünï/"):
            store.pin(prefix)
        assert store.pins() == ["a/b@c+d/v1/", "b/", "ünï/"]

    def test_a_pin_can_be_taken_away(self, store: Some) -> None:
        """Once."""
        store.pin("a/")
        assert store.unpin("a/") is True
        assert store.unpin("a/") is False
        assert store.pins() == []

    def test_a_pin_is_no_entry(self, store: Some) -> None:
        """It is not among the keys, and a purge leaves it."""
        store.pin("a/")
        assert list(store.keys()) == []
        store.purge(_always, grace=0)
        assert store.pins() == ["a/"]


def _always(_: Entry) -> bool:
    return True


def _never(_: Entry) -> bool:
    return False

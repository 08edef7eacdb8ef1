"""What a backend must do that has one of the capabilities of `rave_core.backend`, as pytest classes to mix in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.request import urlopen

import pytest

from rave_core.backend import EVICTED
from rave_core.clock import SystemClock
from rave_core.errors import ProductError
from rave_core.model import FOREVER, Bytes, Entry, Key
from rave_core.storage.frame import FORMAT, digest, pack, peek
from rave_core.storage.signature import Signer

T = TypeVar("T")
Some: TypeAlias = Any  # a Backend with the capability; Python can't write an intersection of types


class NoSeal(Signer):
    """Vouches for everything: backends do not look at seals."""

    def sign(self, data: bytes) -> bytes:  # whatever it is
        """32 bytes."""
        return bytes(32)

    def verify(self, data: bytes, mark: bytes) -> None:
        """Accepts anything."""


def key_of(name: str) -> str:
    """The text of a key like any other, its own for each ``name``."""
    return Key("contract:operation", "0123456789abcdef", blake2b(name.encode(), digest_size=16).hexdigest()).text


def frame_of(key: str, payload: bytes = b"payload", **fields: Any) -> list[Bytes]:
    """A frame of ``key``; ``fields`` are those of its `Entry`."""
    known: dict[str, Any] = {"created_at": 0.0, "expires_at": FOREVER, "codec": "bytes", "sizes": (len(payload),)}
    entry = Entry(key=key, digest=digest([payload]), **{**known, **fields})
    return pack(entry, [] if entry.product else [payload], NoSeal())


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """The answers of ``act(0)``, ``act(1)``, …, each in a thread of its own, all let go at the same moment."""
    start = threading.Barrier(count)

    def enter(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(enter, range(count)))


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


class FilesContract:
    """Of a `rave_core.backend.SupportsFiles`."""

    def test_a_draft_is_a_new_path(self, backend: Some) -> None:
        """It does not exist, its directory does and is its own, and it ends in the suffix."""
        one, two = backend.draft(".png"), backend.draft(".png")
        assert one.parent != two.parent
        assert one.name.endswith(".png")
        assert one.parent.is_dir()
        assert not one.exists()

    def test_a_committed_draft_is_the_product(self, backend: Some) -> None:
        """The file is moved to where ``locate`` says, and the frame is there."""
        product = _commit(backend, "a", "a-1.txt", b"content")
        assert product == backend.locate(key_of("a"), "a-1.txt")
        assert product.read_bytes() == b"content"
        assert bytes(backend.get(key_of("a"))) == b"".join(frame_of(key_of("a"), b"content", product="a-1.txt"))
        assert list(backend.keys()) == [key_of("a")]

    def test_a_commit_takes_the_draft_away(self, backend: Some) -> None:
        """Neither the draft nor its directory is left."""
        draft = backend.draft(".txt")
        draft.write_bytes(b"content")
        backend.commit(key_of("a"), draft, "a.txt", frame_of(key_of("a"), product="a.txt"))
        assert not draft.parent.exists()

    def test_a_discarded_draft_is_gone(self, backend: Some) -> None:
        """With all that was written beside it; again is no error."""
        draft = backend.draft(".txt")
        draft.write_bytes(b"half")
        (draft.parent / "scratch").write_bytes(b"more")
        backend.discard(draft)
        assert not draft.parent.exists()
        backend.discard(draft)

    def test_a_product_outlives_its_successor(self, backend: Some) -> None:
        """Who was given the path of the older product can still read it."""
        older = _commit(backend, "a", "a-1.txt", b"older")
        newer = _commit(backend, "a", "a-2.txt", b"newer")
        assert (older.read_bytes(), newer.read_bytes()) == (b"older", b"newer")

    def test_a_product_outlives_its_entry(self, backend: Some) -> None:
        """Deleting the key leaves the file to the next purge."""
        product = _commit(backend, "a", "a.txt", b"content")
        assert backend.delete(key_of("a")) is True
        assert product.read_bytes() == b"content"

    @pytest.mark.parametrize("kind", ["absent", "symlink", "directory", "elsewhere"])
    def test_what_is_no_plain_draft_is_refused(self, backend: Some, tmp_path: Any, kind: str) -> None:
        """Only a file that lies where ``draft`` said becomes a product, so nothing outside is moved or published."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"private")
        draft = outside if kind == "elsewhere" else backend.draft(".txt")
        if kind == "symlink":
            draft.symlink_to(outside)
        if kind == "directory":
            draft.mkdir()
        with pytest.raises(ProductError):
            backend.commit(key_of("a"), draft, "a.txt", frame_of(key_of("a"), product="a.txt"))
        assert backend.get(key_of("a")) is None
        assert outside.read_bytes() == b"private"

    @pytest.mark.parametrize("name", ["", ".", "..", "../a", "/a", "a/b", ".rave", "x.rave", "a\0b"], ids=ascii)
    def test_a_name_that_is_a_path_is_refused(self, backend: Some, name: str) -> None:
        """A product lies beside its frame, nowhere else."""
        with pytest.raises(ProductError):
            backend.locate(key_of("a"), name)


class ObjectsContract:
    """Of a `rave_core.backend.SupportsObjects`."""

    @pytest.mark.parametrize("content", [b"", b"content", bytes(range(256)) * 80_000], ids=["empty", "small", "large"])
    def test_an_uploaded_product_comes_back(self, backend: Some, tmp_path: Path, content: bytes) -> None:
        """Byte for byte, also one of 20 MB; its frame is there, and its file here is left alone."""
        product, frame = _upload(backend, tmp_path, "a-0a1b2c3d.bin", content)
        backend.download(key_of("a"), "a-0a1b2c3d.bin", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
        assert product.read_bytes() == content
        assert bytes(backend.get(key_of("a"))) == b"".join(frame)
        assert list(backend.keys()) == [key_of("a")]

    def test_a_product_that_is_not_there_is_not_found(self, backend: Some, tmp_path: Path) -> None:
        """And nothing is written."""
        with pytest.raises(FileNotFoundError):
            backend.download(key_of("a"), "a-0a1b2c3d.bin", tmp_path / "back")
        assert not (tmp_path / "back").exists()

    def test_an_object_outlives_its_successor_and_its_entry(self, backend: Some, tmp_path: Path) -> None:
        """Whoever was told of it can still get it, until a purge that comes after its time of grace."""
        _upload(backend, tmp_path, "a-0a1b2c3d.bin", b"older")
        _upload(backend, tmp_path, "a-99999999.bin", b"newer")
        backend.delete(key_of("a"))
        backend.purge(_never, grace=3600)
        for name, content in (("a-0a1b2c3d.bin", b"older"), ("a-99999999.bin", b"newer")):
            backend.download(key_of("a"), name, tmp_path / name)
            assert (tmp_path / name).read_bytes() == content

    @pytest.mark.parametrize("name", ["", ".", "..", "../a", "/a", "a/b", ".rave", "x.rave", "a\0b"], ids=ascii)
    def test_an_object_is_not_named_by_a_path(self, backend: Some, tmp_path: Path, name: str) -> None:
        """A product lies beside its frame, nowhere else."""
        (tmp_path / "product").write_bytes(b"content")
        with pytest.raises(ProductError):
            backend.upload(key_of("a"), tmp_path / "product", name, frame_of(key_of("a"), product=name))
        with pytest.raises(ProductError):
            backend.download(key_of("a"), name, tmp_path / "back")
        assert backend.get(key_of("a")) is None


class UrlContract:
    """Of a `rave_core.backend.SupportsUrl`, whose URLs are of HTTP."""

    def test_whoever_has_the_url_gets_the_product(self, backend: Some, tmp_path: Path) -> None:
        """With the media type of its entry, and without any other credentials."""
        _upload(backend, tmp_path, "a-0a1b2c3d.csv", b"1,2\n", mime_type="text/csv")
        with urlopen(backend.url(key_of("a"), "a-0a1b2c3d.csv", seconds=60)) as answer:  # noqa: S310  # of our own store
            assert answer.read() == b"1,2\n"
            assert answer.headers["Content-Type"] == "text/csv"


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


class PurgeContract:
    """Of a `rave_core.backend.SupportsPurge`."""

    def test_a_purge_removes_the_dead(self, backend: Some) -> None:
        """Entries for which ``is_dead`` go, with their frames; the others stay."""
        for name, expires_at in (("old", 1.0), ("new", 9.0)):
            backend.put(key_of(name), frame_of(key_of(name), expires_at=expires_at))
        removed = backend.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
        assert removed.entries >= 1
        assert removed.bytes > 0
        assert list(backend.keys()) == [key_of("new")]
        assert backend.get(key_of("old")) is None

    def test_a_purge_of_nothing_removes_nothing(self, backend: Some) -> None:
        """Neither an empty store nor a live entry is touched."""
        assert backend.purge(_always, grace=0).entries == 0
        backend.put(key_of("a"), frame_of(key_of("a")))
        assert backend.purge(_never, grace=0).entries == 0
        assert list(backend.keys()) == [key_of("a")]

    def test_a_purge_is_remembered_if_others_may_purge_too(self, backend: Some) -> None:
        """Nothing before the first; then, unless only this object can purge, the time of the last."""
        assert backend.last_purge() is None
        before = SystemClock().now()
        backend.purge(_never, grace=0)
        last = backend.last_purge()
        assert last is None or before - 60 <= last <= SystemClock().now() + 60

    def test_a_purge_judges_long_headers_too(self, backend: Some) -> None:
        """A header may be longer than a first look reads."""
        children = tuple(key_of(str(number)) for number in range(500))
        backend.put(key_of("a"), frame_of(key_of("a"), children=children))
        assert backend.purge(lambda entry: len(entry.children) == 500, grace=0).entries >= 1
        assert list(backend.keys()) == []

    def test_a_purge_takes_damaged_frames_away(self, backend: Some) -> None:
        """What has no readable header can't be used."""
        backend.put(key_of("a"), [b"not a frame"])
        backend.put(key_of("b"), [])
        assert backend.purge(_never, grace=0).leftovers >= 2
        assert list(backend.keys()) == []

    def test_a_purge_leaves_what_a_later_version_wrote(self, backend: Some) -> None:
        """A cache may be shared with newer programs."""
        frame = bytearray(b"".join(frame_of(key_of("a"))))
        frame[7] = FORMAT + 1
        backend.put(key_of("a"), [frame])
        backend.purge(_always, grace=0)
        assert list(backend.keys()) == [key_of("a")]

    def test_a_purge_among_writers_loses_only_the_dead(self, backend: Some) -> None:
        """While others put and delete, a purge neither fails nor takes a live entry."""
        stop = threading.Event()

        def write(number: int) -> None:
            while not stop.is_set():
                key = key_of(f"dead{number}")
                backend.put(key, frame_of(key, expires_at=1.0))
                backend.delete(key)

        for number in range(20):
            backend.put(key_of(f"live{number}"), frame_of(key_of(f"live{number}")))
        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write, number) for number in range(3)]
            try:
                for _ in range(20):
                    backend.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
            finally:
                stop.set()
            for writer in writers:
                writer.result()
        live = {key_of(f"live{number}") for number in range(20)}
        assert live <= set(backend.keys())

    def test_a_purge_in_slices_comes_to_an_end(self, backend: Some) -> None:
        """However little time each has, it gets some way, and says when it is through."""
        for number in range(20):
            backend.put(key_of(str(number)), frame_of(key_of(str(number))))
        removed = 0
        for _ in range(200):
            purged = backend.purge(_always, grace=0, seconds=0.0)
            removed += purged.entries
            if purged.is_complete:
                break
        assert purged.is_complete
        assert removed >= 20
        assert list(backend.keys()) == []


class PinsContract:
    """Of a `rave_core.backend.SupportsPins`."""

    def test_pins_are_remembered_in_order(self, backend: Some) -> None:
        """Each once, whatever characters it has."""
        assert backend.pins() == []
        for prefix in ("b/", "a/b@c+d/v1/", "b/", "ünï/"):
            backend.pin(prefix)
        assert backend.pins() == ["a/b@c+d/v1/", "b/", "ünï/"]

    def test_a_pin_can_be_taken_away(self, backend: Some) -> None:
        """Once."""
        backend.pin("a/")
        assert backend.unpin("a/") is True
        assert backend.unpin("a/") is False
        assert backend.pins() == []

    def test_a_pin_is_no_entry(self, backend: Some) -> None:
        """It neither shows among the keys nor goes with a purge."""
        backend.pin("a/")
        assert list(backend.keys()) == []
        backend.purge(_always, grace=0)
        assert backend.pins() == ["a/"]


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


def _commit(backend: Some, name: str, file_name: str, content: bytes) -> Any:
    draft = backend.draft(".txt")
    draft.write_bytes(content)
    return backend.commit(key_of(name), draft, file_name, frame_of(key_of(name), content, product=file_name))


def _upload(backend: Some, tmp_path: Path, name: str, content: bytes, **fields: Any) -> tuple[Path, list[Bytes]]:
    product = tmp_path / "uploaded"
    product.write_bytes(content)
    frame = frame_of(key_of("a"), content, product=name, **fields)
    backend.upload(key_of("a"), product, name, frame)
    return product, frame


def _entry(name: str) -> Entry:
    return Entry(key=key_of(name), created_at=0.0, expires_at=5.0, codec="bytes", digest="")


def _claim(backend: Some, key: str, number: int) -> bool:
    return bool(backend.claim(key, b"%d" % number))


def _take_over(backend: Some, key: str, number: int) -> bool:
    return bool(backend.swap_lease(key, b"dead", b"%d" % number))


def _always(_: Entry) -> bool:
    return True


def _never(_: Entry) -> bool:
    return False

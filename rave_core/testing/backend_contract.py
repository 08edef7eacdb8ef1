"""What every backend must do, as pytest classes to subclass.

    class TestMine(BackendContract, LeaseContract):
        lacks = {
            "aging", "files", "holdings", "objects", "pins", "purge", "stats", "unpacking", "url", "values",
        }

        def open_backend(self, place):
            return MyBackend(place)

    TestMineAsADict = backend_machine(MyBackend).TestCase

The classes in `rave_core.testing` test what a backend can do beyond the basics. Declare a
capability that it does not have in ``lacks``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Set
from pathlib import Path
from typing import ClassVar

import pytest

from rave_core.backend import (
    Backend,
    SupportsAging,
    SupportsFiles,
    SupportsHoldings,
    SupportsLease,
    SupportsObjects,
    SupportsPins,
    SupportsPurge,
    SupportsStats,
    SupportsUnpacking,
    SupportsUrl,
    SupportsValues,
)
from rave_core.model import Key
from rave_core.testing.capability_contracts import (
    AgingContract,
    HoldingsContract,
    LeaseContract,
    StatsContract,
    ValuesContract,
)
from rave_core.testing.capable import Capable
from rave_core.testing.product_contracts import FilesContract, ObjectsContract, UnpackingContract, UrlContract
from rave_core.testing.purge_contracts import PinsContract, PurgeContract
from rave_core.testing.samples import key_of, together

_CAPABILITIES = {
    "aging": (SupportsAging, AgingContract),
    "files": (SupportsFiles, FilesContract),
    "holdings": (SupportsHoldings, HoldingsContract),
    "lease": (SupportsLease, LeaseContract),
    "objects": (SupportsObjects, ObjectsContract),
    "pins": (SupportsPins, PinsContract),
    "purge": (SupportsPurge, PurgeContract),
    "stats": (SupportsStats, StatsContract),
    "unpacking": (SupportsUnpacking, UnpackingContract),
    "url": (SupportsUrl, UrlContract),
    "values": (SupportsValues, ValuesContract),
}
HOSTILE_NAMES = (
    "..", ".hidden", "a/../b", "a//b", "/rooted", "trailing/", "C:\\x", "m:f<locals>", "100%", "%2e%2e/x", "a@b+c=d,~e",
    "sp ace", "new\nline", "q?x#y&z", "ünï:中文", "'\"`$(x)", "x" * 400, "ü" * 200, "*", "con", "é/é",
)  # fmt: skip


class BackendContract(ABC):
    """The basics: subclass it, with a name that pytest collects, and say how to open the backend."""

    lacks: ClassVar[Set[str]] = frozenset()
    """Of ``aging files holdings lease objects pins purge stats unpacking url values`` those that the backend lacks."""

    persistent: ClassVar[bool] = False
    """Whether frames survive when the backend is closed and opened again in the same place."""

    @abstractmethod
    def open_backend(self, place: Path) -> Backend:
        """The backend, empty when ``place``, which does not exist yet or holds this very store, is new."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        """The backend under test."""
        backend = self.open_backend(tmp_path / "store")
        yield backend
        backend.close()

    @pytest.fixture
    def store(self, backend: Backend) -> Capable:
        """The backend under test, with the methods of all its capabilities."""
        return Capable(backend)

    def test_it_has_the_capabilities_that_it_does_not_declare_lacking(self, backend: Backend) -> None:
        """The backend lacks what is in ``lacks``; it has the rest, and the contract of that name tests it."""
        assert set(self.lacks) <= set(_CAPABILITIES)
        for name, (protocol, contract) in _CAPABILITIES.items():
            has = backend.capability(protocol) is not None
            assert has is (name not in self.lacks), name
            assert has is isinstance(self, contract), f"{contract.__name__} is to be subclassed where {name} is there"

    def test_an_empty_backend_is_not_falsy(self, backend: Backend) -> None:
        """Code that asks ``if backend`` must not take an empty one for none."""
        assert bool(backend)
        assert not hasattr(backend, "__len__")

    def test_an_absent_key_gives_none(self, backend: Backend) -> None:
        """Nothing is there before it was put."""
        assert backend.get(key_of("absent")) is None
        assert backend.head(key_of("absent"), 10) is None
        assert backend.delete(key_of("absent")) is False
        backend.set_aside(key_of("absent"))
        assert list(backend.keys()) == []

    def test_a_frame_comes_back_whole(self, backend: Backend) -> None:
        """The pieces are joined in their order, for any kind of bytes."""
        backend.put(key_of("a"), [b"one", bytearray(b"two"), b"", memoryview(b"three")])
        assert _got(backend, "a") == b"onetwothree"

    def test_an_empty_frame_is_a_frame(self, backend: Backend) -> None:
        """An empty frame differs from an absent one."""
        backend.put(key_of("none"), [])
        backend.put(key_of("empty"), [b""])
        assert (_got(backend, "none"), _got(backend, "empty")) == (b"", b"")

    def test_a_frame_of_many_pieces_comes_back_whole(self, backend: Backend) -> None:
        """There is no limit to the number of pieces."""
        pieces = [b"%d," % number for number in range(5000)]
        backend.put(key_of("many"), pieces)
        assert _got(backend, "many") == b"".join(pieces)

    def test_a_large_frame_comes_back_whole(self, backend: Backend) -> None:
        """5 MB go in and out."""
        frame = bytes(range(256)) * 20_000
        backend.put(key_of("large"), [frame[:1], frame[1:]])
        assert _got(backend, "large") == frame

    def test_a_later_put_replaces(self, backend: Backend) -> None:
        """The last one counts, even if it is shorter."""
        backend.put(key_of("a"), [b"a long first frame"])
        backend.put(key_of("a"), [b"short"])
        assert _got(backend, "a") == b"short"
        assert list(backend.keys()) == [key_of("a")]

    def test_the_head_is_the_beginning(self, backend: Backend) -> None:
        """As many bytes as asked for, or as there are."""
        backend.put(key_of("a"), [b"0123", b"456789"])
        heads = [backend.head(key_of("a"), size) for size in (0, 5, 100)]
        assert [bytes(head) for head in heads if head is not None] == [b"", b"01234", b"0123456789"]

    def test_a_deleted_key_is_gone(self, backend: Backend) -> None:
        """``delete`` says whether there was a frame, and leaves others alone."""
        backend.put(key_of("a"), [b"a"])
        backend.put(key_of("b"), [b"b"])
        assert backend.delete(key_of("a")) is True
        assert backend.delete(key_of("a")) is False
        assert backend.get(key_of("a")) is None
        assert _got(backend, "b") == b"b"

    def test_what_is_set_aside_is_gone(self, backend: Backend) -> None:
        """A damaged frame does not come back, and the key can be put again."""
        backend.put(key_of("a"), [b"damaged"])
        backend.set_aside(key_of("a"))
        assert backend.get(key_of("a")) is None
        assert list(backend.keys()) == []
        backend.put(key_of("a"), [b"good"])
        assert _got(backend, "a") == b"good"

    def test_keys_are_listed_by_any_prefix(self, backend: Backend) -> None:
        """A prefix may end within a part of a key."""
        keys = {Key(name, version * 16, "ab" * 16).text for name in ("m:f", "m:g", "n/f", "n") for version in "01"}
        for key in keys:
            backend.put(key, [b"x"])
        for prefix in ("", "m", "m:", "m:f/", "m:f/0", "n/", "n/f/1111", "n/0", "x", "m:f/" + "0" * 16 + "/abab"):
            assert sorted(backend.keys(prefix)) == sorted(key for key in keys if key.startswith(prefix)), prefix

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
    def test_a_hostile_name_stays_in_its_place(self, backend: Backend, name: str) -> None:
        """Under any operation name, a key is kept, found, listed and deleted like all others."""
        key, other = Key(name, "0" * 16, "f" * 32).text, key_of("other")
        backend.put(other, [b"other"])
        backend.put(key, [b"hostile"])
        frame = backend.get(key)
        assert frame is not None
        assert bytes(frame) == b"hostile"
        assert sorted(backend.keys()) == sorted([key, other])
        assert list(backend.keys(key)) == [key]
        assert backend.delete(key) is True
        assert list(backend.keys()) == [other]

    def test_changing_what_was_put_or_got_changes_nothing(self, backend: Backend) -> None:
        """The backend shares no memory that its caller may write to."""
        given = bytearray(b"original")
        backend.put(key_of("a"), [given])
        given[:] = b"changed!"
        got = backend.get(key_of("a"))
        if isinstance(got, bytearray):
            got[:] = b"changed!"
        assert _got(backend, "a") == b"original"

    def test_what_was_got_outlives_its_key(self, backend: Backend) -> None:
        """A frame that is being read stays readable when the key is replaced or deleted."""
        backend.put(key_of("a"), [b"first"])
        first = backend.get(key_of("a"))
        backend.put(key_of("a"), [b"other"])
        backend.delete(key_of("a"))
        assert first is not None
        assert bytes(first) == b"first"

    def test_threads_see_whole_frames_only(self, backend: Backend) -> None:
        """Eight threads that put, get, list and delete the same keys never see a mixture or an error."""

        def hammer(number: int) -> None:
            for turn in range(40):
                key = key_of(f"shared{turn % 3}")
                backend.put(key, [bytes([number]) * 700] * 3)
                frame = backend.get(key)
                assert frame is None or (len(frame) == 2100 and len(set(bytes(frame))) == 1)
                assert set(backend.keys()) <= {key_of(f"shared{other}") for other in range(3)}
                if turn % 5 == number % 5:
                    backend.delete(key)

        together(8, hammer)

    def test_the_secret_stays_the_same(self, backend: Backend) -> None:
        """A sealing key is 32 bytes, and the same each time; or there is none."""
        secret = backend.secret()
        assert secret is None or len(secret) == 32
        assert backend.secret() == secret

    def test_a_good_store_has_no_trouble(self, backend: Backend) -> None:
        """``check`` reports nothing for a store that works."""
        assert backend.check() is None

    def test_closing_twice_is_fine(self, tmp_path: Path) -> None:
        """``close`` may be called again."""
        backend = self.open_backend(tmp_path / "closed")
        backend.put(key_of("a"), [b"a"])
        backend.close()
        backend.close()

    def test_it_is_as_persistent_as_it_says(self, tmp_path: Path) -> None:
        """Opened again in the same place, a persistent backend has what was put; another has nothing."""
        first = self.open_backend(tmp_path / "again")
        first.put(key_of("a"), [b"kept"])
        secret = first.secret()
        first.close()
        second = self.open_backend(tmp_path / "again")
        frame = second.get(key_of("a"))
        assert (None if frame is None else bytes(frame)) == (b"kept" if self.persistent else None)
        assert (second.secret() == secret) is (self.persistent or secret is None)
        second.close()


def _got(backend: Backend, name: str) -> bytes:
    frame = backend.get(key_of(name))
    assert frame is not None
    return bytes(frame)

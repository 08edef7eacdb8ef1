"""What every document store must do, as a pytest class to subclass.

class TestMyDocuments(DocumentContract):
    @pytest.fixture
    def place(self, tmp_path):
        return f"mine://{tmp_path}/documents"
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from rave_core.documents import Change, Conflict, Document, DocumentStore, Fence, Metadata, open_store
from rave_core.errors import FenceError, InvalidDocumentError, RaveError
from rave_core.testing.samples import together

PAYLOADS = (b"", b"\0", bytes(range(256)), "ünï".encode(), b"\r\n", b"x" * (1 << 20))
NAMES = (
    "..", "a/b", "a b", "new\nline", "100%", "'quoted'", '"', "\\", "ünï:中文", "é", "e\u0301", "A", "a",
    "x" * 512, "%s", ":name", "?",
)  # fmt: skip
WRONG_NAMES = ("", "nul\0", "x" * 513, "ü" * 257, "half\ud800")
PATIENCE = 10.0


class DocumentContract(ABC):
    """The contract of a `DocumentStore`: subclass it, with a name that pytest collects, and say where it is."""

    @pytest.fixture
    @abstractmethod
    def place(self, tmp_path: Path) -> str:
        """The URL of a store that is new for each test."""

    def open_store(self, place: str) -> DocumentStore:
        """The store at ``place``; override it for one that is not registered."""
        return open_store(place)

    @pytest.fixture
    def store(self, place: str) -> Iterator[DocumentStore]:
        """The store under test."""
        with self.open_store(place) as store:
            yield store

    @pytest.fixture
    def other(self, place: str, store: DocumentStore) -> Iterator[DocumentStore]:
        """The same documents, opened a second time, as by another process."""
        with self.open_store(place) as other:
            yield other

    @pytest.mark.parametrize("payload", PAYLOADS, ids=len)
    def test_bytes_come_back_as_they_were_saved(
        self, store: DocumentStore, other: DocumentStore, payload: bytes
    ) -> None:
        """Whatever they are."""
        saved = store.save("c", "k", payload, expect=0, author="ada")
        assert other.get("c", "k") == Document(saved, payload)
        assert list(other.documents("c")) == [Document(saved, payload)]

    def test_what_is_known_of_a_version_comes_back(self, store: DocumentStore) -> None:
        """All of it; the time is that of the save, unless it is given."""
        first = store.save("c", "k", b"1", expect=0, author="ada", comment="begun", time=12.25)
        assert first == Metadata("c", "k", 1, "ada", "begun", 12.25, empty=False, sequence=store.sequence())
        second = store.save("c", "k", b"2", expect=1, author="bob")
        assert second.time > 1.7e9
        assert list(store.history("c", "k")) == [second, first]
        assert store.get("c", "k", 1) == Document(first, b"1")

    def test_what_is_not_there_gives_none(self, store: DocumentStore) -> None:
        """Neither a collection nor a key nor a version."""
        store.save("c", "k", b"1", expect=0, author="ada")
        absent: list[tuple[str, str, int | None]] = [("d", "k", None), ("c", "l", None), ("c", "k", 2), ("c", "k", 0)]
        assert [store.get(*each) for each in [*absent, ("c", "k", -1), ("c", "k", 2**40)]] == [None] * 6
        assert list(store.heads("d")) == list(store.history("c", "l")) == []

    @pytest.mark.parametrize("expect", [0, 1, 3, 2**31 - 2])
    def test_a_save_on_top_of_another_version_is_a_conflict(self, store: DocumentStore, expect: int) -> None:
        """It names both numbers, and saves nothing."""
        saved = [store.save("c", "k", b"%d" % version, expect=version, author="ada") for version in range(2)]
        with pytest.raises(Conflict, match="was not saved") as caught:
            store.save("c", "k", b"other", expect=expect, author="bob")
        conflict = caught.value
        assert (conflict.collection, conflict.key, conflict.expected, conflict.provided) == ("c", "k", 2, expect)
        assert list(store.history("c", "k")) == saved[::-1]
        assert store.sequence() == saved[-1].sequence

    def test_a_document_that_does_not_exist_is_based_on_version_0(self, store: DocumentStore) -> None:
        """Any other number is a conflict."""
        with pytest.raises(Conflict, match="does not exist") as caught:
            store.save("c", "k", b"1", expect=1, author="ada")
        assert caught.value.expected == 0
        assert store.collections() == []

    def test_a_tombstone_is_a_version_like_any_other(self, store: DocumentStore) -> None:
        """It can be read, and another version follows it."""
        store.save("c", "k", b"1", expect=0, author="ada")
        tombstone = store.save("c", "k", None, expect=1, author="bob", comment="not needed")
        assert tombstone.empty
        assert store.get("c", "k") == Document(tombstone, None)
        assert (list(store.heads("c")), list(store.heads("c", deleted=True))) == ([], [tombstone])
        assert (list(store.documents("c")), list(store.documents("c", deleted=True))) == (
            [],
            [Document(tombstone, None)],
        )
        revived = store.save("c", "k", b"", expect=2, author="ada")
        assert list(store.heads("c")) == [revived]
        assert not revived.empty

    def test_heads_are_the_newest_versions_in_the_order_of_keys(self, store: DocumentStore) -> None:
        """By code points."""
        for key in ("b", "a", "Z", "é", "a b"):
            for version in range(3):
                store.save("c", key, b"%d" % version, expect=version, author="ada")
        store.save("d", "a", b"", expect=0, author="ada")
        assert [(head.key, head.version) for head in store.heads("c")] == [
            (key, 3) for key in ("Z", "a", "a b", "b", "é")
        ]
        assert [document.payload for document in store.documents("c")] == [b"2"] * 5
        assert store.collections() == ["c", "d"]

    def test_any_text_is_a_name(self, store: DocumentStore) -> None:
        """And no two of them are taken for each other."""
        for name in NAMES:
            store.save(name, name, name.encode(), expect=0, author=name, comment=name)
        assert [(found := store.get(name, name)) and found.payload for name in NAMES] == [n.encode() for n in NAMES]
        assert store.collections() == sorted(NAMES)

    @pytest.mark.parametrize("name", WRONG_NAMES, ids=ascii)
    def test_what_can_not_be_a_name_is_refused(self, store: DocumentStore, name: str) -> None:
        """In every place, when reading as well as when saving."""
        for collection, key, author in ((name, "k", "ada"), ("c", name, "ada"), ("c", "k", name)):
            with pytest.raises(InvalidDocumentError):
                store.save(collection, key, b"", expect=0, author=author)
        for read in (store.get, store.history):
            with pytest.raises(InvalidDocumentError):
                read("c", name)
        with pytest.raises(InvalidDocumentError):
            store.heads(name)
        assert store.sequence() == 0

    def test_a_payload_over_the_limit_is_refused(self, store: DocumentStore) -> None:
        """By name and size; one that just fits is saved."""
        with pytest.raises(InvalidDocumentError, match=r"'k' in 'c'.*at most"):
            store.save("c", "k", b"x" * (store.max_payload + 1), expect=0, author="ada")
        assert store.get("c", "k") is None
        store.save("c", "k", b"x" * store.max_payload, expect=0, author="ada")

    @pytest.mark.parametrize("wrong", [{"expect": -1}, {"expect": 2**31}, {"time": float("nan")}, {"comment": "\0"}])
    def test_what_no_version_can_have_is_refused(self, store: DocumentStore, wrong: dict[str, float]) -> None:
        """As one of RAVE's own errors."""
        with pytest.raises(InvalidDocumentError):
            store.save("c", "k", b"", **{"expect": 0, "author": "ada", **wrong})  # type: ignore[arg-type]  # is the test

    def test_a_collection_can_keep_one_version(self, store: DocumentStore, other: DocumentStore) -> None:
        """A save replaces the version before, whichever process saves; the numbers count on."""
        store.save("slate", "k", b"0", expect=0, author="ada")
        store.declare("slate", keep=1)
        assert other.declared() == {"slate": 1}
        for version in range(1, 4):
            saved = other.save("slate", "k", b"%d" % version, expect=version, author="ada")
        assert list(store.history("slate", "k")) == [saved]
        assert saved.version == 4
        with pytest.raises(Conflict):
            store.save("slate", "k", b"", expect=1, author="ada")
        store.declare("slate", keep=None)
        store.save("slate", "k", b"", expect=4, author="ada")
        assert [each.version for each in store.history("slate", "k")] == [5, 4]
        assert store.check() == []

    def test_trimming_leaves_the_newest_versions(self, store: DocumentStore) -> None:
        """It says how many it removed."""
        for version in range(5):
            store.save("c", "k", b"", expect=version, author="ada")
        store.save("c", "l", b"", expect=0, author="ada")
        assert [store.trim("c", "k", keep) for keep in (5, 2, 2, 1)] == [0, 3, 0, 1]
        assert [each.version for each in store.history("c", "k")] == [5]
        assert store.trim("c", "absent", 1) == 0
        with pytest.raises(InvalidDocumentError):
            store.trim("c", "k", 0)
        store.save("c", "k", b"", expect=5, author="ada")
        assert [change.metadata.key for change in store.changes(0)] == ["k", "l", "k"]

    def test_what_is_forgotten_was_never_there(self, store: DocumentStore, other: DocumentStore) -> None:
        """With its history, unless somebody saved another version."""
        for version in range(3):
            store.save("c", "k", b"", expect=version, author="ada")
        assert [store.forget("c", key, version=version) for key, version in (("k", 2), ("absent", 0))] == [False, False]
        assert store.forget("c", "k", version=3)
        assert (other.get("c", "k"), [*other.history("c", "k")], other.collections()) == (None, [], [])
        assert other.save("c", "k", b"", expect=0, author="ada").version == 1

    def test_changes_are_the_commits_after_a_number(self, store: DocumentStore) -> None:
        """In order, over all collections."""
        saved = [store.save(f"c{number % 2}", "k", b"", expect=number // 2, author="ada") for number in range(6)]
        numbers = [each.sequence for each in saved]
        assert numbers == sorted(set(numbers))
        assert list(store.changes(0)) == [Change(each.sequence, each) for each in saved]
        assert [change.sequence for change in store.changes(numbers[2])] == numbers[3:]
        assert [change.sequence for change in store.changes(numbers[0], limit=2)] == numbers[1:3]
        assert list(store.changes(store.sequence())) == []

    def test_a_watch_hears_of_each_commit_once_and_in_order(self, store: DocumentStore, other: DocumentStore) -> None:
        """Of those since a number, those by others, and its own."""
        store.save("c", "k", b"", expect=0, author="ada")
        heard: list[Change] = []
        with store.watch(0, heard.append) as watch:
            for version in range(1, 20):
                (store if version % 2 else other).save("c", "k", b"", expect=version, author="ada")
            assert watch.reach(other.sequence(), PATIENCE)
            assert heard == list(store.changes(0))
            assert watch.trouble is None
            assert watch.age() < PATIENCE
        other.save("c", "k", b"", expect=20, author="ada")
        assert len(heard) == 20

    def test_a_watch_goes_on_after_its_callback_failed(self, store: DocumentStore) -> None:
        """The next commit is heard of."""
        heard = []

        def fail(change: Change) -> None:
            heard.append(change.metadata.version)
            raise ValueError("a callback of the test fails")

        with store.watch(0, fail) as watch:
            for version in range(3):
                store.save("c", "k", b"", expect=version, author="ada")
            assert watch.reach(store.sequence(), PATIENCE)
        assert heard == [1, 2, 3]

    def test_a_watch_can_be_closed_by_its_callback(self, store: DocumentStore) -> None:
        """Which is not called again."""
        heard: list[int] = []
        is_closed = threading.Event()

        def close(change: Change) -> None:
            assert begun.wait(PATIENCE)
            heard.append(change.metadata.version)
            watch.close()
            is_closed.set()

        for version in range(3):
            store.save("c", "k", b"", expect=version, author="ada")
        begun = threading.Event()
        watch = store.watch(0, close)
        begun.set()
        assert is_closed.wait(PATIENCE)
        watch.close()
        assert heard == [1]

    def test_an_older_fence_is_refused(self, store: DocumentStore, other: DocumentStore) -> None:
        """As soon as a newer one was given out, whoever gave it."""
        old = store.next_fence("leaders")
        store.save("c", "k", b"", expect=0, author="ada", fence=old)
        new = other.next_fence("leaders")
        assert (new > old, new.name) == (True, "leaders")
        with pytest.raises(FenceError, match="leaders") as caught:
            store.save("c", "k", b"", expect=1, author="ada", fence=old)
        assert (caught.value.name, caught.value.fence, caught.value.newest) == ("leaders", old, new)
        store.save("c", "k", b"", expect=1, author="ada", fence=new)
        store.save("c", "k", b"", expect=2, author="ada")
        assert [each.version for each in store.history("c", "k")] == [3, 2, 1]

    def test_fences_of_different_leaderships_do_not_mix(self, store: DocumentStore) -> None:
        """And a fence is above what its taker has seen elsewhere, also when it comes by a save."""
        assert store.next_fence("a", above=40) == 41
        assert store.next_fence("b") == 1
        store.save("c", "k", b"", expect=0, author="ada", fence=Fence(1, "b"))
        store.save("c", "k", b"", expect=1, author="ada", fence=Fence(7, "b"))
        with pytest.raises(FenceError):
            store.save("c", "k", b"", expect=2, author="ada", fence=Fence(6, "b"))
        store.save("c", "k", b"", expect=2, author="ada", fence=1)
        assert (store.next_fence("b"), store.next_fence("c")) == (8, 2)
        assert [store.fence(name) for name in ("a", "b", "c", "d")] == [41, 8, 2, 0]
        with pytest.raises(FenceError, match="not led yet"):
            store.save("c", "k", b"", expect=3, author="ada", fence=Fence(0, "d"))

    def test_one_of_many_threads_wins_each_version(self, store: DocumentStore) -> None:
        """All others get a conflict, and no number is missing."""

        def race(writer: int) -> list[int]:
            won = []
            for version in range(5):
                try:
                    store.save("c", "k", b"%d" % writer, expect=version, author=f"w{writer}")
                    won.append(version)
                except Conflict as conflict:
                    assert conflict.expected >= version  # noqa: PT017  # more is said by the sum of all
            return won

        won = sorted(version for each in together(8, race) for version in each)
        versions = [each.version for each in store.history("c", "k")]
        assert won == list(range(len(won)))
        assert versions == list(range(len(won), 0, -1))
        assert store.check() == []

    def test_an_iterator_shows_the_moment_when_it_began(self, store: DocumentStore, other: DocumentStore) -> None:
        """Saves go on meanwhile, and are not held up."""
        for number in range(50):
            store.save("c", f"k{number:03}", b"1", expect=0, author="ada")
        reading = store.documents("c")
        begun = list(islice(reading, 5))
        other.save("c", "k049", b"2", expect=1, author="ada")
        other.save("c", "k050", b"1", expect=0, author="ada")
        assert [document.payload for document in [*begun, *reading]] == [b"1"] * 50
        assert (found := store.get("c", "k049")) is not None
        assert found.payload == b"2"

    def test_a_dump_restores_every_version(self, store: DocumentStore) -> None:
        """Twice is as good as once; what differs is a conflict."""
        for version in range(3):
            store.save("c", "k", b"%d" % version, expect=version, author="ada", comment="why", time=float(version))
        store.save("d", "k", None, expect=0, author="bob")
        store.trim("c", "k", 2)
        dumped = list(store.dump())
        assert [(each.metadata.version, each.payload) for each in dumped] == [(2, b"1"), (3, b"2"), (1, None)]
        assert store.restore(dumped) == 0
        moved = [Document(_moved(each.metadata, f"new {each.metadata.collection}"), each.payload) for each in dumped]
        assert store.restore(moved) == 3
        assert [each.version for each in store.history("new c", "k")] == [3, 2]
        assert store.check() == []
        with pytest.raises(Conflict):
            store.restore([Document(dumped[0].metadata, b"other")])

    def test_a_closed_store_opens_again(self, store: DocumentStore) -> None:
        """With what was saved."""
        saved = store.save("c", "k", b"1", expect=0, author="ada")
        store.close()
        assert store.get("c", "k") == Document(saved, b"1")

    def test_a_scheme_that_nobody_knows_is_named(self) -> None:
        """With those that are known."""
        with pytest.raises(RaveError, match=r"nosuch.*sqlite"):
            open_store("nosuch://place")


def _moved(metadata: Metadata, collection: str) -> Metadata:
    return Metadata(
        collection, metadata.key, metadata.version, metadata.author, metadata.comment, metadata.time, metadata.empty, 0
    )

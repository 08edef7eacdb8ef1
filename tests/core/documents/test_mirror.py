"""A mirror shows the newest documents, and says how old that is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_core.documents import Change, Document, DocumentStore, Mirror, open_store

PATIENCE = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    """A store with a few documents."""
    with open_store(f"sqlite:///{tmp_path}/documents.sqlite") as store:
        for key in ("b", "a"):
            store.save("c", key, key.encode(), expect=0, author="ada")
        store.save("c", "gone", b"", expect=0, author="ada")
        store.save("c", "gone", None, expect=1, author="ada")
        store.save("other", "a", b"", expect=0, author="ada")
        yield store


def test_a_mirror_shows_what_is_there_at_the_start(store: DocumentStore) -> None:
    """As the store does; collections that are not mirrored are no part of it."""
    with Mirror(store, ["c", "empty"]) as mirror:
        assert mirror.get("c", "a") == store.get("c", "a")
        assert mirror.get("c", "gone") == store.get("c", "gone")
        assert mirror.get("c", "absent") is None
        assert list(mirror.documents("c")) == list(store.documents("c"))
        assert list(mirror.documents("c", deleted=True)) == list(store.documents("c", deleted=True))
        assert list(mirror.documents("empty")) == []
        with pytest.raises(KeyError):
            mirror.get("other", "a")


def test_a_mirror_follows_commits(store: DocumentStore) -> None:
    """New ones, deletions, and a collection that keeps one version."""
    store.declare("c", keep=1)
    with Mirror(store, ["c"]) as mirror:
        for version in range(1, 30):
            saved = store.save("c", "a", b"%d" % version, expect=version, author="ada")
        new = store.save("c", "new", b"", expect=0, author="ada")
        deleted = store.save("c", "b", None, expect=1, author="ada")
        assert mirror.reach(deleted.sequence, PATIENCE)
        assert mirror.get("c", "a") == Document(saved, b"29")
        assert mirror.get("c", "new") == Document(new, b"")
        assert mirror.get("c", "b") == Document(deleted, None)
        assert mirror.trouble is None
        assert mirror.age() < PATIENCE


def test_a_closed_mirror_can_still_be_read(store: DocumentStore) -> None:
    """Its age grows."""
    mirror = Mirror(store, ["c"])
    mirror.close()
    before = mirror.age()
    store.save("c", "a", b"later", expect=1, author="ada")
    assert (found := mirror.get("c", "a")) is not None
    assert found.payload == b"a"
    assert mirror.age() > before


def test_a_mirror_tells_of_what_it_took_over(store: DocumentStore) -> None:
    """Once it shows the commit; of its own collections alone."""
    told: list[tuple[str, int]] = []

    def tell(change: Change) -> None:
        shown = mirror.get("c", change.metadata.key)
        assert shown is not None
        told.append((change.metadata.key, shown.metadata.version))

    with Mirror(store, ["c"], on_change=tell) as mirror:
        store.save("c", "a", b"", expect=1, author="ada")
        store.save("other", "a", b"", expect=1, author="ada")
        last = store.save("c", "new", b"", expect=0, author="ada")
        assert mirror.reach(last.sequence, PATIENCE)
    assert told == [("a", 2), ("new", 1)]

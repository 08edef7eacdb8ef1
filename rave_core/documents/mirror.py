"""A mirror: the newest documents of some collections in memory, kept up to date by a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Self

from rave_core.documents.document import Change, Document
from rave_core.documents.store import DocumentStore


class Mirror:
    """The newest version of each document of some collections, read without asking the store.

    A read takes a microsecond and never fails. It shows what was committed until shortly before: ``age`` says how long
    ago the mirror last had everything. While the store is away, reads go on, ``trouble`` says why, and the age grows.
    Safe for many threads. All payloads are held in memory. A forked child makes its own.

    Example:
        with Mirror(runtime.documents, ["sites"]) as sites:
            document = sites.get("sites", "north")
    """

    def __init__(
        self, store: DocumentStore, collections: Iterable[str], *, on_change: Callable[[Change], object] | None = None
    ) -> None:
        """Reads the collections, and begins to follow them.

        Args:
            store: whose documents.
            collections: their names.
            on_change: called after each commit in them that the mirror took over, by the thread that follows. It
                should be quick; what it raises is logged.

        Raises:
            StoreAwayError: the store can't be reached now.
            InvalidDocumentError: a name can't be one of a collection.
        """
        self._store = store
        self._on_change = on_change
        self._heads: dict[str, dict[str, Document]] = {name: {} for name in collections}
        since = store.sequence()
        for name, heads in self._heads.items():
            heads.update((document.metadata.key, document) for document in store.documents(name, deleted=True))
        self._watch = store.watch(since, self._follow)

    def get(self, collection: str, key: str) -> Document | None:
        """The newest version of a document, as in `DocumentStore.get`; ``None`` if it does not exist.

        Raises:
            KeyError: the collection is not mirrored.
        """
        return self._heads[collection].get(key)

    def documents(self, collection: str, *, deleted: bool = False) -> Iterator[Document]:
        """The newest version of each key, in the order of keys; with ``deleted``, tombstones as well.

        Raises:
            KeyError: the collection is not mirrored.
        """
        heads = self._heads[collection]
        found = (heads.get(key) for key in sorted(heads))
        return (each for each in found if each is not None and (deleted or not each.metadata.empty))

    @property
    def trouble(self) -> str | None:
        """Why the mirror can't follow the store at present; ``None`` while it does."""
        return self._watch.trouble

    def age(self) -> float:
        """Seconds since the mirror last had everything that the store had then.

        It stays below the interval at which the store is read in any case: 0.2 s for SQLite, 30 s for PostgreSQL.
        """
        return self._watch.age()

    def reach(self, sequence: int, seconds: float) -> bool:
        """Waits until the mirror shows the commit ``sequence``, at most ``seconds``; returns whether it does.

        After a save, pass the number of what was saved to see it here.
        """
        return self._watch.reach(sequence, seconds)

    def close(self) -> None:
        """Ends following. Reads go on with what is there."""
        self._watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _follow(self, change: Change) -> None:
        """Takes a new version over.

        Raises:
            StoreAwayError: its payload can't be read now; the watch calls again.
        """
        new = change.metadata
        heads = self._heads.get(new.collection)
        if heads is None:
            return
        held = heads.get(new.key)
        if held is None or held.metadata.sequence < new.sequence:
            document = self._store.get(new.collection, new.key)
            if document is not None:
                heads[new.key] = document
        if self._on_change is not None:
            self._on_change(change)

"""Saved documents: what users keep under names of their own, and may share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rave_core.documents import Document, DocumentStore, Metadata

CALLS: Final = "_calls"
"""The collection of saved calls."""
DASHBOARDS: Final = "_dashboards"
"""The collection of dashboards."""
FROZEN: Final = "_frozen"
"""The collection of dashboards as they were."""
KEPT_VERSIONS: Final = 100
"""Of each dashboard."""


@dataclass(frozen=True, slots=True)
class SavedDocument:
    """A version of a document.

    Attributes:
        owner: the user whose it is.
        name: under which they keep it.
        version: from 1 on; 0 if there never was one.
        payload: its bytes; ``None`` if it does not exist (any more).
        author: who saved this version.
        time: when, in Unix seconds.
    """

    owner: str
    name: str
    version: int = 0
    payload: bytes | None = None
    author: str = ""
    time: float = 0.0


class SavedDocuments:
    """The documents of one kind, of all users. Safe for threads; each method may wait for the store.

    The store's errors pass: `rave_core.errors.StoreAwayError` if it can't be reached, `rave_core.documents.Conflict` if
    another version was saved first.
    """

    def __init__(self, documents: Callable[[], DocumentStore], collection: str, *, keep: int) -> None:
        """Keeps the last ``keep`` versions of each document in ``collection`` of what ``documents`` gives."""
        self._documents = documents
        self._collection = collection
        self._keep = keep
        self._is_declared = False

    def get(self, owner: str, name: str, version: int | None = None) -> SavedDocument:
        """A version of a document, the newest by default; without payload if it does not exist (any more)."""
        found = self._documents().get(self._collection, _key(owner, name), version)
        return SavedDocument(owner, name) if found is None else _saved(found.metadata, found)

    def all(self) -> list[SavedDocument]:
        """The newest version of every document, in the order of owners and names."""
        return [_saved(found.metadata, found) for found in self._documents().documents(self._collection)]

    def versions(self, owner: str, name: str) -> list[Metadata]:
        """The versions of a document that are kept, newest first."""
        return list(self._documents().history(self._collection, _key(owner, name)))

    def save(self, owner: str, name: str, payload: bytes | None, *, expect: int, author: str) -> SavedDocument:
        """Saves version ``expect + 1`` by ``author``; ``None`` as payload removes the document.

        Raises:
            Conflict: ``expect`` is not the newest version.
        """
        store = self._documents()
        if not self._is_declared:
            store.declare(self._collection, keep=self._keep)
            self._is_declared = True
        metadata = store.save(self._collection, _key(owner, name), payload, expect=expect, author=author)
        return SavedDocument(owner, name, metadata.version, payload, author, metadata.time)


def _key(owner: str, name: str) -> str:
    return f"{owner}/{name}"


def _saved(metadata: Metadata, found: Document) -> SavedDocument:
    owner, _, name = metadata.key.rpartition("/")
    return SavedDocument(owner, name, metadata.version, found.payload, metadata.author, metadata.time)

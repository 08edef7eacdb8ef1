"""The guest book: who was here, and what they wrote, kept as documents."""

from __future__ import annotations

from dataclasses import dataclass

from rave_core.documents import DocumentStore

COLLECTION = "guestbook"


@dataclass(frozen=True)
class Entry:
    """What a guest wrote.

    Attributes:
        guest: their name; each guest has one entry.
        text: what they wrote.
        version: counts from 1, and grows with each change.
    """

    guest: str
    text: str
    version: int


class GuestBook:
    """The entries in a document store, which all workers and hosts share. Safe for threads.

    Every method raises `rave_core.errors.StoreAwayError` if the store can't be reached.
    """

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    def entry(self, guest: str) -> Entry | None:
        """The entry of a guest; ``None`` if there is none."""
        found = self._documents.get(COLLECTION, guest)
        if found is None or found.payload is None:  # never written, or removed
            return None
        return Entry(guest, found.payload.decode(), found.metadata.version)

    def entries(self) -> list[Entry]:
        """All entries, in the order of names."""
        found = self._documents.documents(COLLECTION)
        return [Entry(each.metadata.key, (each.payload or b"").decode(), each.metadata.version) for each in found]

    def write(self, guest: str, text: str | None, *, seen: int, author: str) -> int:
        """Writes an entry, or removes it if ``text`` is ``None``; returns its version.

        Args:
            guest: whose entry it is.
            text: what it says from now on.
            seen: the version that the author has read; 0 for a new entry.
            author: who writes.

        Raises:
            Conflict: somebody wrote another version meanwhile.
            InvalidDocumentError: the name is empty or too long.
        """
        payload = None if text is None else text.encode()
        return self._documents.save(COLLECTION, guest, payload, expect=seen, author=author).version

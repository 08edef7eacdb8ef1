"""The nouns of a document store: a document, what is known of it, a change, and a fence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Metadata:
    """One version of a document, without its payload.

    Attributes:
        collection, key: the document.
        version: counts from 1 for each key. Versions that were trimmed leave a gap at the beginning, never elsewhere.
        author: who saved it.
        comment: why; may be empty.
        time: when, in Unix seconds: as given, or by the clock of the process that saved it. It may jump.
        empty: whether it is a tombstone: the document was deleted.
        sequence: the number of the commit, which grows with each commit in the store, whatever the collection.
    """

    collection: str
    key: str
    version: int
    author: str
    comment: str
    time: float
    empty: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document.

    Attributes:
        metadata: what is known of it.
        payload: its bytes, as they were saved; ``None`` for a tombstone.
    """

    metadata: Metadata
    payload: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One commit.

    Attributes:
        sequence: its number; no later commit ever has a smaller one.
        metadata: the version that was saved.
    """

    sequence: int
    metadata: Metadata


class Fence(int):
    """A number that grows with each process that leads, with the name of the leadership that it belongs to.

    A store that has seen a fence refuses older ones of that name.
    """

    name: str

    def __new__(cls, number: int, name: str) -> Fence:
        """The fence ``number`` of the leadership ``name``."""
        made = super().__new__(cls, number)
        made.name = name
        return made

    def __getnewargs__(self) -> tuple[int, str]:  # type: ignore[override]  # an int has the number alone
        return int(self), self.name

    def __repr__(self) -> str:
        return f"Fence({int(self)}, {self.name!r})"

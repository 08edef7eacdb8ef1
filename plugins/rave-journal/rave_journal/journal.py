"""A journal: the commits of one collection of a document store, by key and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rave_core.documents import Conflict, DocumentStore
from rave_core.errors import InvalidDocumentError
from rave_journal.commits import Commit, signed
from rave_journal.validation import Check

LONGEST_KEY: Final = 255
LAST_VERSION: Final = 2**31 - 1
_RESERVED: Final = frozenset({"meta", ".", ".."})


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit that somebody wants to make.

    Attributes:
        key: of the document.
        version: that it shall become.
        payload: its bytes; ``None`` for a tombstone.
        author: who they say they are.
        principal: who they are; ``None`` if nobody authenticated them.
        comment: why.
        time: when, in Unix seconds; ``None`` for now.
    """

    key: str
    version: int
    payload: bytes | None = field(repr=False)
    author: str
    principal: str | None = None
    comment: str = ""
    time: float | None = None


class Journal:
    """The commits of one journal. Safe for threads.

    Every method raises `rave_core.errors.StoreAwayError` if the store can't be reached.
    """

    def __init__(self, name: str, store: Callable[[], DocumentStore], checks: Sequence[Check] = ()) -> None:
        """Makes it.

        Args:
            name: of the journal.
            store: gives the document store, when it is first needed.
            checks: refuse payloads of new commits.
        """
        self.name = name
        self._checks = checks
        self.collection = collection_of(name)
        self._store = store

    def get(self, key: str, version: int | None = None) -> Commit | None:
        """A commit with its payload, the newest one by default; ``None`` if there is none."""
        if not is_key(key) or (version is not None and not 1 <= version <= LAST_VERSION):
            return None
        found = self._store().get(self.collection, key, version)
        return None if found is None else Commit.of(found.metadata, found.payload)

    def heads(self, *, deleted: bool = False) -> Iterator[Commit]:
        """The newest commit of each key with its payload, in the order of keys; with ``deleted``, tombstones too."""
        for found in self._store().documents(self.collection, deleted=deleted):
            yield Commit.of(found.metadata, found.payload)

    def history(self, key: str) -> list[Commit]:
        """The commits of a key that are kept, newest first, without payloads."""
        return [Commit.of(known) for known in self._store().history(self.collection, key)] if is_key(key) else []

    def commit(self, draft: Draft) -> Commit:
        """Makes a commit; returns it without its payload.

        Raises:
            Conflict: its version is not the next one, also if another one was made at the same moment.
            InvalidDocumentError: its key, author or comment can't be kept, or its payload is too large.
            MalformedPayloadError: the payload is not what the journal takes.
        """
        check_key(draft.key)
        if draft.payload is not None:
            for check in self._checks:
                check(draft.payload)
        author = draft.author if draft.principal is None else signed(draft.principal, draft.author)
        if not 1 <= draft.version <= LAST_VERSION:
            raise self.conflict(draft)
        saved = self._store().save(
            self.collection,
            draft.key,
            draft.payload,
            expect=draft.version - 1,
            author=author,
            comment=draft.comment,
            time=draft.time,
        )
        return Commit.of(saved)

    def conflict(self, draft: Draft) -> Conflict:
        """What refuses a draft whose version is not the next one."""
        head = self._store().get(self.collection, draft.key)
        newest = 0 if head is None else head.metadata.version
        return Conflict(self.collection, draft.key, newest, draft.version - 1)


def collection_of(journal: str) -> str:
    """The collection that holds the commits of a journal, which is also the namespace of its permissions."""
    return f"journal:{journal}"


def is_key(key: str) -> bool:
    """Whether a document can have this key."""
    return key.isprintable() and "/" not in key and key not in _RESERVED and 0 < len(key.encode()) <= LONGEST_KEY


def check_key(key: str) -> None:
    """Returns if a document can have this key.

    Raises:
        InvalidDocumentError: it can't.
    """
    if not is_key(key):
        raise InvalidDocumentError(
            f"Invalid key {key[:40]!r}: expected 1 to {LONGEST_KEY} bytes of printable text without '/', and not 'meta'"
        )

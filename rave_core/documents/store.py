"""What a document store is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Self, TypeAlias

from rave_core.clock import Clock
from rave_core.documents.document import Change, Document, Fence, Metadata
from rave_core.documents.watch import Watch


class DocumentStore(ABC):
    """Keeps documents: bytes under a key in a collection, in versions that count from 1.

    Safe for many threads and processes; a forked child may go on with it. Iterators read while you iterate, and show
    the store as it is when they start. Names of collections and keys are texts of 1 to 512 bytes of UTF-8, without NUL.

    Every method raises `rave_core.errors.StoreAwayError` if the store can't be reached, and
    `rave_core.errors.InvalidDocumentError` for a name that can't be one.

    Attributes:
        url: where the documents are, without a password, for messages.
        max_payload: the largest payload in bytes.
        on_commit: called with each version that this object saved, once it is committed, by the thread that saved it.
            A runtime sets it, to publish the event ``document.committed``. It never raises.
    """

    url: str
    max_payload: int
    on_commit: Callable[[Metadata], object] | None = None

    # Reading

    @abstractmethod
    def get(self, collection: str, key: str, version: int | None = None) -> Document | None:
        """A version of a document, the newest one by default; ``None`` if it does not exist, or was trimmed.

        A document that was deleted is a tombstone: its payload is ``None``.
        """

    @abstractmethod
    def heads(self, collection: str, *, deleted: bool = False) -> Iterator[Metadata]:
        """The newest version of each key, in the order of keys; with ``deleted``, tombstones as well."""

    @abstractmethod
    def documents(self, collection: str, *, deleted: bool = False) -> Iterator[Document]:
        """As ``heads``, with payloads."""

    @abstractmethod
    def history(self, collection: str, key: str) -> Iterator[Metadata]:
        """The versions of a document that are kept, newest first."""

    @abstractmethod
    def collections(self) -> list[str]:
        """The names of the collections that have a document, or a tombstone, in order."""

    @abstractmethod
    def declared(self) -> dict[str, int]:
        """How many versions of each document a collection keeps, by name, of those that do not keep all."""

    # Writing

    @abstractmethod
    def save(
        self,
        collection: str,
        key: str,
        payload: bytes | None,
        *,
        expect: int,
        author: str,
        comment: str = "",
        time: float | None = None,
        fence: int | None = None,
    ) -> Metadata:
        """Saves version ``expect + 1`` of a document in one transaction, and returns what was saved.

        When it returns, the version is on disk, and everybody sees it.

        Args:
            collection: where the document belongs.
            key: its name there.
            payload: its bytes; ``None`` deletes it: a tombstone is a version like any other.
            expect: the version on which this one is based, 0 for a new document.
            author: who saves it.
            comment: why.
            time: when, in Unix seconds; now by default.
            fence: of the leadership under which it is saved, such as `Leadership.fence`. A plain number counts as a
                fence of the leadership named like the collection.

        Raises:
            Conflict: another version is the newest one, also if that was saved at the same moment.
            FenceError: a newer fence was given out.
            InvalidDocumentError: the payload is over the limit, or a text can't be kept.
        """

    @abstractmethod
    def declare(self, collection: str, *, keep: int | None) -> None:
        """Sets how many versions of each document a collection keeps: ``None`` for all, which is the default.

        With ``keep=1`` a save replaces the version before. The number is kept in the store and applies to all
        processes, from the next save of each document on. Versions count on.

        Raises:
            InvalidDocumentError: ``keep`` is less than 1.
        """

    @abstractmethod
    def trim(self, collection: str, key: str, keep: int) -> int:
        """Removes all versions of a document but the newest ``keep``; returns how many it removed.

        Raises:
            InvalidDocumentError: ``keep`` is less than 1.
        """

    @abstractmethod
    def forget(self, collection: str, key: str, *, version: int) -> bool:
        """Removes a document with its whole history if ``version`` is its newest one; returns whether it was.

        A later save begins with version 1. Watches and mirrors do not hear of it: save a tombstone first where they
        have to. It is for what has ended for good under a key that is never used again, such as a token.
        """

    @abstractmethod
    def next_fence(self, name: str, *, above: int = 0) -> Fence:
        """A new fence of the leadership ``name``, larger than any that was given out here and than ``above``.

        From now on, saves with older ones of that name are refused.
        """

    @abstractmethod
    def fence(self, name: str) -> int:
        """The newest fence of the leadership ``name``; 0 if there was none."""

    # Following

    @abstractmethod
    def sequence(self) -> int:
        """The number of the latest commit, 0 if there was none."""

    @abstractmethod
    def changes(self, since: int, *, limit: int | None = None) -> Iterator[Change]:
        """The commits after number ``since``, in order, those whose versions are still kept; at most ``limit``.

        Commits become visible in the order of their numbers: once you have seen one, there will be none below it.
        """

    @abstractmethod
    def watch(self, since: int, callback: Callable[[Change], object]) -> Watch:
        """Calls ``callback`` for each commit after number ``since``, in order, soon after it, until closed.

        See `Watch` for what happens when the callback or the store fails.
        """

    def tell(self, saved: Metadata) -> None:
        """Calls ``on_commit``; an implementation does so after each commit of ``save``."""
        if self.on_commit is not None:
            self.on_commit(saved)

    # Keeping

    @abstractmethod
    def dump(self) -> Iterator[Document]:
        """Every version that is kept, in the order of commits: a backup of one moment, while others go on saving."""

    @abstractmethod
    def restore(self, documents: Iterable[Document]) -> int:
        """Saves versions as ``dump`` gave them, with their numbers and times; returns how many were new.

        Commits get new numbers. A version that is there already, and equal, is left alone. What was read before an
        error is kept or absent version by version; run it again to go on.

        Raises:
            Conflict: a version is there with other contents, or below the newest one.
        """

    @abstractmethod
    def check(self) -> list[str]:
        """What is wrong with what is stored, in words; empty if all is well. It may read everything."""

    @abstractmethod
    def close(self) -> None:
        """Ends watches and closes connections. A later call opens them again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


DocumentFactory: TypeAlias = Callable[[str, Clock], DocumentStore]
"""Opens a store from its URL, with the clock that times of documents come from.

It connects, and raises `rave_core.errors.ConfigurationError` for a wrong URL.
"""

"""The journals of a service: their heads are read from memory, which follows every commit on any host."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rave_core.documents import DocumentStore, Metadata, Mirror
from rave_core.errors import StoreAwayError
from rave_journal.commits import Commit
from rave_journal.heard import Heard
from rave_journal.journal import Draft, Journal

_PATIENCE: Final = 1.0
"""Seconds for which a commit waits to be seen here; its answer does not depend on it."""


class MirroredJournals:
    """Some journals with a mirror of all their heads, opened when it is first needed. Safe for threads."""

    def __init__(self, journals: Iterable[Journal], store: Callable[[], DocumentStore]) -> None:
        """Some journals of one document store, which ``store`` gives when it is first needed."""
        self._store = store
        self._journals = {journal.name: journal for journal in journals}
        self._mirror: Mirror | None = None
        self._opening = threading.Lock()
        self._heard = Heard()

    def find(self, name: str) -> Journal | None:
        """The journal of a name; ``None`` if there is none."""
        return self._journals.get(name)

    def seen(self, journal: Journal, key: str) -> Commit | None:
        """The newest commit of a key, from memory, without waiting; ``None`` if memory does not have it."""
        if self._mirror is None:
            return None
        found = self._mirror.get(journal.collection, key)
        return None if found is None else Commit.of(found.metadata, found.payload)

    def head(self, journal: Journal, key: str) -> tuple[Commit | None, bool]:
        """The newest commit of a key, and whether it comes from memory; a key that is unknown there may be new.

        Raises:
            StoreAwayError: the store can't be reached, and memory does not have it.
        """
        self.mirror()
        found = self.seen(journal, key)
        return (found, True) if found is not None else (journal.get(key), False)

    def heads(self, journal: Journal, *, deleted: bool) -> Iterator[Commit]:
        """The newest commit of each key, in the order of keys, from memory; with ``deleted``, tombstones too.

        It waits until memory has what the store had at the call, unless the store can't be reached.

        Raises:
            StoreAwayError: the store can't be reached, and was not before.
        """
        mirror = self.mirror()
        with suppress(StoreAwayError):
            mirror.reach(self._store().sequence(), _PATIENCE)
        for found in mirror.documents(journal.collection, deleted=deleted):
            yield Commit.of(found.metadata, found.payload)

    def commit(self, journal: Journal, draft: Draft) -> Commit:
        """Makes a commit, which reads of this process then show; errors as those of `Journal.commit`."""
        seen = self.seen(journal, draft.key)
        if seen is not None and seen.version >= draft.version:  # the store need not be locked to know that
            raise journal.conflict(draft)
        saved = journal.commit(draft)
        if self._mirror is not None:
            self._mirror.reach(saved.sequence, _PATIENCE)
        return saved

    def sequence(self) -> int:
        """The number of the latest commit in the store.

        Raises:
            StoreAwayError: the store can't be reached.
        """
        self.mirror()
        return self._store().sequence()

    def commits(self, journal: Journal, since: int, most: int) -> list[tuple[int, Commit | None]]:
        """The commits after a number, at most ``most``, each with its own; ``None`` for those of other collections.

        Raises:
            StoreAwayError: the store can't be reached.
        """
        changes = self._store().changes(since, limit=most)
        return [(each.sequence, _of(journal, each.metadata)) for each in changes]

    @contextmanager
    def news(self) -> Iterator[asyncio.Event]:
        """An event that is set in the current loop soon after each commit."""
        with self._heard.listening() as event:
            yield event

    def delay(self) -> float:
        """Seconds by which memory may be late since it can't follow the store; 0 while it can."""
        mirror = self._mirror
        return 0.0 if mirror is None or mirror.trouble is None else mirror.age()

    def mirror(self) -> Mirror:
        """The mirror.

        Raises:
            StoreAwayError: the store can't be reached, and was not before.
        """
        if self._mirror is None:
            with self._opening:
                if self._mirror is None:
                    names = [each.collection for each in self._journals.values()]
                    self._mirror = Mirror(self._store(), names, on_change=self._heard.tell)
        return self._mirror

    def close(self) -> None:
        """Ends the mirror."""
        with self._opening:
            if self._mirror is not None:
                self._mirror.close()
                self._mirror = None


def _of(journal: Journal, known: Metadata) -> Commit | None:
    return Commit.of(known) if known.collection == journal.collection else None

"""The document store over a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

import sqlalchemy as sql

from rave_backends.documents import statements
from rave_backends.documents.checks import problems_in
from rave_backends.documents.database import Database, TakenError
from rave_backends.documents.names import (
    LONGEST_COMMENT,
    MOST_VERSIONS,
    check_name,
    check_number,
    check_payload,
    check_text,
    check_time,
)
from rave_backends.documents.tables import COLLECTIONS, FENCES
from rave_core.clock import Clock
from rave_core.documents import Change, Document, DocumentStore, Fence, Metadata, Watch
from rave_core.documents.watch import Watches
from rave_core.errors import Conflict, FenceError

_AT_ONCE: Final = 100
_MOST: Final = 2**63 - 2


class SqlDocumentStore(DocumentStore):
    """Documents in a database."""

    def __init__(self, database: Database, *, max_payload: int, clock: Clock) -> None:
        """Makes or migrates the tables.

        Raises:
            StoreAwayError: the database can't be reached.
            LaterSchemaError: a later version of RAVE made its tables.
        """
        self.url = database.shown
        self.max_payload = max_payload
        self._database = database
        self._clock = clock
        self._watches = Watches()
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise

    def get(self, collection: str, key: str, version: int | None = None) -> Document | None:
        """A version of a document, the newest one by default; ``None`` if there is none."""
        asked = self._named(collection, key)
        if version is not None and not 0 < version <= MOST_VERSIONS:
            return None
        statement = statements.HEAD if version is None else statements.ONE
        if version is not None:
            asked["version"] = version
        row = self._database.read(lambda connection: connection.execute(statement, asked).one_or_none())
        return None if row is None else _document(row)

    def heads(self, collection: str, *, deleted: bool = False) -> Iterator[Metadata]:
        """The newest version of each key, in the order of keys."""
        check_name("collection", collection)
        statement = self._database.heads(*statements.METADATA, deleted=deleted)
        return map(_metadata, self._database.stream(statement, {"collection": collection}))

    def documents(self, collection: str, *, deleted: bool = False) -> Iterator[Document]:
        """As ``heads``, with payloads."""
        check_name("collection", collection)
        statement = self._database.heads(*statements.METADATA, statements.PAYLOAD, deleted=deleted)
        return map(_document, self._database.stream(statement, {"collection": collection}))

    def history(self, collection: str, key: str) -> Iterator[Metadata]:
        """The versions of a document that are kept, newest first."""
        return map(_metadata, self._database.stream(statements.HISTORY, self._named(collection, key)))

    def collections(self) -> list[str]:
        """The names of the collections."""
        return self._database.read(lambda connection: list(connection.execute(statements.NAMES).scalars()))

    def declared(self) -> dict[str, int]:
        """How many versions are kept by the collections that do not keep all."""
        rows = self._database.read(lambda connection: connection.execute(statements.DECLARED).all())
        return {row[0]: row[1] for row in rows}

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
        """Saves version ``expect + 1`` of a document in one transaction, and returns what was saved."""
        self._named(collection, key)
        check_name("author", author)
        check_text("comment", comment, LONGEST_COMMENT)
        check_payload(collection, key, payload, self.max_payload)
        check_number("expect", expect, 0, MOST_VERSIONS - 1)
        moment = float(self._clock.now() if time is None else time)
        check_time(moment)
        wanted = Metadata(collection, key, expect + 1, author, comment, moment, payload is None, 0)
        if fence is not None:
            check_number("fence", int(fence), 0, _MOST)
            fence = fence if isinstance(fence, Fence) else Fence(fence, collection)
        return self._save(wanted, None if payload is None else bytes(payload), fence)

    def _save(self, wanted: Metadata, payload: bytes | None, fence: Fence | None) -> Metadata:
        values = statements.inserted(wanted, payload, expect=wanted.version - 1)
        try:
            if fence is None:
                sequence = self._database.save(values)
            else:
                sequence = self._database.write(partial(self._save_fenced, values, fence))
        except TakenError:
            raise self._conflict(wanted) from None
        saved = replace(wanted, sequence=sequence)
        self._watches.wake()
        self.tell(saved)
        return saved

    def _save_fenced(self, values: dict[str, object], fence: Fence, connection: sql.Connection) -> int:
        connection.execute(statements.LOCK)
        _pass(connection, fence)
        return self._database.add(values, connection)

    def _conflict(self, wanted: Metadata) -> Conflict:
        named = {"collection": wanted.collection, "key": wanted.key}
        newest = self._database.read(lambda connection: connection.execute(statements.NEWEST, named).scalar_one())
        return Conflict(wanted.collection, wanted.key, newest, wanted.version - 1)

    def declare(self, collection: str, *, keep: int | None) -> None:
        """Sets how many versions of each document a collection keeps."""
        check_name("collection", collection)
        if keep is not None:
            check_number("keep", keep, 1)

        def act(connection: sql.Connection) -> None:
            connection.execute(statements.LOCK)
            connection.execute(sql.delete(COLLECTIONS).where(COLLECTIONS.c.name == collection))
            if keep is not None:
                connection.execute(sql.insert(COLLECTIONS).values(name=collection, keep=keep))

        if self.declared().get(collection) != keep:
            self._database.write(act)

    def trim(self, collection: str, key: str, keep: int) -> int:
        """Removes all versions of a document but the newest ``keep``."""
        named = self._named(collection, key)
        check_number("keep", keep, 1)

        def act(connection: sql.Connection) -> int:
            newest: int = connection.execute(statements.NEWEST, named).scalar_one()
            if newest <= keep:
                return 0
            return connection.execute(statements.TRIM, {**named, "last": newest - keep}).rowcount

        return self._database.write(act)

    def forget(self, collection: str, key: str, *, version: int) -> bool:
        """Removes a document with its whole history if ``version`` is its newest one."""
        named = self._named(collection, key)

        def act(connection: sql.Connection) -> bool:
            connection.execute(statements.LOCK)
            newest: int = connection.execute(statements.NEWEST, named).scalar_one()
            if newest != version or newest == 0:
                return False
            connection.execute(statements.TRIM, {**named, "last": newest})
            return True

        return self._database.write(act)

    def next_fence(self, name: str, *, above: int = 0) -> Fence:
        """A new fence of the leadership ``name``."""
        check_name("name of a leadership", name)
        check_number("above", int(above), 0, _MOST)

        def act(connection: sql.Connection) -> Fence:
            connection.execute(statements.LOCK)
            newest = connection.execute(statements.FENCE, {"leadership": name}).scalar_one_or_none() or 0
            fence = Fence(max(newest, above) + 1, name)
            _raise_to(connection, fence)
            return fence

        return self._database.write(act)

    def fence(self, name: str) -> int:
        """The newest fence of the leadership ``name``; 0 if there was none."""
        check_name("name of a leadership", name)
        asked = {"leadership": name}
        found = self._database.read(lambda connection: connection.execute(statements.FENCE, asked).scalar_one_or_none())
        return int(found or 0)

    def sequence(self) -> int:
        """The number of the latest commit, 0 if there was none."""
        return int(self._database.read(lambda connection: connection.execute(statements.LATEST).scalar_one()))

    def changes(self, since: int, *, limit: int | None = None) -> Iterator[Change]:
        """The commits after number ``since``, in order, at most ``limit``."""
        check_number("since", since, 0, _MOST)
        statement, asked = statements.changes(limit), dict[str, object](since=since)
        if limit is None:
            return map(_change, self._database.stream(statement, asked))
        return map(_change, self._database.read(lambda connection: connection.execute(statement, asked).all()))

    def watch(self, since: int, callback: Callable[[Change], object]) -> Watch:
        """Calls ``callback`` for each commit after number ``since``, in order, soon after it."""
        check_number("since", since, 0, _MOST)
        watch = Watch(
            since,
            callback,
            read=lambda after, most: self.changes(after, limit=most),
            news=self._database.news(),
            clock=self._clock,
            name=self.url,
        )
        return self._watches.add(watch)

    def dump(self) -> Iterator[Document]:
        """Every version that is kept, in the order of commits."""
        return map(_document, self._database.stream(statements.EVERY, {}))

    def restore(self, documents: Iterable[Document]) -> int:
        """Saves versions as ``dump`` gave them, with their numbers and times."""
        added, rest = 0, iter(documents)
        while some := list(islice(rest, _AT_ONCE)):
            for each in some:
                self._named(each.metadata.collection, each.metadata.key)
                check_payload(each.metadata.collection, each.metadata.key, each.payload, self.max_payload)
            added += self._database.write(partial(self._put_all, some))
            self._watches.wake()
        return added

    def _put_all(self, documents: list[Document], connection: sql.Connection) -> int:
        return sum([self._put(connection, each) for each in documents])

    def _put(self, connection: sql.Connection, document: Document) -> bool:
        """Restores one version, unless it is there; returns whether it was new."""
        wanted = document.metadata
        sequence, _ = connection.execute(statements.ADVANCE, {"in_collection": wanted.collection}).one()
        named = {"collection": wanted.collection, "key": wanted.key}
        newest: int = connection.execute(statements.NEWEST, named).scalar_one()
        if wanted.version > newest:
            values = statements.inserted(wanted, document.payload, expect=newest)
            self._database.put(connection, values | {"new_sequence": sequence})
            return True
        row = connection.execute(statements.ONE, {**named, "version": wanted.version}).one_or_none()
        if row is None or replace(_document(row), metadata=replace(_metadata(row), sequence=0)) != replace(
            document, metadata=replace(wanted, sequence=0)
        ):
            raise Conflict(wanted.collection, wanted.key, newest, wanted.version - 1)
        return False

    def check(self) -> list[str]:
        """What is wrong with what is stored, in words."""
        return self._database.look_through(problems_in)

    def close(self) -> None:
        """Ends watches and closes connections."""
        self._watches.close()
        self._database.close()

    def _named(self, collection: str, key: str) -> dict[str, Any]:
        check_name("collection", collection)
        check_name("key", key)
        return {"collection": collection, "key": key}


def _pass(connection: sql.Connection, fence: Fence) -> None:
    """Lets the newest fence through, and remembers it.

    Raises:
        FenceError: there is a newer one.
    """
    newest = connection.execute(statements.FENCE, {"leadership": fence.name}).scalar_one_or_none() or 0
    if newest > fence or fence < 1:
        raise FenceError(fence.name, int(fence), newest)
    if newest < fence:
        _raise_to(connection, fence)


def _raise_to(connection: sql.Connection, fence: Fence) -> None:
    """Stores a fence. The lock of the store is held."""
    values = {"leadership": fence.name, "number": int(fence)}
    if not connection.execute(statements.RAISE_FENCE, values).rowcount:
        connection.execute(sql.insert(FENCES).values(name=fence.name, fence=int(fence)))


def _metadata(row: sql.Row[Any]) -> Metadata:
    collection, key, version, author, comment, time, empty, sequence = tuple(row)[:8]
    return Metadata(collection, key, version, author, comment, time, bool(empty), sequence)


def _document(row: sql.Row[Any]) -> Document:
    payload = row[-1]
    return Document(_metadata(row), None if payload is None else bytes(payload))


def _change(row: sql.Row[Any]) -> Change:
    metadata = _metadata(row)
    return Change(metadata.sequence, metadata)

"""The database of a document store: connections, transactions, and its errors in words of ours."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import sqlalchemy as sql
from sqlalchemy import exc

from rave_backends.documents import tables
from rave_core.documents import News
from rave_core.errors import StoreAwayError
from rave_core.text.secrets import without_secrets

T = TypeVar("T")
_ANYTHING: Final = sql.select(tables.STATE.c.schema)
_ROWS: Final = 500
_FEW_ROWS: Final = 10
"""How many rows with payloads are in memory at once."""


class Database(ABC):
    """A database, reached by pools of connections. Safe for threads; a forked child makes its own connections.

    Readers and writers have a pool each, since their transactions begin and end differently.

    Attributes:
        shown: its URL without a password, for messages.
    """

    remedy = "check that it is there and that 'documents' names it rightly"
    """What to do when it can't be reached; ends a message."""

    def __init__(self, url: sql.URL) -> None:
        """Does not connect yet."""
        self.url = url
        self.shown = without_secrets(url.render_as_string(hide_password=True))
        self._lock = threading.RLock()
        self._pools: dict[bool, sql.Engine] = {}
        self._pid = os.getpid()
        self._is_ready = False

    @abstractmethod
    def make_engine(self, *, writes: bool) -> sql.Engine:
        """An engine whose transactions read, or write."""

    def look(self) -> None:  # noqa: B027  # a server has nothing to look at
        """Notices before each use whether the database was exchanged."""

    @abstractmethod
    def exclude(self, connection: sql.Connection) -> None:
        """Keeps all other processes from changing the tables until the transaction ends."""

    @abstractmethod
    def insert(self, connection: sql.Connection, values: dict[str, object]) -> bool:
        """Adds a version by the parameters of `statements.INSERT`; returns whether that was on top of the newest one.

        Raises:
            IntegrityError: it is there already.
        """

    @abstractmethod
    def heads(self, *columns: sql.ColumnElement[Any], deleted: bool) -> sql.Select[Any]:
        """The newest version of each document in a collection, in the order of keys."""

    @abstractmethod
    def news(self) -> News:
        """What tells a watch that something was committed."""

    def prepare(self) -> None:
        """Makes or migrates the tables, once.

        Raises:
            StoreAwayError: the database can't be reached.
            LaterSchemaError: a later version made the tables.
        """
        self.look()
        if self._is_ready:
            return
        with self._lock:
            with self._told(), self._engine(writes=False).connect() as connection, connection.begin():
                found = tables.schema_of(connection)
            tables.refuse_later(found, self.shown)
            if found < len(tables.MIGRATIONS):
                with self._told(), self._engine(writes=True).connect() as connection, connection.begin():
                    self.exclude(connection)
                    tables.migrate(connection, self.shown)
            self._is_ready = True

    def read(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives, in a transaction that reads. It may be run twice.

        Raises:
            StoreAwayError: the database can't be reached.
        """
        return self._again(act, writes=False)

    def write(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives, in a transaction that writes and is committed. It may be run twice.

        Raises:
            StoreAwayError: the database can't be reached; nothing was written, unless the message says otherwise.
        """
        return self._again(act, writes=True)

    def stream(self, statement: sql.Select[Any], values: dict[str, object]) -> Iterator[sql.Row[Any]]:
        """The rows of a query, read a few at a time from one snapshot.

        Raises:
            StoreAwayError: the database can't be reached, or is lost on the way.
        """
        self.prepare()
        with self._told(), self._reading() as connection:
            rows = _FEW_ROWS if any(column.name == "payload" for column in statement.selected_columns) else _ROWS
            yield from connection.execution_options(yield_per=rows).execute(statement, values)

    def close(self) -> None:
        """Closes all connections."""
        if self._pid != os.getpid():
            self._after_fork()
        with self._lock:
            self._is_ready = False
            for engine in self._pools.values():
                engine.dispose()
            self._pools.clear()

    def _again(self, act: Callable[[sql.Connection], T], *, writes: bool) -> T:
        """Runs a transaction; a second time if the connection turns out to be lost before the commit.

        Connections of a pool are lost when the server restarts, and only their next use tells.
        """
        self.prepare()
        try:
            return self._once(act, writes=writes)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise self.away(error) from error
        with self._told():
            return self._once(act, writes=writes)

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        """A connection that is not lost, in a transaction whose snapshot is taken."""
        connection = self._engine(writes=False).connect()
        try:
            connection.execute(_ANYTHING)
        except exc.DBAPIError as error:
            connection.close()
            if not error.connection_invalidated:
                raise
            connection = self._engine(writes=False).connect()
        with connection:
            yield connection

    def _once(self, act: Callable[[sql.Connection], T], *, writes: bool) -> T:
        with self._engine(writes=writes).connect() as connection:
            transaction = connection.begin()
            result = act(connection)
            self._commit(transaction)
            return result

    def _commit(self, transaction: sql.Transaction) -> None:
        try:
            transaction.commit()
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StoreAwayError(
                f"{self.shown}: the connection was lost during the commit, so it is unknown whether it was saved: "
                f"{words_of(error)}; read it again to see"
            ) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise self.away(error) from error

    def away(self, error: exc.DBAPIError) -> StoreAwayError:
        """The error that says so."""
        return StoreAwayError(f"{self.shown}: {words_of(error)}; {self.remedy}")

    def _engine(self, *, writes: bool) -> sql.Engine:
        if self._pid != os.getpid():
            self._after_fork()
        engine = self._pools.get(writes)
        if engine is None:
            with self._lock:
                engine = self._pools.get(writes) or self._pools.setdefault(writes, self.make_engine(writes=writes))
        return engine

    def _after_fork(self) -> None:
        """Leaves the parent's connections to the parent: they are not closed here, which it would notice."""
        self._lock = threading.RLock()
        _inherited.extend(self._pools.values())
        self._pools, self._pid = {}, os.getpid()


_inherited: list[sql.Engine] = []
"""Pools of a parent process, which nobody uses any more."""


def words_of(error: BaseException) -> str:
    """A driver's message in one line, without the statement."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:300] or type(original).__name__

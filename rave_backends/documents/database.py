"""The database of a document store: connections, transactions, and its errors in words of ours."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sql
from sqlalchemy import exc

from rave_backends.documents import statements, tables
from rave_core.documents import News
from rave_core.errors import Signal, StoreAwayError
from rave_core.text.secrets import without_secrets

T = TypeVar("T")
_ANYTHING: Final = sql.select(tables.STATE.c.schema)
_ROWS: Final = 500
_FEW_ROWS: Final = 10
"""How many rows with payloads are in memory at once."""


class Mode(Enum):
    """How the transactions of a pool begin and end."""

    STATEMENT = "each statement is a transaction"
    SNAPSHOT = "all statements see one moment"
    WRITE = "a statement sees what is committed when it begins"


class Database(ABC):
    """A database, reached by a pool of connections for each mode. Safe for threads; a forked child makes its own.

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
        self._pools: dict[Mode, sql.Engine] = {}
        self._pid = os.getpid()
        self._is_ready = False

    @abstractmethod
    def make_engine(self, mode: Mode) -> sql.Engine:
        """An engine whose transactions are of a mode."""

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

    def save(self, values: dict[str, object]) -> int:
        """Adds a version in a transaction of its own; returns the number of the commit.

        Args:
            values: the parameters of `statements.INSERT`, without that number.

        Raises:
            TakenError: another version is the newest one; nothing was written.
            StoreAwayError: the database can't be reached; nothing was written, unless the message says otherwise.
        """
        return self.write(partial(self.add, values))

    def add(self, values: dict[str, object], connection: sql.Connection) -> int:
        """Adds a version, and removes those that its collection does not keep; returns the number of the commit.

        Raises:
            TakenError: another version is the newest one.
        """
        sequence, keep = connection.execute(statements.ADVANCE, {"in_collection": values["collection"]}).one()
        self.put(connection, values | {"new_sequence": sequence})
        last = int(str(values["new_version"])) - keep if keep is not None else 0
        if last > 0:
            connection.execute(
                statements.TRIM, {"collection": values["collection"], "key": values["key"], "last": last}
            )
        return int(sequence)

    def put(self, connection: sql.Connection, values: dict[str, object]) -> None:
        """Adds a version by the parameters of `statements.INSERT`.

        Raises:
            TakenError: another version is the newest one.
        """
        try:
            is_added = self.insert(connection, values)
        except exc.IntegrityError:
            raise TakenError from None
        if not is_added:
            raise TakenError

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
            with self._told(), self._engine(Mode.STATEMENT).connect() as connection:
                found = tables.schema_of(connection)
            tables.refuse_later(found, self.shown)
            if found < len(tables.MIGRATIONS):
                with self._told(), self._engine(Mode.WRITE).connect() as connection, connection.begin():
                    self.exclude(connection)
                    tables.migrate(connection, self.shown)
            self._is_ready = True

    def read(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives, which makes one query. It may be run twice.

        Raises:
            StoreAwayError: the database can't be reached.
        """
        return self._again(act, Mode.STATEMENT)

    def look_through(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives, all of whose queries see one moment. It may be run twice.

        Raises:
            StoreAwayError: the database can't be reached.
        """
        return self._again(act, Mode.SNAPSHOT)

    def write(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives, in a transaction that writes and is committed. It may be run twice.

        Raises:
            StoreAwayError: the database can't be reached; nothing was written, unless the message says otherwise.
        """
        return self._again(act, Mode.WRITE)

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

    def _again(self, act: Callable[[sql.Connection], T], mode: Mode) -> T:
        """Runs a transaction; a second time if the connection turns out to be lost before the commit.

        Connections of a pool are lost when the server restarts, and only their next use tells.
        """
        self.prepare()
        try:
            return self._once(act, mode)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise self.away(error) from error
        with self._told():
            return self._once(act, mode)

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        """A connection that is not lost, in a transaction whose snapshot is taken."""
        connection = self._engine(Mode.SNAPSHOT).connect()
        try:
            connection.execute(_ANYTHING)
        except exc.DBAPIError as error:
            connection.close()
            if not error.connection_invalidated:
                raise
            connection = self._engine(Mode.SNAPSHOT).connect()
        with connection:
            yield connection

    def _once(self, act: Callable[[sql.Connection], T], mode: Mode) -> T:
        with self._engine(mode).connect() as connection:
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
            raise self.unsure(error) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise self.away(error) from error

    def away(self, error: Exception) -> StoreAwayError:
        """The error that says so."""
        return StoreAwayError(f"{self.shown}: {words_of(error)}; {self.remedy}")

    def unsure(self, error: Exception) -> StoreAwayError:
        """The error that says that a save may have been committed or not."""
        return StoreAwayError(
            f"{self.shown}: the connection was lost during the commit, so it is unknown whether it was saved: "
            f"{words_of(error)}; read it again to see"
        )

    def _engine(self, mode: Mode) -> sql.Engine:
        if self._pid != os.getpid():
            self._after_fork()
        engine = self._pools.get(mode)
        if engine is None:
            with self._lock:
                engine = self._pools.get(mode) or self._pools.setdefault(mode, self.make_engine(mode))
        return engine

    def _after_fork(self) -> None:
        """Leaves the parent's connections to the parent: they are not closed here, which it would notice."""
        self._lock = threading.RLock()
        _inherited.extend(self._pools.values())
        self._pools, self._pid = {}, os.getpid()


class TakenError(Signal):
    """Another version of a document is the newest one."""


_inherited: list[sql.Engine] = []
"""Pools of a parent process, which nobody uses any more."""


def words_of(error: BaseException) -> str:
    """A driver's message in one line, without the statement."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:300] or type(original).__name__

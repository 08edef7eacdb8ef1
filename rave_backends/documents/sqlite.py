"""SQLite as the database of a document store."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy import event

from rave_backends.documents import statements
from rave_backends.documents.database import Database, Mode
from rave_core.documents import News, make_sqlite_file, set_up_sqlite
from rave_core.errors import ConfigurationError, StoreAwayError

PATIENCE: Final = 30.0
"""Seconds to wait while another process writes."""
LOOK_EVERY: Final = 0.2
"""Seconds between looks for changes by other processes."""


class SqliteDatabase(Database):
    """A file, with a write-ahead log beside it. Only its owner may read it."""

    remedy = "check the file, the space on its disk, and that no stopped process holds its lock"

    def __init__(self, url: sql.URL) -> None:
        """Does not open it yet.

        Raises:
            ConfigurationError: the URL names no file, or has an option that is unknown.
        """
        super().__init__(url)
        if url.host or url.username or url.password or not url.database or url.database == ":memory:":
            raise ConfigurationError(
                f"{self.shown}: documents need a file: write sqlite:////absolute/path or sqlite:///path"
            )
        if url.query:
            raise ConfigurationError(f"{self.shown}: unknown option {min(url.query)!r}; known: 'max_payload'")
        self.path = Path(os.path.abspath(url.database))
        self._file: os.stat_result | None = None

    def make_engine(self, mode: Mode) -> sql.Engine:
        """An engine over the file, which is made if it is missing. Writers take the lock as they begin."""
        self._make_file()
        options = {"timeout": PATIENCE, "isolation_level": None}
        engine = sql.create_engine(
            self.url.set(database=str(self.path)), connect_args=options, pool_size=4, max_overflow=60
        )
        event.listen(engine, "connect", lambda connection, _record: set_up_sqlite(connection))
        if mode is not Mode.STATEMENT:
            begin = "BEGIN IMMEDIATE" if mode is Mode.WRITE else "BEGIN"
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def look(self) -> None:
        """Goes on with the file that is there now, after it was replaced, as by a backup that was restored.

        Raises:
            StoreAwayError: it was removed. An empty one in its place would look as if all documents were gone.
        """
        if self._file is None:
            return
        try:
            is_same = os.path.samestat(self._file, os.stat(self.path))
        except OSError as error:
            raise StoreAwayError(
                f"{self.shown}: {self.path} was in use and is gone: {error.strerror}; put it back, or restart to begin "
                "without documents"
            ) from error
        if not is_same:
            self.close()

    def close(self) -> None:
        """Closes all connections."""
        super().close()
        self._file = None

    def exclude(self, connection: sql.Connection) -> None:
        """Nothing more: who writes, excludes all others."""

    def insert(self, connection: sql.Connection, values: dict[str, object]) -> bool:
        """Adds a version; watches look for it by themselves."""
        return connection.execute(statements.INSERT, values).rowcount == 1

    def heads(self, *columns: sql.ColumnElement[Any], deleted: bool) -> sql.Select[Any]:
        """The newest version of each document in a collection, in the order of keys."""
        return statements.heads_by_looking(*columns, deleted=deleted)

    def news(self) -> News:
        """Looks at the file from time to time."""
        return SqliteNews(self)

    def _make_file(self) -> None:
        """Makes the file if there is none."""
        try:
            self._file = make_sqlite_file(self.path)
        except OSError as error:
            raise StoreAwayError(
                f"{self.shown}: {self.path} can't be written: {error.strerror}; make it writable, or name another "
                "store in the setting 'documents'"
            ) from error


class SqliteNews(News):
    """Looks at the number by which SQLite shows that another connection has changed the file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._woken = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._seen = -1

    def wait(self) -> None:
        """Returns once the file has changed."""
        if self._connection is None:
            self._connect()
            return
        while not self._woken.wait(LOOK_EVERY) and not self._has_changed():
            pass
        self._woken.clear()
        self._has_changed()

    def wake(self) -> None:
        """Returns from ``wait``."""
        self._woken.set()

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        path = self._database.path
        try:
            self._connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
            self._has_changed()
        except sqlite3.Error as error:
            self.close()
            raise StoreAwayError(f"{path} can't be watched: {error}; {self._database.remedy}") from error

    def _has_changed(self) -> bool:
        assert self._connection is not None
        try:
            before, self._seen = self._seen, self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            self.close()
            raise StoreAwayError(f"{self._database.path} can't be watched: {error}; {self._database.remedy}") from error
        return before != self._seen

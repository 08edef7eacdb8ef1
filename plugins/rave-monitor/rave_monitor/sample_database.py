"""The database of the samples: SQLite or PostgreSQL, by the URL of the documents."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sql
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url

from rave_core.documents import make_sqlite_file, set_up_sqlite
from rave_core.errors import ConfigurationError, StoreAwayError
from rave_monitor.sample_tables import METADATA

T = TypeVar("T")
_PATIENCE: Final = 10.0
"""Seconds to wait while another process writes."""


class SampleDatabase:
    """Reads and writes in transactions. Safe for threads."""

    def __init__(self, url: str) -> None:
        """Connects when it is first used.

        Raises:
            ConfigurationError: it is no URL of SQLite or PostgreSQL.
        """
        try:
            parsed = make_url(url).difference_update_query(["max_payload"])
        except (exc.ArgumentError, ValueError):
            raise ConfigurationError("the URL of the samples can't be read: expected sqlite:///path") from None
        self.shown = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ConfigurationError(f"{self.shown}: samples are kept in SQLite or PostgreSQL")
        self._url = parsed
        self._path = Path(parsed.database or "").absolute() if self.is_sqlite else None
        self._engine: sql.Engine | None = None
        self._file: os.stat_result | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self._url.get_backend_name() == "sqlite"

    def read(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives in a transaction that reads.

        Raises:
            StoreAwayError: the database can't be reached.
        """
        with self._told():
            engine = self._opened()
            with engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                return act(connection)

    def write(self, act: Callable[[sql.Connection], T]) -> T:
        """What ``act`` gives in a transaction that is on disk when this returns.

        Raises:
            StoreAwayError: the database can't be reached. The transaction is rolled back, unless the connection was
                lost during the commit.
        """
        with self._told():
            engine = self._opened()
            with engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                result = act(connection)
                connection.commit()
                return result

    def close(self) -> None:
        """Closes all connections; the next use opens them again."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._file = None

    def _opened(self) -> sql.Engine:
        if self._file is not None and self._path is not None:
            try:
                is_same = os.path.samestat(self._file, os.stat(self._path))
            except OSError as error:
                raise StoreAwayError(f"{self.shown}: {self._path} was in use and is gone: {error.strerror}") from error
            if not is_same:
                self.close()
        if self._engine is None:
            self._engine = self._made()
        return self._engine

    def _made(self) -> sql.Engine:
        if self._path is None:
            engine = sql.create_engine(self._url, pool_pre_ping=True)
        else:
            self._make_file(self._path)
            options = {"timeout": _PATIENCE, "isolation_level": None}
            engine = sql.create_engine(self._url.set(database=str(self._path)), connect_args=options)
            event.listen(engine, "connect", lambda connection, _record: set_up_sqlite(connection))
        with engine.connect() as connection:
            if self._path is not None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            METADATA.create_all(connection)
            connection.commit()
        return engine

    def _make_file(self, path: Path) -> None:
        """Makes the file for its owner alone, if there is none."""
        try:
            self._file = make_sqlite_file(path)
        except OSError as error:
            raise StoreAwayError(f"{self.shown}: {path} can't be written: {error.strerror}") from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, sqlite3.Error) as error:
            words = " ".join(str(getattr(error, "orig", error)).split())[:300]
            raise StoreAwayError(f"{self.shown}: {words}; check that it is there and can be written") from error

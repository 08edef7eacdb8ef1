"""PostgreSQL as the database of a document store."""

from __future__ import annotations

import os
import selectors
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sql

from rave_backends.documents import statements
from rave_backends.documents.database import Database, Mode, TakenError, words_of
from rave_backends.documents.pipelined import can_pipeline, is_untouched, save_at_once
from rave_core.documents import News
from rave_core.errors import ConfigurationError, StoreAwayError

if TYPE_CHECKING:
    import psycopg

CHANNEL: Final = "rave_documents"
READ_EVERY: Final = 30.0
"""Seconds after which a watch reads, even if nobody told it to."""
_LOCK: Final = 0x52415645  # "RAVE"
_CONNECTION: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "application_name": "rave",
}
"""A server that falls silent is given up after these seconds, and milliseconds."""
_WRITERS: Final = "-c lock_timeout=30s -c idle_in_transaction_session_timeout=10s"
"""A process that is stopped within a save must not keep all others from saving: the server ends its transaction."""
_MODES: Final = {
    Mode.STATEMENT: ("AUTOCOMMIT", _WRITERS + r" -c default_transaction_isolation=read\ committed"),
    Mode.SNAPSHOT: ("REPEATABLE READ", ""),
    Mode.WRITE: ("READ COMMITTED", _WRITERS),
}
"""The isolation and the settings of each mode. In a transaction of one statement, the server's default would hold."""


class PostgresDatabase(Database):
    """A database of a PostgreSQL server, from version 12 on, by psycopg."""

    remedy = "check that the server runs and that the URL in 'documents' is right; saves work again once it is back"

    def __init__(self, url: sql.URL) -> None:
        """Does not connect yet.

        Raises:
            ConfigurationError: the driver is not installed.
        """
        super().__init__(url.set(drivername="postgresql+psycopg"))
        try:
            import psycopg  # noqa: F401  # without it, each use would fail
        except ImportError as error:
            raise ConfigurationError(
                f"{self.shown}: the driver of PostgreSQL is not installed: {error}; "
                "pip install 'rave-framework[postgresql]'"
            ) from error

    def make_engine(self, mode: Mode) -> sql.Engine:
        """An engine whose transactions are of a mode; all but snapshots see what is committed as a statement begins."""
        isolation, session = _MODES[mode]
        options: dict[str, Any] = {**_CONNECTION, "options": session}
        options = {name: value for name, value in options.items() if name not in self.url.query}
        return sql.create_engine(
            self.url,
            connect_args=options,
            isolation_level=isolation,
            pool_size=4,
            max_overflow=28,
        )

    def exclude(self, connection: sql.Connection) -> None:
        """A lock of the whole database, since there may be no table yet."""
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))

    def save(self, values: dict[str, object]) -> int:
        """Adds a version in one exchange with the server, which holds the lock for no longer than that takes."""
        if not can_pipeline():
            return super().save(values)
        self.prepare()
        with self._untouched() as held:
            sequence = self._save_at_once(held, values)
        if sequence is None:
            raise TakenError
        return sequence

    @contextmanager
    def _untouched(self) -> Iterator[sql.PoolProxiedConnection]:
        """A connection that the server has not ended, as it does with all of a pool when it restarts."""
        import psycopg

        while True:
            try:
                held = self._engine(Mode.STATEMENT).raw_connection()
            except psycopg.Error as error:
                raise self.away(error) from error
            with closing(held):
                if is_untouched(_driver_of(held)):
                    yield held
                    return
                held.invalidate()

    def _save_at_once(self, held: sql.PoolProxiedConnection, values: dict[str, object]) -> int | None:
        import psycopg

        driver = _driver_of(held)
        try:
            return save_at_once(driver, {**values, "channel": CHANNEL})
        except psycopg.errors.UniqueViolation:
            return None
        except psycopg.Error as error:
            if not driver.closed:
                raise self.away(error) from error
            held.invalidate()
            raise self.unsure(error) from error

    def insert(self, connection: sql.Connection, values: dict[str, object]) -> bool:
        """Adds a version, and tells all watches once it is committed."""
        added = connection.execute(statements.INSERT_AND_NOTIFY, {**values, "channel": CHANNEL})
        return added.one_or_none() is not None

    def heads(self, *columns: sql.ColumnElement[Any], deleted: bool) -> sql.Select[Any]:
        """The newest version of each document in a collection, in the order of keys."""
        return statements.heads_by_group(*columns, deleted=deleted)

    def news(self) -> News:
        """Listens to commits."""
        return PostgresNews(self)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of its own, outside of the pools, without transactions.

        Raises:
            StoreAwayError: the server can't be reached.
        """
        import psycopg

        arguments = sql.create_engine(self.url).dialect.create_connect_args(self.url)[1]
        try:
            return psycopg.connect(**{**_CONNECTION, **arguments}, autocommit=True)
        except psycopg.Error as error:
            raise StoreAwayError(f"{self.shown}: {words_of(error)}; {self.remedy}") from error


def _driver_of(held: sql.PoolProxiedConnection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", held.driver_connection)


class PostgresNews(News):
    """Listens to what each commit sends."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        self._waking = threading.Lock()
        self._sleeps, self._alarm = os.pipe()
        os.set_blocking(self._sleeps, False)
        os.set_blocking(self._alarm, False)
        self._is_closed = False

    def wait(self) -> None:
        """Returns once a commit is announced. What it listens to begins before it returns for the first time."""
        import psycopg

        if self._connection is None:
            self._connection = self._database.connect()
            try:
                self._connection.execute(f"LISTEN {CHANNEL}")
            except psycopg.Error as error:
                raise self._lost(error) from error
            return
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection.fileno(), selectors.EVENT_READ)
                selector.register(self._sleeps, selectors.EVENT_READ)
                ready = {key.fd for key, _ in selector.select(READ_EVERY)}
            if self._sleeps in ready:
                os.read(self._sleeps, 4096)
            for _ in self._connection.notifies(timeout=0):
                pass
            if not ready:
                self._connection.execute("SELECT 1")  # is anybody there?
        except (psycopg.Error, OSError) as error:
            raise self._lost(error) from error

    def wake(self) -> None:
        """Returns from ``wait``."""
        with self._waking:
            if not self._is_closed:
                with suppress(BlockingIOError):  # it is awake
                    os.write(self._alarm, b"!")

    def close(self) -> None:
        """Closes the connection."""
        with self._waking:
            self._is_closed = True
            os.close(self._sleeps)
            os.close(self._alarm)
        if self._connection is not None:
            self._connection.close()

    def _lost(self, error: Exception) -> StoreAwayError:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return StoreAwayError(f"{self._database.shown}: {words_of(error)}; {self._database.remedy}")

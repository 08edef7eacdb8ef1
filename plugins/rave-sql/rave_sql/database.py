"""A database: statements that read, with limits on time and rows. Only this module touches SQLAlchemy's engine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core.errors import TimeLimitError
from rave_sql.errors import DatabaseError, StatementError

if TYPE_CHECKING:
    import sqlalchemy

CHUNK = 10_000
PATIENCE = 10
"""Seconds that a server may take to accept a connection."""

Rows = list[tuple[Any, ...]]


class Database:
    """One database, by its URL. Safe for threads; a forked child makes its own connection.

    Attributes:
        name: its configured name, for messages.
        dialect: SQLAlchemy's name of its kind.
        identity: what distinguishes it: its URL without user and password.
    """

    def __init__(self, name: str, url: str) -> None:
        """Does not connect yet.

        Raises:
            DatabaseError: the URL is wrong, or the driver is not installed.
        """
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        self.name = name
        try:
            self._url = make_url(url)
        except ArgumentError:
            raise DatabaseError(
                f"the database {name!r} has no valid URL; expected sqlite:////path, duckdb:////path or "
                "postgresql+psycopg://host/database"
            ) from None
        self.dialect = self._url.get_backend_name()
        file = self.file
        plain = self._url.set(username=None, password=None).render_as_string()
        self.identity = f"{self.dialect}:{file.resolve()}" if file else plain

    @property
    def file(self) -> Path | None:
        """The database's file; ``None`` for a server."""
        is_file = self.dialect in ("sqlite", "duckdb") and self._url.database not in (None, "", ":memory:")
        return Path(str(self._url.database)) if is_file else None

    def read(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        most: int,
        seconds: float,
        kinds: Mapping[str, str] | None = None,
    ) -> tuple[list[tuple[str, Any]], Rows]:
        """The columns, each with the driver's own type, and up to ``most`` rows of a statement.

        Args:
            sql: the statement, with ``:name`` for each parameter.
            parameters: their values; a list, even an empty one, goes into ``IN :name`` as it is.
            most: the limit of rows.
            seconds: the time limit.
            kinds: the types of lists, as in a header: an empty list does not show its own.

        Raises:
            DatabaseError: the database is unreachable, or refuses the connection.
            StatementError: it refuses the statement.
            TimeLimitError: it took longer than ``seconds``.
        """
        from sqlalchemy import bindparam, text
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import StatementError as Refused

        statement = text(sql)
        lists = [name for name, value in parameters.items() if isinstance(value, (list, tuple))]
        if lists:
            types = {name: _TYPES.get((kinds or {}).get(name, "").removeprefix("list of ")) for name in lists}
            statement = statement.bindparams(
                *(bindparam(name, expanding=True, type_=_sql_type(kind)) for name, kind in types.items())
            )
        with self._connected() as connection, self._limited(connection, seconds) as is_over:
            try:
                result = connection.execution_options(stream_results=True).execute(statement, dict(parameters))
                columns = [(str(column[0]), column[1]) for column in result.cursor.description or ()]
                rows: Rows = []
                while len(rows) < most and (some := result.fetchmany(min(CHUNK, most - len(rows)))):
                    rows += map(tuple, some)
                result.close()
            except (DBAPIError, Refused, OverflowError, ValueError) as error:
                if is_over():
                    raise TimeLimitError(f"the database {self.name!r} took longer than {seconds:g} s") from error
                raise StatementError(f"the database {self.name!r} refused: {_words(error)}") from error
        return columns, rows

    @contextmanager
    def _connected(self) -> Iterator[sqlalchemy.Connection]:
        from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError

        file = self.file
        if file is not None and not file.exists():
            raise DatabaseError(f"the database {self.name!r}: there is no file {file}")
        try:
            connection = _engine(self._url.render_as_string(hide_password=False), os.getpid()).connect()
        except (OperationalError, DBAPIError) as error:
            raise DatabaseError(f"the database {self.name!r} can't be reached: {_words(error)}") from error
        except (ImportError, NoSuchModuleError) as error:
            raise DatabaseError(
                f"the database {self.name!r}: no driver for {self._url.drivername} is installed: {error}; "
                "pip install rave-sql[duckdb] or rave-sql[postgresql] brings one"
            ) from error
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _limited(self, connection: sqlalchemy.Connection, seconds: float) -> Iterator[Any]:
        """Interrupts what runs after ``seconds``; yields whether it had to.

        An interrupt between two commands to the database ends none of them, so there is another one until the end.
        """
        is_over, is_done = threading.Event(), threading.Event()
        raw: Any = connection.connection.driver_connection
        interrupt = getattr(raw, "interrupt", None) or getattr(raw, "cancel", None)

        def watch() -> None:
            left = seconds
            while not is_done.wait(left):
                is_over.set()
                if interrupt is None:
                    return
                interrupt()
                left = _AGAIN

        watching = threading.Thread(target=watch, name="rave-sql-limit", daemon=True)
        watching.start()
        try:
            yield is_over.is_set
        finally:
            is_done.set()
            watching.join(PATIENCE)  # an interrupt under way must not meet the next statement


_AGAIN = 0.2
"""Seconds between interrupts of a statement that takes too long."""
_TYPES = {
    "int": "BigInteger", "float": "Float", "text": "String", "bool": "Boolean", "decimal": "Numeric", "date": "Date",
    "datetime": "DateTime",
}  # fmt: skip


def _sql_type(name: str | None) -> Any:
    import sqlalchemy

    return getattr(sqlalchemy, name)() if name else None


def _words(error: BaseException) -> str:
    """The driver's message in one line; never the statement or the URL."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:300] or type(original).__name__


@lru_cache(maxsize=64)
def _engine(url: str, _pid: int) -> sqlalchemy.Engine:
    """The engine of a process. Its process ID gives a forked child an engine of its own."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import make_url
    from sqlalchemy.pool import NullPool

    parsed = make_url(url)
    kind = parsed.get_backend_name()
    options: dict[str, Any] = {}
    if kind == "sqlite" and parsed.database:
        parsed = parsed.set(database=f"file:{parsed.database}", query={**parsed.query, "mode": "ro", "uri": "true"})
        options = {"poolclass": NullPool}
    elif kind == "duckdb":
        options = {"connect_args": {"read_only": True}, "poolclass": NullPool}
    elif kind == "postgresql":
        settings = "-c default_transaction_read_only=on"
        options = {"connect_args": {"connect_timeout": PATIENCE, "options": settings}, "pool_pre_ping": True}
    engine = create_engine(parsed, **options)
    if kind == "sqlite":

        @event.listens_for(engine, "connect")
        def _read_only(connection: Any, _: object) -> None:
            connection.execute("PRAGMA query_only = ON")

    return engine

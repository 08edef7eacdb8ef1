"""Events over PostgreSQL: LISTEN and NOTIFY on one channel of a database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError
from rave_core.events import ListeningBus

if TYPE_CHECKING:
    import psycopg

CHANNEL: Final = "rave_events"
_TURN: Final = 1.0  # seconds between looks at whether the bus is closed
_PATIENCE: Final[dict[str, Any]] = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""How long the server may take to connect (seconds), and may be silent while it has something to acknowledge."""


class PostgresBus(ListeningBus):
    """Carries messages as the payloads of notifications; they stay below the 8,000 bytes that PostgreSQL takes."""

    max_bytes = 7_900

    def __init__(self, conninfo: str, channel: str = CHANNEL) -> None:
        """Connects nothing yet.

        Args:
            conninfo: where the database is, as libpq reads it.
            channel: its name; all processes on one channel hear each other.
        """
        super().__init__()
        self._conninfo = conninfo
        self._channel = channel
        self._sending: psycopg.Connection | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: StoreURL) -> PostgresBus:
        """The bus at ``postgresql://[user:password@]host:port/database?channel=rave_events&sslmode=prefer``.

        Raises:
            ConfigurationError: a part of the URL is wrong, or psycopg is not installed.
        """
        try:
            from psycopg.conninfo import make_conninfo
        except ImportError as error:
            needed = "pip install 'rave-framework[postgresql]'"
            raise ConfigurationError(f"{url}: needs the package psycopg: {needed}") from error
        channel, sslmode = url.take("channel", str, CHANNEL), url.take("sslmode", str, "prefer")
        user, password = url.take_credentials()
        url.done()
        if not channel.isidentifier() or len(channel) > 60:
            raise ConfigurationError(f"{url}: {channel!r} can't be a channel; expected a name such as {CHANNEL!r}")
        try:
            place = urlsplit(f"//{url.host}")
            host, port = place.hostname, place.port
        except ValueError as error:
            raise ConfigurationError(f"{url}: {error}; expected postgresql://host:5432/database") from error
        place_of: dict[str, Any] = {"host": host, "port": port, "dbname": url.path.strip("/") or None}
        who: dict[str, Any] = {"user": user or None, "password": password or None}
        return cls(make_conninfo(**place_of, **who, **_PATIENCE, sslmode=sslmode), channel)

    def send(self, message: bytes) -> None:
        """Notifies all that listen.

        Raises:
            BackendError: the database can't be reached.
        """
        import psycopg

        with self._lock:
            try:
                if self._sending is None:
                    self._sending = psycopg.connect(self._conninfo, autocommit=True)
                self._sending.execute("SELECT pg_notify(%s, %s)", (self._channel, message.decode()))
            except psycopg.Error as error:
                self._disconnect()
                raise BackendError(f"PostgreSQL takes no events: {_words(error)}") from error

    def attend(self, receive: Callable[[bytes], None], connected: Callable[[], None]) -> None:
        """Listens, and receives until the bus is closed.

        Raises:
            BackendError: the database can't be reached.
        """
        import psycopg
        from psycopg import sql

        try:
            with closing(psycopg.connect(self._conninfo, autocommit=True)) as connection:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                connected()
                while not self.closing.is_set():
                    for notification in connection.notifies(timeout=_TURN, stop_after=1):
                        receive(notification.payload.encode())
        except psycopg.Error as error:
            raise BackendError(f"PostgreSQL gives no events: {_words(error)}") from error

    def close(self) -> None:
        """Ends the thread, and disconnects."""
        super().close()
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._sending = self._sending, None
        if connection is not None:
            connection.close()


def _words(error: Exception) -> str:
    """What the database or its driver says, in one line."""
    return " ".join(str(error).split())

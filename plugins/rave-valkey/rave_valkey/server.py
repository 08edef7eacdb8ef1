"""One database of a server. Only this module touches the client, valkey-py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

from rave_core.errors import BackendError
from rave_valkey.address import Address
from rave_valkey.advice import advice

_SCANNED = 500
_TURN = 0.5  # seconds between looks at whether a listener is to end


class Server:
    """Commands to one database. Safe for threads, which share a pool of connections.

    The first command connects; a forked process makes its own connections. Every command raises `BackendError` for
    trouble, naming the server and what to do. No command waits longer than ``timeout`` for a connection, for the server
    to accept the whole request, or for the next bytes of an answer. No command is retried.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self._timeout = timeout
        self._opened: tuple[int, Any] | None = None  # the process, and its client

    def __str__(self) -> str:
        return str(self.address)

    def run(self, action: str, *command: str | bytes | float) -> Any:
        """The answer to a command; ``action`` is what it does, for messages."""
        with self._words(action):
            return self._client().execute_command(*command)

    def run_all(self, action: str, commands: Sequence[Sequence[str | bytes | float]]) -> list[Any]:
        """The answers to commands sent together; ``None`` if a command for strings met another type."""
        with self._words(action), self._client().pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers = pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and not _is_other_kind(answer):
                    raise answer
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    def scan(self, beginning: str) -> Iterator[list[bytes]]:
        """The names that start with ``beginning``, some hundreds at a time. The server may list a name twice."""
        pattern, cursor = _escaped(beginning) + b"*", b"0"
        while True:
            answer = self.run("list the entries", "SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED)
            cursor, names = answer
            if names:
                yield names
            if int(cursor) == 0:
                return

    def subscribed(self, channel: str, closing: Event, connected: Callable[[], None]) -> Iterator[bytes]:
        """The messages of a channel, until ``closing`` is set; ``connected`` is called once the server sends them.

        A server that is silent is asked for a sign of life.
        """
        with self._words("receive events"), self._client().pubsub() as listener:
            listener.subscribe(channel)
            quiet = 0.0
            while not closing.is_set():
                step = min(self._timeout, _TURN)
                message = listener.get_message(timeout=step)
                quiet = quiet + step if message is None else 0.0
                if message is not None and message["type"] == "subscribe":
                    connected()
                elif message is not None and message["type"] == "message":
                    yield message["data"]
                elif quiet > 2 * self._timeout:
                    raise BackendError(f"{self}: can't receive events: it does not answer within {self._timeout:g} s")
                elif message is None and quiet > self._timeout:
                    listener.ping()

    def now(self) -> float:
        """Unix time by the server's clock."""
        seconds, microseconds = self.run("ask the time", "TIME")
        return int(seconds) + int(microseconds) / 1e6

    def close(self) -> None:
        """Drops the connections; a later command opens others."""
        opened, self._opened = self._opened, None
        if opened is not None and opened[0] == os.getpid():
            opened[1].connection_pool.disconnect()

    def _client(self) -> Any:
        # No lock: a fork would copy its state. If two threads come first, one's client stays, and the other's is
        # dropped after its answer.
        pid, opened = os.getpid(), self._opened
        if opened is None or opened[0] != pid:
            opened = self._opened = (pid, self._made())
        return opened[1]

    def _made(self) -> Any:
        import valkey

        address = self.address
        options: dict[str, Any] = {}
        if address.tls:
            options = {"connection_class": valkey.SSLConnection, "ssl_check_hostname": True}
        pool = valkey.ConnectionPool(
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.user or None,
            password=address.password or None,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            socket_keepalive=True,
            **options,
        )
        client = valkey.Valkey(connection_pool=pool)
        client.response_callbacks.clear()  # raw answers, the same in every version of the client
        return client

    @contextmanager
    def _words(self, action: str) -> Iterator[None]:
        from valkey.exceptions import ValkeyError

        try:
            yield
        except BackendError:
            raise
        except (ValkeyError, OSError, ValueError) as error:
            # After a protocol error the server answers, then hangs up: nobody may get that connection again.
            if "Protocol error" in str(error):
                self.close()
            raise BackendError(f"{self}: can't {action}: {advice(error)}") from error


def _escaped(text: str) -> bytes:
    return "".join(f"\\{char}" if char in "*?[]^-\\" else char for char in text).encode()


def _is_other_kind(error: Exception) -> bool:
    return "WRONGTYPE" in str(error)

"""Events over a Valkey server: one channel, to which every process publishes and subscribes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from rave_core.backend import StoreURL, parse_flag
from rave_core.errors import ConfigurationError
from rave_core.events import ListeningBus
from rave_core.expiry import parse_duration
from rave_valkey.address import Address, address_of
from rave_valkey.server import Server

CHANNEL = "rave:events"
_TIMEOUT = 5.0


class ValkeyBus(ListeningBus):
    """Carries messages by PUBLISH and SUBSCRIBE. The server keeps nothing; all its databases share the channels.

    A server that hangs counts as lost after ``timeout`` seconds.
    """

    def __init__(self, address: Address, channel: str = CHANNEL, *, timeout: float = _TIMEOUT) -> None:
        """Connects nothing yet.

        Args:
            address: the server.
            channel: its name; all processes on one channel hear each other.
            timeout: seconds that the server may be silent.

        Raises:
            ConfigurationError: the channel is wrong, or valkey is not installed.
        """
        if find_spec("valkey") is None:
            raise ConfigurationError("valkey:// needs the package valkey: pip install rave-valkey")
        if not channel or not channel.isprintable():
            raise ConfigurationError(f"{channel!r} can't be a channel; expected a text such as {CHANNEL!r}")
        super().__init__()
        self._server = Server(address, timeout)
        self._channel = channel

    @classmethod
    def from_url(cls, url: StoreURL) -> ValkeyBus:
        """The bus at ``valkey://[user:password@]host:port/database?channel=rave:events&timeout=5s&tls=false``.

        Raises:
            ConfigurationError: a part of the URL is wrong.
        """
        channel = url.take("channel", str, CHANNEL)
        timeout = url.take("timeout", parse_duration, _TIMEOUT)
        address = address_of(url, tls=url.take("tls", parse_flag, False))
        url.done()
        if not 0.1 <= timeout <= 3600:
            raise ConfigurationError(f"{url}: expected a timeout from 0.1s to 1h")
        return cls(address, channel, timeout=timeout)

    def send(self, message: bytes) -> None:
        """Publishes a message.

        Raises:
            BackendError: the server can't take it.
        """
        self._server.run("publish events", "PUBLISH", self._channel, message)

    def attend(self, receive: Callable[[bytes], None], connected: Callable[[], None]) -> None:
        """Subscribes, and receives until the bus is closed.

        Raises:
            BackendError: the server can't be reached, or has been silent for too long.
        """
        for message in self._server.subscribed(self._channel, self.closing, connected):
            receive(message)

    def close(self) -> None:
        """Ends the thread, and drops the connections."""
        super().close()
        self._server.close()

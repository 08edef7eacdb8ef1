"""``valkey``: a stream of Valkey or Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rave_monitor.readers.queued_reader import QueuedReader

if TYPE_CHECKING:
    from valkey import Valkey

_BLOCK: Final = 500
"""Milliseconds that one question waits for news."""
_TIMEOUT: Final = 10.0
_MANY: Final = 1000


class ValkeyReader(QueuedReader):
    """Reads the entries of a stream, from its beginning: texts by field, and ``id``, unless a field is called so."""

    def __init__(self, *, url: str, stream: str) -> None:
        """Reads ``stream`` from the server at ``url``, such as ``valkey://127.0.0.1:6379/0``."""
        super().__init__()
        try:
            import valkey
        except ImportError:
            raise ValueError("it needs valkey: pip install 'rave-monitor[valkey]'") from None
        self._client: Valkey = valkey.Valkey.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, decode_responses=False
        )
        self._stream = stream

    def receive(self) -> None:
        """Asks for what follows the last entry.

        Raises:
            ValkeyError: the server is away, or the key is no stream.
        """
        found: Any = self._client.xread({self._stream: self.mark or "0"}, count=_MANY, block=_BLOCK)
        if not found:
            self.arrived([], self.mark)
            return
        [(_, entries)] = found.items() if isinstance(found, dict) else found
        events = [
            {"id": _text(name), **{_text(key): _text(each) for key, each in fields.items()}} for name, fields in entries
        ]
        self.arrived(events, _text(entries[-1][0]))

    def close(self) -> None:
        """Ends the thread, and closes the connection."""
        super().close()
        self._client.connection_pool.disconnect()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")

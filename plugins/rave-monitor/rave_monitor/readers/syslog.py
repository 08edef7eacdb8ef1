"""``syslog``: messages over UDP or TCP."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final, Literal

from rave_monitor.readers.queued_reader import QueuedReader
from rave_monitor.readers.syslog_message import parse_message

_LONGEST: Final = 1 << 16
_LOOK: Final = 0.2
"""Seconds after which it looks whether to end."""
_COUNTED: Final = re.compile(rb"([1-9]\d{0,5}) (?=<)")


class SyslogReader(QueuedReader):
    """Listens for messages: events with ``facility``, ``severity``, ``message`` and what else they say.

    What is sent while nobody listens is lost: between two leaders, and over UDP whenever the system drops it.
    """

    def __init__(self, *, listen: str = "127.0.0.1:5514", transport: Literal["udp", "tcp"] = "udp") -> None:
        """Listens on ``host:port``; over TCP for messages that end with a line or begin with their length."""
        super().__init__()
        host, colon, port = listen.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"listen is {listen!r}: expected host:port, such as '127.0.0.1:5514'")
        self._address = (host.strip("[]"), int(port))
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM

    def receive(self) -> None:
        """Listens until it is closed.

        Raises:
            OSError: it can't listen there.
        """
        with ExitStack() as opened:
            chosen = opened.enter_context(selectors.DefaultSelector())
            listening = opened.enter_context(socket.socket(self._family, self._kind))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self._kind == socket.SOCK_STREAM))
            listening.bind(self._address)
            if self._kind == socket.SOCK_STREAM:
                listening.listen()
            listening.setblocking(False)
            chosen.register(listening, selectors.EVENT_READ)
            self.trouble = None
            buffers = dict[socket.socket, bytes]()
            opened.callback(_close_all, buffers)
            while not self.is_stopped:
                for key, _ in chosen.select(_LOOK):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if self._kind == socket.SOCK_DGRAM:
                        self._add([source.recv(_LONGEST)])
                    elif source is listening:
                        _accept(listening, chosen, buffers)
                    else:
                        self._read(source, chosen, buffers)

    def _read(self, source: socket.socket, chosen: selectors.BaseSelector, buffers: dict[socket.socket, bytes]) -> None:
        """Reads from a connection; at its end, what is left is a message."""
        try:
            data = source.recv(_LONGEST)
        except OSError:
            data = b""
        messages, buffers[source] = split_messages(buffers[source] + data, at_end=not data)
        self._add(messages)
        if not data:
            chosen.unregister(source)
            del buffers[source]
            source.close()

    def _add(self, messages: list[bytes]) -> None:
        texts = [each.rstrip(b"\r\n\0").decode("utf-8", "backslashreplace") for each in messages]
        self.arrived_or_lost([parse_message(text) for text in texts if text])


def split_messages(data: bytes, *, at_end: bool) -> tuple[list[bytes], bytes]:
    """The messages that are complete, each by its length or its line end, and the rest (RFC 6587)."""
    messages = []
    while data:
        if counted := _COUNTED.match(data):
            end = counted.end() + int(counted[1])
            begin = counted.end()
            is_whole = len(data) >= end
        else:
            begin, end = 0, data.find(b"\n") + 1
            is_whole = bool(end)
        if not is_whole and not at_end and len(data) < 2 * _LONGEST:
            break
        end = end if is_whole else len(data)
        messages.append(data[begin:end])
        data = data[end:]
    return messages, data


def _accept(listening: socket.socket, chosen: selectors.BaseSelector, buffers: dict[socket.socket, bytes]) -> None:
    connection, _ = listening.accept()
    connection.setblocking(False)
    chosen.register(connection, selectors.EVENT_READ)
    buffers[connection] = b""


def _close_all(connections: Iterable[socket.socket]) -> None:
    for each in connections:
        each.close()

"""A network that is slow, or that drops, swallows or damages data: a proxy in front of a real server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Self

_PIECE = 1 << 14
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: drops the remaining data and sends the other side a reset


class BadNetwork:
    """Forwards TCP connections to a server; you can change its faults at any time, even during a connection.

    A context manager; leaving it closes all connections. Safe for threads.

    Attributes:
        delay: seconds that each piece of an answer waits.
        cut_after: bytes of answers after which each connection is reset; ``None`` for never.
        damage: whether one bit is flipped in each piece of an answer.
        is_refusing: whether new connections are reset at once.
        is_silent: whether connections are taken, and nothing passes in any direction.
        address: host and port to connect to in place of the server's.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        """In front of ``server``, listening on a free port of the loopback."""
        self._server = server
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self.heal()

    def heal(self) -> None:
        """Removes all faults."""
        self.delay = 0.0
        self.cut_after: int | None = None
        self.damage = False
        self.is_refusing = False
        self.is_silent = False

    def __enter__(self) -> Self:
        """Starts to forward connections."""
        threading.Thread(target=self._accept, name="bad-network", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Closes all connections."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            left = list(self._open)
        for each in left:
            self._close(each)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
                if self.is_refusing:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    client.close()
                    continue
                server = socket.create_connection(self._server, timeout=10)
            except OSError:
                continue  # closed, or the server is away: the client sees its connection closed
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                pump = (source, sink, is_answer)
                threading.Thread(target=self._pump, args=pump, name="bad-network", daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                while self.is_silent and not self._over.wait(0.01):
                    pass
                if is_answer:
                    piece = self._spoilt(piece, passed)
                    passed += len(piece)
                sink.sendall(piece)
                if is_answer and self.cut_after is not None and passed >= self.cut_after:
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
        for each in (source, sink):
            self._close(each)

    def _spoilt(self, piece: bytes, passed: int) -> bytes:
        if self.delay:
            self._over.wait(self.delay)
        if self.cut_after is not None:
            piece = piece[: max(self.cut_after - passed, 1)]
        if self.damage:
            middle = len(piece) * 3 // 4  # behind the headers of an answer that has a body
            piece = piece[:middle] + bytes([piece[middle] ^ 0x10]) + piece[middle + 1 :]
        return piece

    def _close(self, each: socket.socket) -> None:
        with self._lock:
            self._open.discard(each)
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

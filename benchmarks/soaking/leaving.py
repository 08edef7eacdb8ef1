"""Acts of clients that go away in the middle, or do worse."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from soaking.acts import Actor

_RESET: Final = struct.pack("ii", 1, 0)


def leave(actor: Actor) -> str:
    """Leaves in one of the bad ways."""
    manner = actor.chance.choice(_MANNERS)
    # The service may treat such a client as it likes, as long as others do not suffer.
    with contextlib.suppress(OSError), actor.client.raw() as connection:
        if actor.chance.random() < 0.5:  # abruptly, instead of an ordinary end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        manner(actor, connection)
    return manner.__name__


def while_waiting(actor: Actor, connection: socket.socket) -> None:
    """Asks for something slow, and does not wait for it."""
    _ask(connection, f"/lab/slow?name={actor.unique()}&seconds=0.5")
    time.sleep(actor.chance.uniform(0.0, 0.3))


def while_reading(actor: Actor, connection: socket.socket) -> None:
    """Reads some of a large product."""
    path = actor.chance.choice(("/lab/files/document", "/lab/blob"))
    _ask(connection, f"{path}?seed={actor.chance.randrange(8)}&size=700000")
    connection.recv(actor.chance.randrange(1, 5000))


def while_listening(actor: Actor, connection: socket.socket) -> None:
    """Hears some events."""
    name = actor.unique()
    answer = actor.client.get("/lab/slow", {"name": name, "seconds": 0.5}, Prefer="respond-async")
    if answer.status == 202:
        _ask(connection, f"{answer.json['href']}/events")
        connection.recv(1000)


def while_asking(actor: Actor, connection: socket.socket) -> None:
    """Sends half of a request."""
    request = b"GET /lab/square?n=1 HTTP/1.1\r\nHost: rave\r\nAccept: */*\r\n"
    connection.sendall(request[: actor.chance.randrange(1, len(request))])
    time.sleep(actor.chance.uniform(0.0, 0.3))


def while_posting(actor: Actor, connection: socket.socket) -> None:
    """Sends a part of a body."""
    head = b"POST /lab/square HTTP/1.1\r\nHost: rave\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    connection.sendall(head + b'{"n": ')
    time.sleep(actor.chance.uniform(0.0, 0.3))


def in_nonsense(actor: Actor, connection: socket.socket) -> None:
    """Sends something that is not HTTP."""
    connection.sendall(actor.chance.randbytes(200) + b"\r\n\r\n")
    connection.recv(1000)


def _ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: rave\r\n\r\n".encode())


_MANNERS: Final[tuple[Callable[[Actor, socket.socket], None], ...]] = (
    *(while_waiting, while_reading, while_listening, while_asking, while_posting, in_nonsense),
)

"""The bus of a child process: what happens in a body goes to its worker, which publishes it."""

from __future__ import annotations

from collections.abc import Callable

from rave_core.events import Bus


class ChildBus(Bus):
    """Carries events to the worker. It brings none from there: no body waits for events."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """Sends nothing until ``is_wanted`` is set: the worker says with each job whether anybody listens."""
        self.is_wanted = False
        self._send = send

    def send(self, message: bytes) -> None:
        """Sends a message, unless the worker is gone."""
        self._send(message)

    def listen(self, receive: Callable[[bytes], None], interrupted: Callable[[str], None]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Sends nothing any more."""
        self.is_wanted = False

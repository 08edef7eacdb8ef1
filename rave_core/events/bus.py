"""What carries events from one process to others: the contract of a bus."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from rave_core.backend import StoreURL

Receive: TypeAlias = Callable[[bytes], None]
"""Takes a message that some process sent. Called from any thread, it never waits and never raises."""

Interrupted: TypeAlias = Callable[[str], None]
"""Takes the reason why messages may have been missed, in words."""


class Bus(ABC):
    """Carries messages to all processes that name the same bus, at most once each. Safe for many threads.

    A message is opaque: RAVE puts events and their numbers into it, so the numbers show what was lost. Connect when
    first used, not in the constructor: a process may fork in between.

    Attributes:
        max_bytes: the size of a message, at most.
        is_wanted: whether any other process may listen; while it is false, nothing is sent.
    """

    max_bytes: int = 1_000_000
    is_wanted: bool = True

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Sends a message. One thread calls it, and may wait some seconds; a message that failed is not repeated.

        Raises:
            BackendError: the message is lost.
        """

    @abstractmethod
    def listen(self, receive: Receive, interrupted: Interrupted) -> None:
        """Calls ``receive`` with all messages sent from now on, those of this process included or not, until `close`.

        Called once at most, and does not wait: the bus connects in the background, connects again when the connection
        is lost, and calls ``interrupted`` as soon as it listens again.
        """

    @abstractmethod
    def close(self) -> None:
        """Disconnects; neither callback is called afterwards. Twice is harmless."""

    def check(self) -> str | None:
        """What is wrong with the bus, in words; ``None`` if it works or was not used yet. May wait a moment."""
        return None


BusFactory: TypeAlias = Callable[[StoreURL], Bus]
"""Makes a bus from its URL, without connecting. It raises `ConfigurationError` for a wrong URL."""

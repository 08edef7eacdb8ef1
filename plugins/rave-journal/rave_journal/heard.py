"""Those in event loops who wait for commits, which threads hear of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Heard:
    """Wakes coroutines, each in its own loop. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that ``tell`` sets. Call it in a coroutine, which clears it."""
        event = asyncio.Event()
        self._waiting[event] = asyncio.get_running_loop()
        try:
            yield event
        finally:
            del self._waiting[event]

    def tell(self, _change: object) -> None:
        """Sets the events of all who listen."""
        for event, loop in list(self._waiting.items()):
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(event.set)

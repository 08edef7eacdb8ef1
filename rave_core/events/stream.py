"""A stream: a subscription for the code of an event loop, which takes events when it likes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Self

from rave_core.events.event import Event, Loss
from rave_core.events.mailbox import Mailbox


class EventStream:
    """The events that one task of an event loop takes. Create and use it there; a context manager closes it."""

    def __init__(self, queue: int, leave: Callable[[EventStream], None]) -> None:
        """Calls ``leave`` when it is closed; ``queue`` is that of `Events.stream`."""
        import asyncio  # here, because programs without an event loop need not load it

        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._is_closed = False
        self.mailbox: Mailbox[Event] = Mailbox(queue, self._wake)

    @property
    def lost(self) -> int:
        """How many events it lost, as far as that is known."""
        return self.mailbox.lost

    @property
    def is_closed(self) -> bool:
        """Whether no more events come: it was closed, or its runtime was."""
        return self._is_closed

    async def take(self, most: int = 100, *, timeout: float | None = None) -> tuple[list[Event], list[Loss]]:
        """Waits for news: up to ``most`` events, oldest first, and what was lost before them.

        Both are empty after ``timeout`` seconds without news (``None``: no limit), and once the stream is closed.
        """
        import asyncio

        taken = self.mailbox.take(most)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not any(taken) and not self._is_closed:
                    await self._news.wait()
                    self._news.clear()
                    taken = self.mailbox.take(most)
        return taken

    def close(self) -> None:
        """Ends the stream; from any thread. Twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            self._leave(self)
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            self._loop.call_soon_threadsafe(self._news.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

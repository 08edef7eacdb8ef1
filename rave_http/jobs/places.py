"""Places of an executor: clients take turns, and none takes all of them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """The places of one executor. For the event loop of one worker.

    A place that becomes free goes to the client whose turn it is, however many jobs others have queued.
    """

    def __init__(self, slots: int, *, most_of_one: int) -> None:
        """Has ``slots`` places, of which one client takes at most ``most_of_one``."""
        self._free = slots
        self._most = most_of_one
        self._taken: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def take(self, client: str) -> AsyncIterator[None]:
        """Holds a place in an ``async with`` block, which begins when it is the client's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(turn)
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it got its place in the same moment
                self._leave(client)
            raise
        try:
            yield
        finally:
            self._leave(client)

    def _leave(self, client: str) -> None:
        self._free += 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        self._give()

    def _give(self) -> None:
        """Gives free places to those whose turn it is."""
        while self._free:
            client = next((each for each in self._queues if self._taken[each] < self._most), None)
            if client is None:
                return
            queue = self._queues.pop(client)
            turn = queue.popleft()
            if queue:
                self._queues[client] = queue  # behind the others
            if not turn.cancelled():
                turn.set_result(None)
                self._free -= 1
                self._taken[client] += 1

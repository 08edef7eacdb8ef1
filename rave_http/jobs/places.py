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
        self._turns: dict[str, int] = {}  # the number of each client's latest turn
        self._count = 0
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
            else:
                self._withdraw(client, turn)
            raise
        try:
            yield
        finally:
            self._leave(client)

    def _leave(self, client: str) -> None:
        self._free += 1
        self._taken[client] -= 1
        self._forget(client)
        self._give()

    def _withdraw(self, client: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(client)
        if queue is not None and turn in queue:
            queue.remove(turn)
            self._forget(client)

    def _forget(self, client: str) -> None:
        """Drops what is empty."""
        if not self._queues.get(client, True):
            del self._queues[client]
        if not self._taken[client]:
            del self._taken[client]
            if client not in self._queues:
                self._turns.pop(client, None)

    def _give(self) -> None:
        """Gives free places to those whose turn it is: who has the fewest, then who has waited longest for one."""
        while self._free:
            waiting = [each for each in self._queues if self._taken[each] < self._most]
            if not waiting:
                return
            client = min(waiting, key=lambda each: (self._taken[each], self._turns.get(each, 0)))
            turn = self._queues[client].popleft()
            if not turn.cancelled():
                self._count += 1
                self._turns[client] = self._count
                self._free -= 1
                self._taken[client] += 1
                turn.set_result(None)
            self._forget(client)

"""The bus among the workers of one service: messages by `WorkerRPC`, only to workers that listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from rave_core.errors import BackendError
from rave_core.events import Bus, Events
from rave_http.workers.workers import Workers

_MESSAGE: Final = "events"
_LISTENING: Final = "events-wanted"
_PATIENCE: Final = 5.0  # seconds that sending may take


class PeerBus(Bus):
    """Carries messages among workers. Create it in the event loop of a worker.

    The workers know of each other whether they have subscribers. What nobody subscribed to costs nothing.
    """

    max_bytes = 500_000

    def __init__(self, workers: Workers, events: Events) -> None:
        """Answers the other workers; attach it to ``events``, then call `refresh` every now and then."""
        self.is_wanted = False
        self._workers = workers
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._receive: Callable[[bytes], None] = lambda _: None
        self._listeners: set[str] = set()
        self._said: bool | None = None
        self._is_closed = False
        self._telling = asyncio.Lock()
        workers.answer(_MESSAGE, self._take)
        workers.answer(_LISTENING, self._note)

    def send(self, message: bytes) -> None:
        """Sends a message to the workers that listen. For a thread other than the event loop's.

        Raises:
            BackendError: the worker is about to stop.
        """
        if self._is_closed:
            raise BackendError("this worker is about to stop")
        asyncio.run_coroutine_threadsafe(self._deliver(message.decode()), self._loop).result(_PATIENCE)

    def listen(self, receive: Callable[[bytes], None], interrupted: Callable[[str], None]) -> None:
        """Calls ``receive`` in the event loop."""
        self._receive = receive

    async def refresh(self) -> None:
        """Tells the other workers whether this one listens, if that changed; afterwards they know."""
        async with self._telling:
            listens = self._events.is_subscribed
            if listens is self._said:
                return
            answers = await self._workers.ask(_LISTENING, worker=self._workers.name, listens=listens)
            self._said = listens
            for worker, its in answers.items():
                self._put(worker, listens=its is True)

    def close(self) -> None:
        """Sends and receives nothing any more."""
        self._is_closed, self.is_wanted = True, False
        self._receive = lambda _: None

    async def _deliver(self, message: str) -> None:
        to = sorted(self._listeners)
        if not to:
            return
        answers = await self._workers.ask(_MESSAGE, to=to, message=message)
        for worker in to:
            if worker not in answers and worker not in answers.silent:
                self._put(worker, listens=False)  # it is gone

    def _take(self, facts: dict[str, Any]) -> bool:
        self._receive(str(facts["message"]).encode())
        return True

    def _note(self, facts: dict[str, Any]) -> bool:
        """Notes whether another worker listens, and answers whether this one does."""
        self._put(str(facts["worker"]), listens=bool(facts["listens"]))
        return self._events.is_subscribed

    def _put(self, worker: str, *, listens: bool) -> None:
        if worker != self._workers.name:
            (self._listeners.add if listens else self._listeners.discard)(worker)
            self.is_wanted = bool(self._listeners) and not self._is_closed

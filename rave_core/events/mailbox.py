"""A bounded queue of events between whoever publishes and one receiver. Putting never waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

from rave_core.events.event import Loss

T = TypeVar("T")

SLOW = "the subscriber is slower than the events come"


class Mailbox(Generic[T]):
    """The newest items that a receiver has not taken. Safe for many threads.

    Attributes:
        lost: how many items were dropped in all, as far as that is known.
    """

    def __init__(self, most: int, wake: Callable[[], None]) -> None:
        """Holds ``most`` items; ``wake`` is called when the first comes into an empty one, and must not wait."""
        self.lost = 0
        self._most = most
        self._wake = wake
        self._items: deque[T] = deque()
        self._dropped = 0
        self._losses: list[Loss] = []
        self._is_awake = False
        self._lock = threading.Lock()

    def put(self, item: T) -> None:
        """Adds an item; a full mailbox drops its oldest."""
        with self._lock:
            items = self._items
            if len(items) >= self._most:
                items.popleft()
                self._dropped += 1
                self.lost += 1
            items.append(item)
            is_awake, self._is_awake = self._is_awake, True
        if not is_awake:
            self._wake()

    def tell(self, loss: Loss) -> None:
        """Adds a loss that happened elsewhere. It comes before the items that wait."""
        with self._lock:
            if len(self._losses) < self._most:
                self._losses.append(loss)
            self.lost += loss.count or 0
            is_awake, self._is_awake = self._is_awake, True
        if not is_awake:
            self._wake()

    def take(self, most: int) -> tuple[list[T], list[Loss]]:
        """Removes and returns the oldest ``most`` items, and the losses before them. If empty, the next item wakes."""
        with self._lock:
            losses, self._losses = self._losses, []
            if self._dropped:
                losses.append(Loss(self._dropped, SLOW))
                self._dropped = 0
            items = self._items
            if len(items) <= most:
                taken = list(items)
                items.clear()
            else:
                taken = list(islice(items, most))
                for _ in taken:
                    items.popleft()
            self._is_awake = bool(taken or losses)
            return taken, losses

"""A cache in this process's memory, bounded in bytes, which can also keep decoded values."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar
from weakref import WeakSet

from rave_backends.budget import Budget, Limit, Policy
from rave_backends.memory.eviction_policies import EvictingMaps, Item, worth
from rave_core.backend import Backend, Located, MemoryRef, Purged, StoreURL, parse_age, peek
from rave_core.clock import Clock, SystemClock
from rave_core.errors import ConfigurationError, DamagedError, LaterFormatError
from rave_core.model import Bytes, Entry

DEFAULT_BYTES = 256 << 20
_NOTHING = Located()


_everyone: WeakSet[MemoryBackend] = WeakSet()


class MemoryBackend(Backend):
    """Keeps frames, and immutable values beside them, up to ``max_bytes`` in all.

    It silently drops a frame that is larger than the budget: a memory tier is a help, not a promise. It also drops a
    value whose frame would count twice and no longer fit. Safe for threads; after a fork, each process continues with
    its own copy.
    """

    blocking: ClassVar[bool] = False

    def __init__(
        self,
        *,
        max_bytes: int = DEFAULT_BYTES,
        policy: Policy = "lru",
        budget: Budget | None = None,
        max_age: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Starts empty.

        Args:
            max_bytes: the budget.
            policy: what goes first when the budget is exceeded: ``lru``, the longest unused; ``lfu``, the least used;
                ``cost``, the cheapest to compute for each byte.
            budget: replaces both ``max_bytes`` and ``policy`` with a budget of several limits. If only the total is
                exceeded, the largest namespace gives way.
            max_age: seconds after which an entry that was put here counts as absent, so that RAVE asks the layers below
                again; ``None`` for never.
            clock: the source of time.
        """
        self.budget = budget or Budget(Limit(max_bytes), policy=policy)
        self.max_bytes = self.budget.whole.max_bytes or DEFAULT_BYTES
        self.max_age = max_age
        self._clock = clock or SystemClock()
        self._counts_worth = self.budget.policy == "cost"
        self._lock = threading.RLock()
        self._items = EvictingMaps(self.budget, self.max_bytes)
        self._secret = os.urandom(32)
        _everyone.add(self)

    @classmethod
    def from_url(cls, url: StoreURL) -> MemoryBackend:
        """A cache of its own for ``memory://?max_age=…``, with a `Budget` of 256 MiB by default.

        Raises:
            ConfigurationError: the URL has a host or path, or an option is wrong.
        """
        if url.host or url.path.strip("/"):
            raise ConfigurationError(f"{url}: memory has neither host nor path; expected memory://")
        budget, max_age = Budget.from_url(url, max_bytes=DEFAULT_BYTES), url.take("max_age", parse_age, None)
        url.done()
        return cls(budget=budget, max_age=max_age)

    def __repr__(self) -> str:
        return f"MemoryBackend(max_bytes={self.max_bytes})"

    def get(self, key: str) -> bytes | None:
        """The frame kept under ``key``, whole, or ``None``."""
        item = self._find(key)
        return None if item is None else item.frame

    def aged(self, key: str) -> bytes | None:
        """The frame under ``key``, even if it is older than ``max_age``; or ``None``."""
        with self._lock:
            item = self._items.get(key)
        return None if item is None else item.frame

    def _find(self, key: str) -> Item | None:
        with self._lock:
            item = self._items.get(key)
        return None if item is not None and self._left(item) <= 0 else item

    def _left(self, item: Item) -> float:
        """Seconds for which an item remains valid."""
        return math.inf if self.max_age is None else item.since + self.max_age - self._clock.monotonic()

    def peek(self, key: str) -> bytes | None:
        """The frame kept under ``key``, the very same object until another replaces it, or ``None``."""
        return self.get(key)

    def drop(self, prefix: str) -> None:
        """Forgets the keys that start with ``prefix``."""
        with self._lock:
            for key in [key for key in self._items if key.startswith(prefix)]:
                self._drop(key)

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, in place of the old one, unless it is larger than the budget."""
        content = b"".join(frame)
        item = Item(content, self._clock.monotonic(), worth=worth(content) if self._counts_worth else 0.0)
        with self._lock:
            self._items.replace(key, item)

    def delete(self, key: str) -> bool:
        """Forgets ``key``; whether it existed. Readers that already have it can still read it."""
        with self._lock:
            return self._drop(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order, as they were when this was called."""
        with self._lock:
            found = [key for key in self._items if key.startswith(prefix)]
        return iter(found)

    def close(self) -> None:
        """Forgets everything."""
        with self._lock:
            for key in list(self._items):
                self._drop(key)

    def secret(self) -> bytes:
        """A key with the lifetime of this object."""
        return self._secret

    def get_value(self, key: str) -> Located:
        """What is kept under ``key``: its frame, and its value if there is one."""
        item = self._find(key)
        return _NOTHING if item is None else Located(item.frame, item.ref, item)

    def hold_value(self, key: str, located: Located, value: object, entry: Entry) -> MemoryRef | None:
        """Keeps the decoded value of a located frame beside it; ``None`` if there is no room for both.

        Drops the value if another frame has replaced its own, or if the frame is too old.
        """
        item = located.origin
        with self._lock:
            if not isinstance(item, Item) or self._items.peek(key) is not item or self._left(item) <= 0:
                return None
            ref = self._ref(value, entry, item)
            return ref if self._items.replace(key, Item(item.frame, item.since, ref, worth=item.worth)) else None

    def hold_frame(self, key: str, located: Located) -> None:
        """Does nothing: located frames are already here."""

    def put_value(self, key: str, frame: Sequence[Bytes], value: object, entry: Entry) -> MemoryRef | None:
        """Keeps ``frame`` with its value beside it; ``None`` if there is no room for both, or for the frame."""
        content, since = b"".join(frame), self._clock.monotonic()
        ref = MemoryRef(value, entry, entry.expires_at, entry.seconds)
        if self.max_age is not None:
            ref.expires_at = min(ref.expires_at, self._clock.now() + self.max_age)
        item = Item(content, since, ref, worth=worth(content) if self._counts_worth else 0.0)
        with self._lock:
            return ref if self._items.replace(key, item) else None

    def _ref(self, value: object, entry: Entry, item: Item) -> MemoryRef:
        ref = MemoryRef(value, entry, entry.expires_at, entry.seconds)
        if self.max_age is not None:
            ref.expires_at = min(ref.expires_at, self._clock.now() + self._left(item))
        return ref

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Drops dead entries and invalid frames. The budget always holds, and there are no products."""
        removed = Purged()
        with self._lock:
            frames = [(key, item.frame) for key in self._items if (item := self._items.peek(key))]
        for key, frame in frames:
            try:
                entries, leftovers = int(is_dead(peek(frame))), 0
            except LaterFormatError:
                continue
            except DamagedError:
                entries, leftovers = 0, 1
            if (entries or leftovers) and self._drop_frame(key, frame):
                removed += Purged(entries, len(frame), leftovers)
        return removed

    def last_purge(self) -> float | None:
        """``None``: nobody else purges this memory."""
        return None

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes used, including their estimated overhead."""
        with self._lock:
            return len(self._items), self._items.size

    def _drop(self, key: str) -> bool:
        item = self._items.pop(key)
        if item is None:
            return False
        item.let_go()
        return True

    def _drop_frame(self, key: str, frame: bytes) -> bool:
        with self._lock:
            item = self._items.peek(key)
            return item is not None and item.frame is frame and self._drop(key)


def _lock_all() -> None:
    # A thread in the middle of a change does not exist in the child, so no fork may happen then.
    global _locked
    _forking.acquire()  # two threads may fork at once
    _locked = list(_everyone)
    for backend in _locked:
        backend._lock.acquire()


def _unlock_all() -> None:
    for backend in _locked:
        backend._lock.release()
    _locked.clear()
    _forking.release()


_locked: list[MemoryBackend] = []
_forking = threading.Lock()
os.register_at_fork(before=_lock_all, after_in_parent=_unlock_all, after_in_child=_unlock_all)

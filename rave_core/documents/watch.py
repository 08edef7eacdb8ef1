"""A watch: calls back for each commit, in a thread of its own, whatever happens to the store meanwhile."""

from __future__ import annotations

import logging
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Final, Self

from rave_core.clock import Clock
from rave_core.documents.document import Change
from rave_core.errors import StoreAwayError, describe_error

_log = logging.getLogger("rave")
_PAGE: Final = 500
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to reach a store that is away; the last one repeats."""


class News(ABC):
    """How a store tells a watch that there may be new commits. Used by one thread, except for ``wake``."""

    @abstractmethod
    def wait(self) -> None:
        """Returns when there may be something new, and at the latest after the store's own interval of reading.

        The first call connects, and returns at once.

        Raises:
            StoreAwayError: the connection is lost; the next call makes another.
        """

    @abstractmethod
    def wake(self) -> None:
        """Lets ``wait`` return at once. Any thread may call it."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection. Called by the thread that waits, at its end."""


class Watch:
    """Calls back for each commit in a store, in order, each once, in a thread of its own, until it is closed.

    - The callback should be quick: the next commit waits for it. If it raises an exception, that is logged, and the
      watch goes on with the next commit. A `rave_core.errors.StoreAwayError` from it is taken as trouble of the
      store: the same commit is delivered again later.
    - While the store is away, the watch tries again and again. It misses nothing, since it reads on from the last
      commit that it delivered.
    - A version that was trimmed before it was delivered is left out; the newest version of each key never is.
    - A forked child has no watches.

    Attributes:
        sequence: the number of the last commit that was delivered, or at which it started.
        trouble: why the store can't be read at present; ``None`` while all is well.
    """

    def __init__(
        self,
        since: int,
        callback: Callable[[Change], object],
        *,
        read: Callable[[int, int], Iterable[Change]],
        news: News,
        clock: Clock,
        name: str,
    ) -> None:
        """Starts it; stores call this in their `DocumentStore.watch`.

        Args:
            since: the number after which to begin.
            callback: called with each commit.
            read: gives the commits after a number, at most so many.
            news: says when to read.
            clock: for ``age``.
            name: of the store, for the log.
        """
        self.sequence = since
        self.trouble: str | None = None
        self._callback, self._read, self._news, self._clock, self._name = callback, read, news, clock, name
        self._seen_at = clock.monotonic()
        self._closed = threading.Event()
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="rave-watch", daemon=True)
        self._thread.start()

    def age(self) -> float:
        """Seconds since the watch last had everything that the store had then."""
        return max(self._clock.monotonic() - self._seen_at, 0.0)

    def reach(self, sequence: int, seconds: float) -> bool:
        """Waits until the commit ``sequence`` was delivered, at most ``seconds``; returns whether it was."""
        with self._moved:
            return self._moved.wait_for(lambda: self.sequence >= sequence, seconds)

    def wake(self) -> None:
        """Makes it read now."""
        self._news.wake()

    def close(self) -> None:
        """Ends it. After that, the callback is not called again, unless it is the callback that closes the watch."""
        self._closed.set()
        self._news.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            try:
                self._news.wait()
                self._deliver()
            except Exception as error:  # noqa: BLE001  # a watch goes on, whatever a driver raises
                self._complain(error)
                self._closed.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            else:
                failures, self.trouble = 0, None
        self._news.close()

    def _complain(self, error: Exception) -> None:
        if self.trouble is None:
            _log.warning("documents in %s can't be watched at present: %s", self._name, describe_error(error))
        self.trouble = describe_error(error)

    def _deliver(self) -> None:
        """Everything that there is at present."""
        while not self._closed.is_set():
            began = self._clock.monotonic()
            page = list(self._read(self.sequence, _PAGE))
            for change in page:
                if self._closed.is_set():
                    return
                self._tell(change)
            if len(page) < _PAGE:
                self._seen_at = began
                return

    def _tell(self, change: Change) -> None:
        try:
            self._callback(change)
        except StoreAwayError:
            raise
        except Exception:  # noqa: BLE001  # a callback may raise anything, and the next commit counts as well
            _log.exception("the callback of a watch failed for commit %d in %s", change.sequence, self._name)
        with self._moved:
            self.sequence = change.sequence
            self._moved.notify_all()


class Watches:
    """The watches of one store in this process."""

    def __init__(self) -> None:
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def add(self, watch: Watch) -> Watch:
        """Adds one; returns it."""
        self._watches.add(watch)
        return watch

    def wake(self) -> None:
        """Makes all read now, since this process has just saved something."""
        for watch in list(self._watches):
            watch.wake()

    def close(self) -> None:
        """Ends all."""
        for watch in list(self._watches):
            watch.close()
        self._watches.clear()

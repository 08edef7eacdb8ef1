"""Opening what a first call needs, once at a time in the process.

Opening imports modules and takes locks. A signal handler may interrupt it and call an operation in the same thread, and
another thread may fork at the same time. This module detects the first; the fork waits until nothing is being opened,
because a child would inherit import locks that nobody in it ever releases.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rave_core.errors import Signal


class BeingOpened(Signal):
    """This very thread is opening the requested thing, further down its stack, so it can't wait for it."""


class Gate:
    """Lets one thread at a time open something. A fork waits for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._names: set[int] = set()
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    @contextmanager
    def opening(self, thing: object) -> Iterator[None]:
        """Opens ``thing`` in a ``with`` block. Other things may be opened inside of it.

        Raises:
            BeingOpened: this thread is opening the same thing.
        """
        with self._lock:
            if id(thing) in self._names:
                raise BeingOpened
            self._names.add(id(thing))
            try:
                yield
            finally:
                self._names.discard(id(thing))


gate = Gate()

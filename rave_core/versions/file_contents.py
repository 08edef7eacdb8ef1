"""The contents of files as this process read them: a loaded file may have changed by the time it is needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from msgspec import Struct

from rave_core.versions.loaded_files import State

_EARLIER = 4


class _Content(Struct, frozen=True):
    state: State
    data: bytes


class FileContents:
    """Contents by path. Safe for many threads."""

    def __init__(self) -> None:
        self._now: dict[str, _Content] = {}
        self._earlier: dict[str, list[_Content]] = {}
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._after_fork)

    def read(self, path: str) -> tuple[bytes, int]:
        """The content of a file, and the time of its modification in nanoseconds; read once while it is the same.

        Raises:
            OSError: it can't be read.
        """
        status = os.stat(path)
        known, state = self._now.get(path), (status.st_mtime_ns, status.st_size)
        if known is not None and known.state == state:
            return known.data, state[0]
        with open(path, "rb") as file:
            found = _Content(state, file.read())
        with self._lock:
            if known is not None:  # also for equal ones: a module may have been loaded from either
                self._earlier[path] = [known, *self._earlier.get(path, ())][:_EARLIER]
            self._now[path] = found
        return found.data, state[0]

    def earlier(self, path: str) -> Sequence[bytes]:
        """Earlier contents of a file, as far as they were read; the latest first."""
        return [each.data for each in self._earlier.get(path, ())]

    def in_state(self, path: str, state: State) -> bytes | None:
        """The content of a file in a state; ``None`` if it is in another one now, and was not read before.

        Raises:
            OSError: it can't be read.
        """
        data, _ = self.read(path)
        if self._now[path].state == state:
            return data
        return next((each.data for each in self._earlier.get(path, ()) if each.state == state), None)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()  # which another thread of the parent may have held


contents = FileContents()
"""Those of this process."""

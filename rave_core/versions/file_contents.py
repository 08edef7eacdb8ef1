"""The contents of files as this process read them: a loaded file may have changed by the time it is needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

_EARLIER = 4


@dataclass(frozen=True, slots=True)
class _Content:
    mtime_ns: int
    size: int
    data: bytes


class FileContents:
    """Contents by path. Safe for many threads."""

    def __init__(self) -> None:
        self._now: dict[str, _Content] = {}
        self._earlier: dict[str, list[bytes]] = {}
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._after_fork)

    def read(self, path: str) -> tuple[bytes, int]:
        """The content of a file, and the time of its modification in nanoseconds; read once while it is the same.

        Raises:
            OSError: it can't be read.
        """
        status = os.stat(path)
        known = self._now.get(path)
        if known is not None and (known.mtime_ns, known.size) == (status.st_mtime_ns, status.st_size):
            return known.data, known.mtime_ns
        with open(path, "rb") as file:
            found = _Content(status.st_mtime_ns, status.st_size, file.read())
        with self._lock:
            if known is not None and known.data != found.data:
                self._earlier[path] = [known.data, *self._earlier.get(path, ())][:_EARLIER]
            self._now[path] = found
        return found.data, found.mtime_ns

    def earlier(self, path: str) -> Sequence[bytes]:
        """Earlier contents of a file, as far as they were read; the latest first."""
        return self._earlier.get(path, ())

    def _after_fork(self) -> None:
        self._lock = threading.RLock()  # which another thread of the parent may have held


contents = FileContents()
"""Those of this process."""

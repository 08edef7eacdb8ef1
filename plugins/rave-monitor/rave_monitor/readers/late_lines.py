"""Lines that a writer adds to a rotated file after it was read to its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from rave_monitor.readers.file_identity import FileIdentity, rotated

_BETWEEN: Final = 60.0
"""Seconds between two messages about one file."""
_CHUNK: Final = 128 << 10


class LateLines:
    """Watches a rotated file that was read to its end, and tells how much is added to it. One thread uses it.

    It holds the file, which may be renamed, compressed or removed meanwhile.

    Attributes:
        size: how many bytes of the file were read or told.
    """

    def __init__(
        self, path: Path, file: int, size: int, tell: Callable[[str], None], monotonic: Callable[[], float]
    ) -> None:
        """Watches an open file, of the log at ``path``, of which ``size`` bytes were read."""
        self.size = size
        self._path, self._file, self._tell, self._monotonic = path, file, tell, monotonic
        self._due = monotonic()

    @classmethod
    def found(
        cls, path: Path, known: FileIdentity, size: int, tell: Callable[[str], None], monotonic: Callable[[], float]
    ) -> Self | None:
        """Goes on with a file after a restart; ``None`` if it is not beside the log any more."""
        for each in rotated(path):
            try:
                file = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            if known.is_of(file):
                return cls(path, file, size, tell, monotonic)
            os.close(file)
        return None

    def look(self, *, is_last: bool = False) -> None:
        """Tells how much was added since the last message, at most once a minute unless it is the last look."""
        if os.fstat(self._file).st_size > self.size and (is_last or self._monotonic() >= self._due):
            self._due = self._monotonic() + _BETWEEN
            self._tell_added()

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._file)

    def _tell_added(self) -> None:
        number, begin = 0, self.size
        while data := os.pread(self._file, _CHUNK, self.size):
            number += data.count(b"\n")
            self.size += len(data)
        what = "1 line was" if number == 1 else f"{number} lines were"
        self._tell(
            f"{self._path}: {what} written to a rotated file after it was read to its end, at byte {begin}; "
            "leaves them out"
        )

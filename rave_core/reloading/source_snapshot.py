"""A snapshot of the Python files of a directory: its content at one moment, independent of later changes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rave_core.clock import SystemClock
from rave_core.settings.trust import doubt


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read.

    Attributes:
        data: its bytes.
        mtime_ns: when it had been changed last.
    """

    data: bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The Python files that can be imported from a directory, as they were read.

    Attributes:
        directory: its real path, so that a changed link does not affect the snapshot.
        files: by path, those that could be read.
        read_at: when reading began, in seconds of the monotonic clock, which the processes of one host share.
    """

    directory: str
    files: Mapping[str, Source]
    read_at: float

    @classmethod
    def of(cls, directory: str) -> Snapshot:
        """The present content of a directory; without files if it can't be read."""
        began, real = SystemClock.monotonic(), os.path.realpath(directory)
        found = ((path, _read(path)) for path in _modules(real))
        return cls(real, {path: source for path, source in found if source is not None}, began)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(source.data) for source in self.files.values())

    def doubt(self) -> str | None:
        """Why others may have written the code: they can change a file or a directory above it; else ``None``.

        Each file is checked by itself, each directory once.
        """
        directories = {os.path.dirname(path) for path in self.files}
        reasons = (*map(doubt, sorted(directories)), *(doubt(path, above=False) for path in self.files))
        return next((f"is refused: {reason}" for reason in reasons if reason is not None), None)


def _modules(directory: str) -> Iterator[str]:
    seen = {directory}
    for place, inner, files in os.walk(directory, followlinks=True):
        inner[:] = [each for each in inner if "." not in each and _is_new(os.path.join(place, each), seen)]
        yield from (os.path.join(place, each) for each in files if each.endswith(".py"))


def _is_new(directory: str, seen: set[str]) -> bool:
    """Whether this is the first visit: links can form cycles."""
    real = os.path.realpath(directory)
    is_new = real not in seen
    seen.add(real)
    return is_new


def _read(path: str) -> Source | None:
    try:
        with open(path, "rb") as file:
            return Source(file.read(), os.fstat(file.fileno()).st_mtime_ns)
    except OSError:
        return None

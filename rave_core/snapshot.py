"""A snapshot of the Python files of a directory: what it held at one moment, whatever is done to it later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read.

    Attributes:
        data: its bytes.
        mtime_ns: when it had been changed last.
    """

    data: bytes
    mtime_ns: int


class Snapshot:
    """The Python files that can be imported from a directory, by path."""

    def __init__(self, directory: str) -> None:
        """Reads them. What can't be read is left for whoever asks for it."""
        self._files: dict[str, Source | OSError] = {}
        seen = {directory}
        for place, inner, files in os.walk(directory, followlinks=True):
            inner[:] = [each for each in inner if "." not in each and _is_new(os.path.join(place, each), seen)]
            for path in (os.path.join(place, each) for each in files if each.endswith(".py")):
                self._files[path] = _read(path)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def read(self, path: str) -> Source:
        """A file as it was. One that was not there yet is read now, and stays as it is now.

        Raises:
            OSError: it could not be read.
        """
        found = self._files.get(path)
        if found is None:
            found = self._files.setdefault(path, _read(path))
        if isinstance(found, OSError):
            raise found
        return found


def _is_new(directory: str, seen: set[str]) -> bool:
    """Whether it is met for the first time: links can go round in circles."""
    real = os.path.realpath(directory)
    is_new = real not in seen
    seen.add(real)
    return is_new


def _read(path: str) -> Source | OSError:
    try:
        with open(path, "rb") as file:
            return Source(file.read(), os.fstat(file.fileno()).st_mtime_ns)
    except OSError as error:
        return error

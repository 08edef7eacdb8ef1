"""Temporary files and drafts. Their names say which process created them, and so show a crash's leftovers."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b

from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.model import Bytes
from rave_core.system.host import host_id, is_alive, process_start

DAY = 86400.0
_PIECES = 512  # below IOV_MAX on every system


class TempFiles:
    """The directory for files under construction. Safe for threads, processes and hosts, and across a fork."""

    def __init__(self, files: RootedFiles, directory: str) -> None:
        self.directory = directory
        self._files = files
        self._numbers = itertools.count()
        self._name = os.urandom(4).hex()  # differs between objects of one process
        self._pid = 0
        self._owner = ""

    def path(self) -> str:
        """A path that nobody else uses, now or later."""
        pid = os.getpid()
        if pid != self._pid:
            self._owner = f"{host()}.{pid}.{process_start(pid)}.{self._name}"
            self._pid = pid
        return f"{self.directory}/{self._owner}.{next(self._numbers)}"

    def write(self, pieces: Sequence[Bytes], *, mode: int, exact: bool = False, durable: bool = False) -> str:
        """The path of a new file that holds ``pieces``.

        Args:
            pieces: written one after the other.
            mode: permissions, subject to the umask unless ``exact``.
            exact: whether ``mode`` applies regardless of the umask.
            durable: whether the bytes are on the disk when this returns.

        Raises:
            OSError: writing failed; nothing is left behind.
        """
        path = self.path()
        file = self._files.create(path, mode, exact=exact)
        try:
            try:
                _write_all(file, pieces)
                if durable:
                    os.fsync(file)
            finally:
                os.close(file)
        except BaseException:
            self._files.remove(path)
            raise
        return path

    def sweep(self, now: float) -> int:
        """Removes what dead processes of this host left, and others' files older than a day; returns how many."""
        removed = 0
        for name in self._files.listdir(self.directory):
            path = f"{self.directory}/{name}"
            if is_abandoned(name) or (_is_foreign(name) and now - self._newest(path) > DAY):
                removed += self._files.remove(path)
        return removed

    def _newest(self, path: str) -> float:
        try:
            below = (f"{path}/{name}" for name in self._files.listdir(path))
            return max(self._files.status(each).st_mtime for each in (path, *below))
        except OSError:
            return math.inf  # gone since


def _write_all(file: int, pieces: Sequence[Bytes]) -> None:
    for start in range(0, len(pieces), _PIECES):
        some = pieces[start : start + _PIECES]
        left = sum([memoryview(piece).nbytes for piece in some]) - os.writev(file, some)
        if left:
            _write_rest(file, some, left)


def _write_rest(file: int, pieces: Sequence[Bytes], left: int) -> None:
    # One call writes at most 2 GiB, and less when a signal arrives.
    rest = memoryview(b"".join(pieces))[-left:]
    while rest:
        rest = rest[os.write(file, rest) :]


def is_abandoned(name: str) -> bool:
    """Whether ``name`` comes from a process of this host that has ended."""
    if _is_foreign(name):
        return False
    _, pid, start, *_ = name.split(".")
    return not is_alive(int(pid), start)


def _is_foreign(name: str) -> bool:
    parts = name.split(".")
    return len(parts) < 4 or parts[0] != host() or not parts[1].isdecimal()


@cache
def host() -> str:
    """A short name for this boot of this host and for its process numbers."""
    return blake2b(host_id().encode(), digest_size=6).hexdigest()

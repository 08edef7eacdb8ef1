"""Temporary files and drafts, each named for the process that made it, so that a crash's leftovers can be told."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b

from rave_core.host import host_id, is_alive, process_start
from rave_core.model import Bytes

DAY = 86400.0
_PIECES = 512  # below every system's IOV_MAX


class TempFiles:
    """The directory of what is being written. Safe for threads, processes and hosts, and over a fork."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._numbers = itertools.count()
        self._name = os.urandom(4).hex()  # another object of this process has another
        self._pid = 0
        self._owner = ""

    def path(self) -> str:
        """A path that nobody else has or will have."""
        pid = os.getpid()
        if pid != self._pid:
            self._owner = f"{host()}.{pid}.{process_start(pid)}.{self._name}"
            self._pid = pid
        return f"{self.directory}/{self._owner}.{next(self._numbers)}"

    def write(self, pieces: Sequence[Bytes], *, mode: int, exact: bool = False, durable: bool = False) -> str:
        """The path of a new file that holds ``pieces``.

        Args:
            pieces: written one after the other.
            mode: permissions, of which the umask takes away unless ``exact``.
            exact: whether ``mode`` holds whatever the umask.
            durable: whether the bytes are on the disk when this returns.

        Raises:
            OSError: it could not be written; nothing is left behind.
        """
        path = self.path()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            try:
                if exact:
                    os.fchmod(file, mode)
                _write_all(file, pieces)
                if durable:
                    os.fsync(file)
            finally:
                os.close(file)
        except BaseException:
            remove(path)
            raise
        return path

    def sweep(self, now: float) -> int:
        """Removes what dead processes of this host left, and what is older than a day of others; how many."""
        removed = 0
        for name in listdir(self.directory):
            path = f"{self.directory}/{name}"
            if is_abandoned(name) or (_is_foreign(name) and now - _newest(path) > DAY):
                removed += remove(path)
        return removed


def _write_all(file: int, pieces: Sequence[Bytes]) -> None:
    for start in range(0, len(pieces), _PIECES):
        some = pieces[start : start + _PIECES]
        left = sum([memoryview(piece).nbytes for piece in some]) - os.writev(file, some)
        if left:
            _write_rest(file, some, left)


def _write_rest(file: int, pieces: Sequence[Bytes], left: int) -> None:
    # One call writes 2 GiB at most, and less when a signal comes.
    rest = memoryview(b"".join(pieces))[-left:]
    while rest:
        rest = rest[os.write(file, rest) :]


def remove(path: str) -> bool:
    """Removes a file, or a directory with all in it; whether there was one. Failures are left to the next sweep."""
    try:
        os.unlink(path)
    except IsADirectoryError:
        shutil.rmtree(path, ignore_errors=True)
    except PermissionError:
        if not os.path.isdir(path) or os.path.islink(path):  # some systems refuse to unlink a directory this way
            return False
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        return False
    return True


def listdir(directory: str) -> list[str]:
    """The names in ``directory``; none where there is no such directory."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_abandoned(name: str) -> bool:
    """Whether ``name`` was given by a process of this host that is no more."""
    if _is_foreign(name):
        return False
    _, pid, start, *_ = name.split(".")
    return not is_alive(int(pid), start)


def _is_foreign(name: str) -> bool:
    parts = name.split(".")
    return len(parts) < 4 or parts[0] != host() or not parts[1].isdecimal()


def _newest(path: str) -> float:
    try:
        return max([os.lstat(path).st_mtime, *(os.lstat(f"{path}/{name}").st_mtime for name in listdir(path))])
    except OSError:
        return math.inf  # gone meanwhile


@cache
def host() -> str:
    """A short name for this host since it started, and for the process numbers that are valid in it."""
    return blake2b(host_id().encode(), digest_size=6).hexdigest()

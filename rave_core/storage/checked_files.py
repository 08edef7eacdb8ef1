"""Files that must match their entries. The check uses the same descriptor that is then read."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from rave_core.errors import DamagedError
from rave_core.model import Entry
from rave_core.storage.digests import algorithm_of

_MOST = 10_000
_NO_FILE = frozenset((errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EAGAIN))


def open_plain(path: str) -> BinaryIO:
    """The plain file ``path``, open for reading: not a link, and without waiting for a pipe or a device.

    Raises:
        FileNotFoundError: there is nothing.
        DamagedError: it is something else.
        OSError: it can't be opened.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise DamagedError(f"{path} is not a plain file any more") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise DamagedError(f"{path} is not a plain file any more")
    return os.fdopen(file, "rb")


class CheckedFiles:
    """Opens files and compares them with their entries: the size each time, the digest if it is not yet known.

    A comparison counts until the file's status shows that somebody has touched it. Safe for many threads.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[object, ...]] = {}

    def open(self, path: str, entry: Entry) -> BinaryIO:
        """The file ``path``, open at its beginning, after a check that it matches ``entry``, whose seal was checked.

        Raises:
            FileNotFoundError: there is nothing.
            DamagedError: it is no plain file, or holds something else.
            OSError: it can't be read.
        """
        file = open_plain(path)
        try:
            self._check(path, file, entry)
        except BaseException:
            file.close()
            raise
        return file

    def trust(self, path: str, entry: Entry, status: os.stat_result) -> None:
        """Notes that the file with that status, now at ``path``, matches ``entry``."""
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[path] = _untouched(status, entry)

    def _check(self, path: str, file: BinaryIO, entry: Entry) -> None:
        status = os.fstat(file.fileno())
        if status.st_size != entry.size:
            raise DamagedError(f"{entry.key}: {path} has {status.st_size} bytes instead of {entry.size}")
        if self._seen.get(path) == _untouched(status, entry):
            return
        if algorithm_of(entry.digest).of_file(file) != entry.digest:
            raise DamagedError(f"{entry.key}: {path} does not have the digest that its entry holds")
        file.seek(0)
        self.trust(path, entry, status)


def _untouched(status: os.stat_result, entry: Entry) -> tuple[object, ...]:
    """What stays equal while nobody touches a file. Unlike other times, the change time can't be set back."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
        entry.digest,
    )

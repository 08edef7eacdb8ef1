"""Locks between processes that cost no disk: one byte of an empty file for each key.

They are open file description locks (Linux; ``F_OFD_SETLK`` in fcntl(2)). The kernel releases them when the last
process that has the description ends, however it ends. A forked child therefore closes it at once, so that nobody waits
for a dead process because a child of it lives on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from rave_core.clock import Clock

_TRUST = 1.0  # seconds for which we assume that the file is still in place
_FLOCK = struct.Struct("@hhqqi4x")  # l_type, l_whence, l_start, l_len, l_pid
_UNSUPPORTED = frozenset((errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY))
_TAKE = getattr(fcntl, "F_OFD_SETLK", None)
_ASK = getattr(fcntl, "F_OFD_GETLK", None)


class ByteLocks:
    """Who holds which key, among all that have the file open. Safe for threads, which exclude each other too.

    If the system or the file system has no such locks, ``take`` returns ``None``.
    """

    def __init__(self, path: str, opener: Callable[[str], int], clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._checked = 0.0
        self._opener = opener
        self._file: int | None = None
        self._pid = 0
        self._taken: set[str] = set()
        self._guard = threading.RLock()
        _everyone.add(self)

    def take(self, key: str) -> bool | None:
        """Takes ``key`` if nobody has it; whether it did. ``None`` if such locks are not available.

        Raises:
            OSError: the file can't be opened.
        """
        if _TAKE is None:
            return None
        with self._guard:
            file = self._file if self._was_current_lately() else self._opened()
            if key in self._taken or file is None:
                return False
            try:
                fcntl.fcntl(file, _TAKE, _flock(fcntl.F_WRLCK, key))
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    return None
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    return False
                raise
            self._taken.add(key)
            return True

    def free(self, key: str) -> None:
        """Releases ``key``, if this process took it."""
        with self._guard:
            if self._file is None or self._pid != os.getpid() or key not in self._taken:
                return  # in a forked child the lock is the parent's
            self._taken.discard(key)
            fcntl.fcntl(self._file, _TAKE or 0, _flock(fcntl.F_UNLCK, key))

    def holds(self, key: str) -> bool:
        """Whether this process has ``key``."""
        return key in self._taken and self._pid == os.getpid()

    def is_taken(self, key: str) -> bool:
        """Whether anybody has ``key``."""
        with self._guard:
            return key in self._taken or self._length(key) is not None

    def is_covered(self, key: str) -> bool:
        """Whether somebody holds ``key`` by a lock on more than its byte, which nobody takes who claims a key."""
        with self._guard:
            return key not in self._taken and self._length(key) not in (None, 1)

    def _length(self, key: str) -> int | None:
        """The bytes that another's lock on ``key`` covers, 0 for all; ``None`` if there is none."""
        if _ASK is None:
            return None
        try:
            kind, _, _, length, _ = _FLOCK.unpack(fcntl.fcntl(self._opened(), _ASK, _flock(fcntl.F_WRLCK, key)))
        except OSError:
            return None
        return None if kind == fcntl.F_UNLCK else int(length)

    def close(self) -> None:
        """Releases everything."""
        with self._guard:
            self._close()

    def _was_current_lately(self) -> bool:
        return self._pid == os.getpid() and self._clock.monotonic() < self._checked + _TRUST

    def _opened(self) -> int:
        """The file that all processes share: reopened after a fork, or if it was removed and created again."""
        self._checked = self._clock.monotonic()
        if self._file is not None and self._is_current(self._file):
            return self._file
        self._close()
        self._file = self._opener(self._path)
        self._pid = os.getpid()
        return self._file

    def _is_current(self, file: int) -> bool:
        try:
            return self._pid == os.getpid() and os.path.samestat(
                os.fstat(file), os.stat(self._path, follow_symlinks=False)
            )
        except OSError:
            return False

    def _close(self) -> None:
        file, self._file = self._file, None
        self._taken.clear()
        if file is not None:
            os.close(file)

    def _leave_to_parent(self) -> None:
        """In a forked child: the locks are the parent's, and another thread of it may have held the guard."""
        self._guard = threading.RLock()
        self._close()

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


def _flock(kind: int, key: str) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, _byte(key), 1, 0)


@lru_cache(maxsize=256)
def _byte(key: str) -> int:
    """Which byte stands for ``key``. Remembered for a while, since whoever takes a key also frees it."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) >> 2


def _after_fork() -> None:
    for locks in list(_everyone):
        locks._leave_to_parent()


_everyone: weakref.WeakSet[ByteLocks] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)

"""A lock between processes that the system releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rave_core.clock import Clock

_PAUSE = 0.005


@contextmanager
def file_lock(
    path: str, opener: Callable[[str], int], clock: Clock, *, seconds: float = 0.0, shared: bool = False
) -> Iterator[bool]:
    """Holds the lock file ``path`` during the ``with`` block; yields whether it got the lock.

    Threads of one process exclude each other too. A removed lock file is created again. A child that is forked
    meanwhile does not hold it.

    Args:
        path: the lock file; its directory must exist.
        opener: opens the lock file, and creates it if it is missing.
        clock: does the waiting.
        seconds: how long to try for; 0 tries once.
        shared: whether other shared holders may hold it at the same time.

    Raises:
        OSError: the file can't be opened, or the file system has no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    file = _take(path, opener, kind)
    for _ in range(int(seconds / _PAUSE)):
        if file is not None:
            break
        clock.wait(threading.Event(), _PAUSE)
        file = _take(path, opener, kind)
    holder = os.getpid()
    try:
        yield file is not None
    finally:
        if file is not None and os.getpid() == holder:
            _release(file)


def _take(path: str, opener: Callable[[str], int], kind: int) -> int | None:
    while True:
        file = opener(path)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if _is_at(file, path):
                _held.add(file)
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # removed before we locked it: others now lock a new file


def _is_at(file: int, path: str) -> bool:
    """Whether others who open ``path`` get the same file."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _release(file: int) -> None:
    _held.discard(file)
    try:
        fcntl.flock(file, fcntl.LOCK_UN)  # a child that is being forked may have it for a moment longer
    finally:
        os.close(file)


def _after_fork() -> None:
    while _held:
        os.close(_held.pop())


_held: set[int] = set()
os.register_at_fork(after_in_child=_after_fork)

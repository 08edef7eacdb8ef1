"""A lock between processes that the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rave_core.clock import Clock

_PAUSE = 0.005


@contextmanager
def file_lock(
    path: str, clock: Clock, *, seconds: float = 0.0, shared: bool = False, mode: int = 0o600, exact: bool = False
) -> Iterator[bool]:
    """Holds the lock file ``path`` inside the ``with`` block, and tells whether it could be had.

    Threads of one process exclude each other too. A removed lock file is made anew.

    Args:
        path: the lock file; its directory must exist.
        clock: what waits.
        seconds: how long to try for; 0 tries once.
        shared: whether other shared holders are welcome.
        mode: permissions of a lock file that is made, of which the umask takes away unless ``exact``.
        exact: whether ``mode`` holds whatever the umask.

    Raises:
        OSError: the file can't be opened, or the file system has no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    file = _take(path, kind, mode, exact)
    for _ in range(int(seconds / _PAUSE)):
        if file is not None:
            break
        clock.wait(threading.Event(), _PAUSE)
        file = _take(path, kind, mode, exact)
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)


def _take(path: str, kind: int, mode: int, exact: bool) -> int | None:
    while True:
        file = open_lock(path, mode, exact)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the file was removed before it was locked: others lock another one


def open_lock(path: str, mode: int, exact: bool) -> int:
    """The lock file ``path``, made where it is missing; with exactly ``mode`` if ``exact``, whatever the umask."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    info = os.fstat(file)
    if exact and info.st_mode & 0o777 != mode and info.st_uid == os.geteuid():
        os.fchmod(file, mode)
    return file


def _is_at(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False

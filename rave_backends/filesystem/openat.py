"""Opens what lies below a directory without ever leaving it: by Linux's ``openat2``, or one name after the other.

Neither follows a symbolic link anywhere in the path, so users who can write below the directory can't lead us out.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache

_CALL = 437  # openat2(2); the same number on every architecture of Linux except alpha
_NO_SYMLINKS, _BENEATH = 0x04, 0x08
_REFUSED = frozenset((errno.ENOSYS, errno.EPERM))  # by an old kernel, or by the filter of a container
O_PATH = getattr(os, "O_PATH", os.O_RDONLY)
DIRECTORY = O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor of ``path``, relative to the open ``directory``; without ``..``, absolute paths, or links in it.

    Raises:
        OSError: it can't be opened; for a link, ``ELOOP`` or ``ENOTDIR``.
    """
    call = _openat2()
    if call is not None:
        return call(directory, path, flags, mode)
    return _open_by_names(directory, path, flags, mode)


def _open_by_names(directory: int, path: str, flags: int, mode: int) -> int:
    *parts, name = path.split("/")
    here = directory
    try:
        for part in parts:
            below = os.open(part, DIRECTORY, dir_fd=here)
            if here != directory:
                os.close(here)
            here = below
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        if here != directory:
            os.close(here)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def _openat2() -> Callable[[int, str, int, int], int] | None:
    """The system call; ``None`` if there is none."""
    if not sys.platform.startswith("linux") or os.uname().machine == "alpha":
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    size = ctypes.sizeof(_How)

    def openat2(directory: int, path: str, flags: int, mode: int) -> int:
        how = _How(flags, mode if flags & os.O_CREAT else 0, _NO_SYMLINKS | _BENEATH)
        while True:
            file: int = call(_CALL, directory, os.fsencode(path), ctypes.byref(how), size)
            if file >= 0:
                return file
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number), path)

    root = os.open("/", DIRECTORY)
    try:
        os.close(openat2(root, ".", DIRECTORY, 0))
    except OSError as error:
        if error.errno in _REFUSED:
            return None
    finally:
        os.close(root)
    return openat2

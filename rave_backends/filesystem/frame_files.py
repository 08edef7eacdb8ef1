"""Frames that are files."""

from __future__ import annotations

import os

from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.backend import HEAD_SIZE, Truncated, peek
from rave_core.model import Entry


def read_entry(files: RootedFiles, path: str) -> tuple[Entry, os.stat_result]:
    """The entry in the frame file ``path``, unchecked, and the file's status.

    Raises:
        OSError: it can't be read.
        DamagedError: it does not start with a header that can be read.
        LaterFormatError: a later version wrote it.
    """
    file = files.open(path)
    try:
        info = os.fstat(file)
        try:
            return peek(os.pread(file, HEAD_SIZE, 0)), info
        except Truncated as short:
            if short.needed > info.st_size:
                raise
            return peek(os.pread(file, short.needed, 0)), info
    finally:
        os.close(file)


def read_whole(file: int, size: int) -> bytearray:
    """The content of an open file of ``size`` bytes; less if it has been truncated since.

    Raises:
        OSError: it can't be read.
    """
    frame = bytearray(size)
    start = os.readv(file, [frame])
    while start != size and (more := os.readv(file, [memoryview(frame)[start:]])):
        start += more  # one call reads at most 2 GiB, and less when a signal arrives
    if start != size:
        del frame[start:]
    return frame

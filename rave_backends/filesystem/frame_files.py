"""Frames that are files."""

from __future__ import annotations

import os

from rave_backends.filesystem.mapped_files import LARGE, mapped, unfilled
from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.backend import HEAD_SIZE, Truncated, peek
from rave_core.model import Bytes, Entry


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


def read_whole(file: int, info: os.stat_result) -> Bytes:
    """The content of an open file whose status is ``info``; less if it has been truncated since.

    A large file is mapped where that is safe. What is returned belongs to the caller, who may write into it: no other
    caller sees that, and neither does the file.

    Raises:
        OSError: it can't be read.
    """
    size = info.st_size
    if size >= LARGE and (memory := mapped(file, info)) is not None:
        return memory
    frame: Bytes = bytearray(size) if size < LARGE else unfilled(size)
    start = os.readv(file, [frame])
    while start != size and (more := os.readv(file, [memoryview(frame)[start:]])):
        start += more  # one call reads at most 2 GiB, and less when a signal arrives
    return frame if start == size else frame[:start]

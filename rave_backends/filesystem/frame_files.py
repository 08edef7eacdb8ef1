"""Frames that are files."""

from __future__ import annotations

import os

from rave_backends.filesystem.mapped_files import LARGE, mapped, unfilled
from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.backend import HEAD_SIZE, Truncated, peek
from rave_core.model import Bytes, Entry

_SMALL = 4096  # bytes; from here on it costs less to fill memory than to copy the arrays in it


def read_entry(files: RootedFiles, path: str) -> tuple[Entry, os.stat_result]:
    """The entry in the frame file ``path``, unchecked, and the file's status.

    Raises:
        OSError: it can't be read.
        DamagedError: it does not start with a header that can be read.
        LaterFormatError: a later version wrote it.
    """
    file, info = files.open_known(path)
    try:
        try:
            return peek(os.pread(file, HEAD_SIZE, 0)), info
        except Truncated as short:
            if short.needed > info.st_size:
                raise
            return peek(os.pread(file, short.needed, 0)), info
    finally:
        os.close(file)


def read_small(file: int) -> bytes | None:
    """The content of a file that was just opened; ``None`` if it has over 4 KiB, or what is open is no file.

    It does not ask for the file's status, so a hit takes 0.93 of the time. It is for places where nobody else can put
    anything: a device passes for a file here.
    """
    try:
        content = os.pread(file, _SMALL + 1, 0)
    except OSError:
        return None
    return content if len(content) <= _SMALL else None


def read_whole(file: int, info: os.stat_result) -> Bytes:
    """The content of a file that was just opened and whose status is ``info``; less if it has been truncated since.

    A small file gives immutable bytes. Anything else belongs to the caller, who may write into it: no other caller sees
    that, and neither does the file. A large file is mapped where that is safe.

    Raises:
        OSError: it can't be read.
    """
    size = info.st_size
    if size <= _SMALL and len(small := os.pread(file, size, 0)) == size:
        return small
    if size >= LARGE and (memory := mapped(file, info)) is not None:
        return memory
    frame: Bytes = bytearray(size) if size < LARGE else unfilled(size)
    start = os.readv(file, [frame])
    while start != size and (more := os.readv(file, [memoryview(frame)[start:]])):
        start += more  # one call reads at most 2 GiB, and less when a signal arrives
    return frame if start == size else frame[:start]

"""Large files as memory: mapped where that is safe, else read.

A mapping shows what happens to its file. If somebody writes into the file, the value changes; if somebody cuts it, the
process ends by SIGBUS. So only files are mapped that belong to us, that nobody else can write, and that lie on a file
system of this host. RAVE itself only ever creates files under new names, renames and removes them, which a mapping
survives.

Writes to a mapping are private to it: they reach neither the file nor another mapping.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import stat
import sys
from functools import cache
from weakref import WeakSet

from rave_core.model import Bytes

LARGE = 1 << 20
"""From this size on, in bytes, a mapping costs less than a copy."""
MOST = 128
"""How many files one process maps at a time: each holds a descriptor as long as its value lives."""

_LOCAL = frozenset(
    (
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0xF2F52010,  # f2fs
        0x2FC12FC1,  # zfs
        0xCA451A4E,  # bcachefs
        0x01021994,  # tmpfs
        0x794C7630,  # overlayfs: what we wrote lies in its upper layer, which can't be a network's
    )
)
_STATFS_SIZE = 512  # bytes; more than struct statfs has anywhere

_mapped: WeakSet[mmap.mmap] = WeakSet()


def mapped(file: int, info: os.stat_result) -> memoryview | None:
    """The open ``file`` as writable memory, whose changes stay private; ``None`` if it must be read instead.

    Args:
        file: open for reading.
        info: its status, taken from the descriptor.
    """
    others_write = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)  # an access control list shows in the group's bits
    is_ours = info.st_uid == os.geteuid() and info.st_nlink == 1 and not others_write
    if not is_ours or len(_mapped) >= MOST or not _is_local(file):
        return None
    try:
        memory = mmap.mmap(file, info.st_size, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # no descriptor or address is left, or somebody cut the file
        return None
    _mapped.add(memory)
    return memoryview(memory)


def unfilled(size: int) -> Bytes:
    """Writable memory of ``size`` bytes, not filled with zeros first if that can be had: it must be overwritten."""
    empty = getattr(sys.modules.get("numpy"), "empty", None)  # which is absent while another thread imports numpy
    return bytearray(size) if empty is None else memoryview(empty(size, "u1"))


def _is_local(file: int) -> bool:
    """Whether a file lies on a file system that no other host can write to."""
    call = _fstatfs()
    if call is None:
        return False
    found = ctypes.create_string_buffer(_STATFS_SIZE)
    if call(file, found):
        return False
    return (ctypes.c_long.from_buffer(found).value & 0xFFFFFFFF) in _LOCAL


@cache
def _fstatfs() -> ctypes._NamedFuncPointer | None:
    """The function of the C library; only Linux says by a number what kind a file system is."""
    return ctypes.CDLL(None).fstatfs if sys.platform.startswith("linux") else None

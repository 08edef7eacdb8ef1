"""The contents of a directory that is, or becomes, one product: plain files and directories, and nothing else."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from rave_core.errors import ProductError

MOMENT = 315_532_800
"""The modification time of everything in a kept directory, in Unix seconds: 1980-01-01, as in reproducible builds."""

_UNSOUND = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FACTS = struct.Struct("=IQQqqQ")


class Member(Struct, frozen=True):
    """A file or directory in a directory.

    Attributes:
        name: relative to the directory, with ``/`` between its parts.
        status: its own.
    """

    name: str
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory; otherwise it is a plain file."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_executable(self) -> bool:
        """Whether its owner may execute it."""
        return bool(self.status.st_mode & stat.S_IXUSR)


def members(directory: str) -> list[Member]:
    """What ``directory`` contains, at every depth, sorted by name, so that a directory precedes its contents.

    Raises:
        ProductError: something in it can't be part of a product: a link, a pipe, a socket or a device, or a name that
            is not UTF-8 or contains control characters.
        OSError: it can't be read.
    """
    found: list[Member] = []
    ahead = [""]
    while ahead:
        prefix = ahead.pop()
        with os.scandir(os.path.join(directory, prefix)) as entries:
            for entry in entries:
                member = Member(prefix + entry.name, entry.stat(follow_symlinks=False))
                _check(member)
                found.append(member)
                if member.is_directory:
                    ahead.append(f"{member.name}/")
    found.sort(key=lambda member: member.name)
    return found


def is_sound_name(name: str) -> bool:
    """Whether ``name`` can be that of a member: relative, below the directory, in UTF-8, without control characters."""
    return _UNSOUND.search(name) is None


def state_of(found: Sequence[Member]) -> bytes:
    """What stays equal while nobody touches any member. Unlike other times, the change time can't be set back."""
    state = blake2b(digest_size=32)
    for member in found:
        at = member.status
        facts = _FACTS.pack(at.st_mode, at.st_dev, at.st_ino, at.st_mtime_ns, at.st_ctime_ns, at.st_size)
        state.update(facts + member.name.encode() + b"\0")
    return state.digest()


def make_read_only(directory: str, found: Sequence[Member]) -> None:
    """Takes the permission to write from all ``found`` members of ``directory``, and gives them one time.

    Raises:
        OSError: that is not possible.
    """
    for member in reversed(found):  # a directory after its contents
        path = f"{directory}/{member.name}"
        os.chmod(path, 0o555 if member.is_directory or member.is_executable else 0o444)
        os.utime(path, (MOMENT, MOMENT))


def _check(member: Member) -> None:
    if not (stat.S_ISREG(member.status.st_mode) or member.is_directory):
        kind = _KINDS.get(stat.S_IFMT(member.status.st_mode), "no file")
        hint = "; put a copy of what it points to there" if kind == "a symbolic link" else ""
        raise ProductError(f"{member.name!r} is {kind}, and a directory product holds plain files only{hint}")
    if not is_sound_name(member.name):
        raise ProductError(
            f"{member.name!r} can't be in a directory product: expected a name in UTF-8 without control characters"
        )


_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}

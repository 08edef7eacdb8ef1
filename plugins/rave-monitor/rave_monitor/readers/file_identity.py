"""Which file it is that was read: by its number in the file system, and by what it begins with."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

HEAD: Final = 4096
"""Bytes at the beginning of a file by which it is known, if it has as many."""
TAIL: Final = 64
"""Bytes before the position that have to be there still."""
_COMPRESSED: Final = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".zip", ".Z")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file that was read up to somewhere.

    Attributes:
        inode: its number in the file system, which a new file may get once this one is removed.
        length: how many bytes at its beginning are known.
        digest: of these.
    """

    inode: int
    length: int
    digest: str

    @classmethod
    def of(cls, descriptor: int, offset: int) -> Self:
        """The identity of an open file of which the first ``offset`` bytes count."""
        head = os.pread(descriptor, min(offset, HEAD), 0)
        return cls(os.fstat(descriptor).st_ino, len(head), _digest(head))

    def is_of(self, descriptor: int) -> bool:
        """Whether an open file is this one."""
        return os.fstat(descriptor).st_ino == self.inode and self.is_copied(descriptor)

    def is_copied(self, descriptor: int) -> bool:
        """Whether an open file begins as this one."""
        head = os.pread(descriptor, self.length, 0)
        return len(head) == self.length and _digest(head) == self.digest

    def is_packed(self, path: Path) -> bool:
        """Whether ``path`` is a file of gzip that begins as this one.

        Raises:
            OSError, EOFError, zlib.error: it can't be read.
        """
        if path.suffix != ".gz":
            return False
        with gzip.open(path) as file:
            return _digest(file.read(self.length)) == self.digest


def tail_before(descriptor: int, offset: int) -> bytes:
    """The last bytes of a file before a position in it."""
    begin = max(offset - TAIL, 0)
    return os.pread(descriptor, offset - begin, begin)


def rotated(path: Path, *, compressed: bool = False) -> Iterator[Path]:
    """The files beside a log that a rotation made of it, by their names: those that are compressed, or the others.

    For ``conn.log`` they are ``conn.log.1``, ``conn.log-20261130``, ``conn-26-11-30_10.00.00.log``,
    ``conn.2026-11-30.log`` and the like.
    """
    beginnings = [f"{path.name}.", f"{path.name}-"]
    ending = path.suffix
    if ending:
        beginnings += [f"{path.stem}.", f"{path.stem}-"]
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return
    for name in names:
        plain = name.rpartition(".")[0] if name.endswith(_COMPRESSED) else name
        if name == path.name or (plain != name) != compressed:
            continue
        for begin in beginnings:
            rest = plain.removeprefix(begin)
            if rest != plain and rest[:1].isdigit() and (begin.startswith(path.name) or plain.endswith(ending)):
                yield path.parent / name
                break


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()

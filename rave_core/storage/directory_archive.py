"""Directories as archives: tar files of one form, so that equal directories have equal bytes and one digest.

An archive holds names, contents, and who may execute a file; owners and times are the same in all. Only what this
module writes is read again: an archive that holds links, devices, names that lead elsewhere, or anything else that
`write_archive` would not write, is damaged.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from rave_core.errors import DamagedError, ProductError
from rave_core.storage.digests import BLAKE3, Algorithm
from rave_core.storage.directory_tree import MOMENT, Member, is_sound_name, make_read_only, members

_BLOCK, _PIECE = tarfile.BLOCKSIZE, 1 << 20
_LONGEST_RECORD = 1 << 16  # bytes of a long name: more than any file system allows


class _Digested:
    """Bytes on their way to or from a file, with their digest.

    Attributes:
        size: how many there were.
    """

    def __init__(self, file: BinaryIO | None, algorithm: Algorithm) -> None:
        self.size = 0
        self._file = file
        self._algorithm = algorithm
        self._state = algorithm.new()

    def write(self, data: bytes) -> None:
        self._note(data)
        if self._file is not None:
            self._file.write(data)

    def read(self, size: int) -> bytes:
        assert self._file is not None
        data = self._file.read(size)
        self._note(data)
        return data

    def digest(self) -> str:
        """Of all bytes so far."""
        return self._algorithm.text(self._state)

    def _note(self, data: bytes) -> None:
        self._state.update(data)
        self.size += len(data)


def write_archive(
    directory: str, found: Sequence[Member], sink: BinaryIO | None = None, algorithm: Algorithm = BLAKE3
) -> tuple[str, int]:
    """Writes ``directory``, whose `members` are ``found``, to ``sink``; returns the archive's digest and size in bytes.

    Without a ``sink``, it only determines these.

    Raises:
        ProductError: a file changed since it was found.
        OSError: it can't be read, or the archive can't be written.
    """
    archive = _Digested(sink, algorithm)
    for member in found:
        archive.write(_header(member))
        if not member.is_directory:
            _write_content(f"{directory}/{member.name}", member, archive)
            archive.write(bytes(-member.status.st_size % _BLOCK))
    archive.write(bytes(2 * _BLOCK))
    return archive.digest(), archive.size


def _header(member: Member) -> bytes:
    info = tarfile.TarInfo(member.name)
    info.mtime = MOMENT
    info.mode = 0o755 if member.is_directory or member.is_executable else 0o644
    if member.is_directory:
        info.type = tarfile.DIRTYPE
    else:
        info.size = member.status.st_size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _write_content(path: str, member: Member, archive: _Digested) -> None:
    left = member.status.st_size
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(file, "rb", buffering=0) as source:
        while left and (piece := source.read(min(left, _PIECE))):
            archive.write(piece)
            left -= len(piece)
        now = os.fstat(file)
    if left or _identity(now) != _identity(member.status):
        raise ProductError(f"{path} changed while it was read")


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def unpack_archive(source: BinaryIO, directory: str, algorithm: Algorithm = BLAKE3) -> str:
    """Writes the archive ``source`` into the new and empty ``directory``, read-only; returns the archive's digest.

    The directory itself stays writable. The digest must be compared before anybody uses the contents.

    Raises:
        DamagedError: it holds something that `write_archive` does not write.
        OSError: the contents can't be written.
    """
    archive = _Digested(source, algorithm)
    for info in _headers(archive):
        path = f"{directory}/{info.name}"
        try:
            if info.isdir():
                os.mkdir(path, 0o700)
            else:
                _write_file(path, info, archive)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
            raise DamagedError(f"{info.name!r} stands in the archive twice, or before its directory") from error
    while archive.read(_PIECE):
        pass
    make_read_only(directory, members(directory))
    return archive.digest()


def _write_file(path: str, info: tarfile.TarInfo, archive: _Digested) -> None:
    mode = 0o700 if info.mode & 0o100 else 0o600
    left = info.size
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(file, "wb") as sink:
        while left:
            piece = archive.read(min(left, _PIECE))
            if not piece:
                raise DamagedError(f"the archive ends within {info.name!r}")
            sink.write(piece)
            left -= len(piece)
    archive.read(-info.size % _BLOCK)


def _headers(archive: _Digested) -> Iterator[tarfile.TarInfo]:
    """Each member's header; the caller reads the content in between."""
    records: dict[str, str] = {}
    while any(block := archive.read(_BLOCK)):
        info = _parsed(block)
        if info.type == tarfile.XHDTYPE and not records:
            records = _records(archive, info.size)
            continue
        info.name = records.get("path", info.name).removesuffix("/")
        info.size = int(records.get("size", info.size))
        records = {}
        is_kind = info.type == tarfile.REGTYPE or (info.type == tarfile.DIRTYPE and not info.size)
        if not is_kind or not is_sound_name(info.name) or info.size < 0:
            raise DamagedError(f"the archive holds {info.name!r}, which can't be in a directory product")
        yield info


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise DamagedError(f"the archive can't be read: {error}") from error


def _records(archive: _Digested, size: int) -> dict[str, str]:
    """The records of an extended header: those of a name and a size, in the form ``length name=value``."""
    if not 0 < size <= _LONGEST_RECORD:
        raise DamagedError(f"the archive holds an extended header of {size} bytes")
    data = archive.read(size + -size % _BLOCK)[:size]
    found: dict[str, str] = {}
    while data:
        digits, _, _ = data.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 6 else 0
        name, equals, value = data[len(digits) + 1 : length - 1].partition(b"=")
        if not equals or name not in (b"path", b"size") or (name == b"size" and not value.isdigit()):
            raise DamagedError("the archive holds an extended header that can't be read")
        found[name.decode()] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return found

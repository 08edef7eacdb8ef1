"""The bytes of a file in any compression; damage is an error, never an early end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from rave_flow.errors import ChangedError, UnreadableError
from rave_flow.formats.source_directory import SourceFile, kind_of

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
_ARROW = {".zst": "zstd", ".lz4": "lz4"}


def is_compressed(file: SourceFile) -> bool:
    """Whether the name of the file says so."""
    return file.path.endswith(COMPRESSED)


def open_regular(path: str) -> BinaryIO:
    """A file opened for reading, unbuffered. Refuses a pipe or a device in its place, and never waits for one.

    Raises:
        UnreadableError: it is not a file.
        OSError: it can't be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnreadableError(f"{path}: is {kind_of(mode)}, no file")
    return open(descriptor, "rb", buffering=0)


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """The content of ``file``, to be read in pieces; for a plain file, no more than it held at the scan.

    Raises:
        UnreadableError: during reading, if it is damaged or truncated.
        ChangedError: during reading, if it became shorter.
    """
    suffix = next((suffix for suffix in COMPRESSED if file.path.endswith(suffix)), "")
    with open_regular(file.path) as raw:
        if not suffix:
            yield cast("BinaryIO", _Limited(raw, file))
        elif suffix in _ARROW:
            yield from _by_arrow(raw, file, _ARROW[suffix])
        else:
            yield from _by_python(raw, file, suffix)


def _by_python(raw: BinaryIO, file: SourceFile, suffix: str) -> Iterator[BinaryIO]:
    try:
        with (
            io.BufferedReader(cast("io.RawIOBase", raw), 1 << 18) as buffered,
            _unpacked(cast("BinaryIO", buffered), suffix) as source,
        ):
            yield source
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise UnreadableError(f"{file.path}: damaged {_NAMES[suffix]}: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise  # of the disk
        raise UnreadableError(f"{file.path}: damaged {_NAMES[suffix]}: {error}") from error


def _unpacked(packed: BinaryIO, suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=packed))
    return cast("BinaryIO", bz2.BZ2File(packed) if suffix == ".bz2" else lzma.LZMAFile(packed))


_NAMES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}


def _by_arrow(raw: BinaryIO, file: SourceFile, codec: str) -> Iterator[BinaryIO]:
    import pyarrow

    try:
        yield cast("BinaryIO", _Pieces(pyarrow.CompressedInputStream(raw, codec)))
    except OSError as error:
        if error.errno is not None:
            raise  # of the disk
        raise UnreadableError(f"{file.path}: damaged {codec}: {error}") from error


class _Pieces(io.RawIOBase):
    """A stream of Arrow's as a Python stream."""

    def __init__(self, source: object) -> None:
        self._source = source

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        return bytes(self._source.read(size))  # type: ignore[attr-defined]  # a pyarrow.NativeFile


class _Limited(io.RawIOBase):
    """A file that ends where it ended when it was scanned."""

    def __init__(self, raw: BinaryIO, file: SourceFile) -> None:
        self._raw, self._file, self._left = raw, file, file.size

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, and none beyond the scanned size."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        found = self._raw.read(wanted) if wanted else b""
        if wanted and not found:
            raise ChangedError(f"{self._file.path} became shorter while it was read; ask again")
        self._left -= len(found)
        return found

"""The bytes of a file, whatever it is compressed with; damage is an error, never an early end."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from rave_flow.errors import ChangedError, UnreadableError
from rave_flow.formats.source_directory import SourceFile

COMPRESSED = (".gz", ".zst")


def is_compressed(file: SourceFile) -> bool:
    """Whether the name of the file says so."""
    return file.path.endswith(COMPRESSED)


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """The content of ``file``, to be read in pieces; of a plain one no more than it held when it was scanned.

    Raises:
        UnreadableError: while it is read: it is damaged, or cut short.
        ChangedError: likewise: it became shorter.
    """
    if file.path.endswith(".zst"):
        yield from _zstd(file)
    elif file.path.endswith(".gz"):
        yield from _gzip(file)
    else:
        with _Limited(file) as source:
            yield cast("BinaryIO", source)


def _gzip(file: SourceFile) -> Iterator[BinaryIO]:
    try:
        with gzip.open(file.path, "rb") as source:
            yield cast("BinaryIO", source)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableError(f"{file.path}: damaged gzip: {error}") from error


def _zstd(file: SourceFile) -> Iterator[BinaryIO]:
    import pyarrow

    with open(file.path, "rb") as raw:
        try:
            yield cast("BinaryIO", _Pieces(pyarrow.CompressedInputStream(raw, "zstd")))
        except OSError as error:
            if error.errno is not None:
                raise  # of the disk
            raise UnreadableError(f"{file.path}: damaged zstd: {error}") from error


class _Pieces(io.RawIOBase):
    """A stream of Arrow's as Python has them."""

    def __init__(self, source: object) -> None:
        self._source = source

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        return bytes(self._source.read(size))  # type: ignore[attr-defined]  # a pyarrow.NativeFile


class _Limited(io.FileIO):
    """A file that ends where it ended when it was scanned."""

    def __init__(self, file: SourceFile) -> None:
        super().__init__(file.path, "rb")
        self._file, self._left = file, file.size

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, and none beyond the scanned size."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        found = super().read(wanted) if wanted else b""
        if wanted and not found:
            raise ChangedError(f"{self._file.path} became shorter while it was read; ask again")
        self._left -= len(found)
        return found

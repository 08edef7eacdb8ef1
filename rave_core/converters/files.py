"""Converters of paths, and of files that count by their content."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b, file_digest
from pathlib import Path, PurePath
from typing import Any, Final

from rave_core.converters.converter import Converter, FunctionConverter, kind_of


def to_path(value: Any) -> Path:
    """A path: of text, bytes and path-like objects; ``~`` is left alone.

    Raises:
        TypeError, ValueError: anything else, or an empty text, of which ``Path`` would make the directory ``.``.
    """
    if type(value) is type(_HERE):
        return value
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{kind_of(value)} is not a path")
    text = os.fsdecode(value)
    if not text or "\0" in text:
        raise ValueError("it is empty; write . for this directory" if not text else "it holds a zero byte")
    return Path(text)


class FileContent(str):
    """The path of a file that counts as an argument by its content.

    Two paths with the same content are one argument; a file that changed is another. The content is the one
    found when this object was made.
    """

    _key: tuple[object, ...]

    def __new__(cls, path: Any) -> FileContent:
        """Reads the file; a path that can't be read, or is no regular file, is a ``TypeError``."""
        text = str(to_path(path))
        made = super().__new__(cls, text)
        made._key = cls._read(text)
        return made

    @classmethod
    def _read(cls, path: str) -> tuple[object, ...]:
        try:
            _check_is_file(path, Path(path).stat())
            with Path(path).open("rb") as file:
                return (file_digest(file, lambda: blake2b(digest_size=32)).hexdigest(),)
        except OSError as error:
            raise TypeError(f"{path} can't be read: {error.strerror or error}") from error

    def __rave_key__(self) -> tuple[object, ...]:
        """The digest of the content, which represents the file in a key."""
        return self._key

    def __fspath__(self) -> str:
        return str(self)


class FileStat(FileContent):
    """The path of a file that counts as an argument by path, size and modification time: cheap for large files.

    A file rewritten within one tick of the file system's clock, at the same size, is not noticed.
    """

    @classmethod
    def _read(cls, path: str) -> tuple[object, ...]:
        try:
            found = Path(path).stat()
        except OSError as error:
            raise TypeError(f"{path} can't be read: {error.strerror or error}") from error
        _check_is_file(path, found)
        return (os.path.realpath(path), found.st_mtime_ns, found.st_size)


def _check_is_file(path: str, found: os.stat_result) -> None:
    # Opening a pipe or a device could block forever.
    if not stat.S_ISREG(found.st_mode):
        raise TypeError(f"{path} is not a regular file")


_HERE: Final = Path()
_PATH: Final = FunctionConverter("path", to_path, {"type": "string"}, type(_HERE))

PATHS: Final[dict[type, Converter]] = {
    Path: _PATH,
    type(_HERE): _PATH,
    PurePath: _PATH,
    FileContent: FunctionConverter("file_content", FileContent, {"type": "string"}, volatile=True),
    FileStat: FunctionConverter("file_stat", FileStat, {"type": "string"}, volatile=True),
}

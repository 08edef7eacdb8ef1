"""Where lines of a log go: a descriptor, a file, or a logger. Lines of several processes never mix."""

from __future__ import annotations

import contextlib
import logging
import os
import select
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rave_core.errors import ConfigurationError

ATOMIC: Final = select.PIPE_BUF
"""Bytes that a pipe takes as one, however many processes write to it. A line is shorter."""

_BLOCK: Final = 1 << 18  # bytes that one write to a file takes
_STANDARD_OUTPUT: Final = 1
_PATIENCE: Final = 1.0  # seconds between looks at a pipe that takes nothing


class LineSink(ABC):
    """Takes lines, from one thread. What it writes to may be nothing that can be opened or closed."""

    @abstractmethod
    def write(self, lines: Sequence[bytes]) -> None:
        """Writes lines, given without line ends. May block for any length of time.

        Raises:
            OSError: they can't be written, or not all.
        """

    def reopen(self) -> None:  # noqa: B027  # most have nothing to do
        """Reopens its target with the next line. Call it from any thread."""

    def close(self) -> None:  # noqa: B027  # as above
        """Releases its resources."""


class StandardOutput(LineSink):
    """The standard output of the process."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Writes lines, as many at a time as a pipe keeps together."""
        for block in _blocks(lines, ATOMIC):
            _write(_STANDARD_OUTPUT, block)


class FileSink(LineSink):
    """A file that lines are appended to. If it is moved or removed, a new one is created."""

    def __init__(self, path: str) -> None:
        """Opens ``path``.

        Raises:
            ConfigurationError: that is not possible; the message has the reason.
        """
        self._path = Path(path)
        try:
            self._descriptor: int | None = self._opened()
        except OSError as error:
            raise ConfigurationError(f"the access log {path} can't be written: {error.strerror}") from error
        self._is_torn = False
        self._is_stale = False

    def write(self, lines: Sequence[bytes]) -> None:
        """Writes lines, many at a time."""
        if self._is_stale or not self._is_in_place():
            self._is_stale = False
            self.close()
        if self._descriptor is None:
            self._descriptor = self._opened()
        for block in _blocks(lines, _BLOCK):
            # Where a disk was full in the middle of a line, that line ends here.
            torn, self._is_torn = self._is_torn, True
            _write(self._descriptor, b"\n" + block if torn else block)
            self._is_torn = False

    def reopen(self) -> None:
        """Reopens the file with the next line."""
        self._is_stale = True

    def close(self) -> None:
        """Closes the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _is_in_place(self) -> bool:
        """Whether the open file is the one that has the path."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False


class LoggerSink(LineSink):
    """A logger of the standard library: its handlers decide."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def write(self, lines: Sequence[bytes]) -> None:
        """Logs each line as the message of a record."""
        for line in lines:
            self._logger.info("%s", line.decode())


def _blocks(lines: Sequence[bytes], size: int) -> Iterator[bytes]:
    """Lines with their ends, joined to blocks of ``size`` bytes at most. A longer line is a separate block."""
    block: list[bytes] = []
    length = 0
    for line in lines:
        if block and length + len(line) + 1 > size:
            yield b"".join(block)
            block, length = [], 0
        block += (line, b"\n")
        length += len(line) + 1
    if block:
        yield b"".join(block)


def _write(descriptor: int, data: bytes) -> None:
    """Writes all of ``data``, at once where that is possible."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # another process made the pipe that we share give up rather than wait
            with contextlib.suppress(InterruptedError):
                select.select([], [descriptor], [], _PATIENCE)

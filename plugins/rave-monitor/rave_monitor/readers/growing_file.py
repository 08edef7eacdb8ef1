"""A file that grows and is rotated, truncated or replaced while it is read."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rave_core import Runtime
from rave_monitor.reader import Position
from rave_monitor.readers.file_identity import FileIdentity, rotated, tail_before
from rave_monitor.readers.late_lines import LateLines

CHUNK: Final = 128 << 10
LONGEST: Final = 1 << 20
"""The longest record in bytes; a longer one is left out, and told."""
QUIET: Final = 2.0
"""Seconds for which nothing was written to a rotated file once it counts as complete."""
_PATIENCE: Final = 60.0
"""Seconds after which it counts as complete even if its writer goes on."""
_REMEMBERED: Final = 16
"""How many files are remembered that were read to their end."""
_AT_ONCE: Final = 64
"""How many pieces of a record that is too long are passed over at once."""

Split = Callable[[bytes, bool], list[bytes]]
"""Cuts bytes into the records that are complete, with their line ends; at the end of a file, the rest is one too."""


def split_lines(data: bytes, at_end: bool) -> list[bytes]:
    """The lines."""
    lines = data.splitlines(keepends=True) if b"\r" not in data else _by_newline(data)
    if lines and not at_end and not lines[-1].endswith(b"\n"):
        lines.pop()
    return lines


def _by_newline(data: bytes) -> list[bytes]:
    """The lines of data in which a carriage return ends none by itself."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


class GrowingFile:
    """The records of a file, as they are written. One thread uses it.

    - A rotated file is read to its end, then the next one is: files between are found beside it, by their names and
      times. The next file has to hold something first, because until then the writer may go on with the old one; and
      the old one has to be quiet for a moment, because a writer of several processes changes over one by one. What is
      added even later is left out, and ``tell`` says how much.
    - A file that is shorter than what was read of it, or that has other bytes there, was truncated or replaced. If a
      copy of what it was lies beside it, that is read to its end first; else ``tell`` says that something is lost.
      Then the file is read from its beginning.
    - A record that is not complete yet waits for its rest; at the end of a rotated file it counts as it is.

    Attributes:
        trouble: why there is nothing to read; ``None`` while the file is there.
        is_fresh: whether the records that ``read`` gave last are the first ones of a file.
    """

    def __init__(self, path: Path, tell: Callable[[str], None], runtime: Runtime, split: Split = split_lines) -> None:
        """Opens nothing yet; the clock of ``runtime`` counts."""
        self.path = path
        self.trouble: str | None = None
        self.is_fresh = False
        self._tell, self._split = tell, split
        self._file = -1
        self._offset = 0
        self._tail = b""
        self._identity: FileIdentity | None = None
        self._done: list[FileIdentity] = []
        self._sought: Position | None = None
        self._is_last_look = self._skips = self._is_long = self._is_more = False
        self._mtime = self._passed_over = 0
        self._late: LateLines | None = None
        self._clock = runtime.clock
        self._seen_size, self._quiet_since, self._succeeded_since = -1, 0.0, 0.0

    def open(self, position: Position | None) -> None:
        """Goes on after a position, wherever its file is by now; without one, begins with the present file."""
        if position is None:
            before = (*rotated(self.path), *rotated(self.path, compressed=True))
            self._mtime = 1 + max((os.stat(path).st_mtime_ns for path in before), default=0)
            self._opens(self.path)
            return
        self._done = [FileIdentity(*each) for each in position["done"]]
        if position.get("late") is not None and self._done:
            self._late = LateLines.found(self.path, self._done[-1], position["late"], self._tell, self._clock.monotonic)
        self._sought = position if position["identity"] is not None else None
        self._mtime = position["mtime"]

    def position(self) -> dict[str, Any]:
        """Where it is: the file, how far, and what lies before that; and the files that are done."""
        if self._sought is not None:
            return dict(self._sought)
        done: dict[str, Any] = {"done": [list(asdict(each).values()) for each in self._done]}
        if self._late is not None:
            done["late"] = self._late.size
        if self._file < 0 or self._identity is None:
            return {"identity": None, "mtime": self._mtime, **done}
        identity = list(asdict(self._identity).values())
        place = {"identity": identity, "offset": self._offset, "tail": self._tail.hex(), "mtime": self._mtime}
        return {**place, **done, "skips": self._skips}

    def close(self) -> None:
        """Lets go of everything."""
        self._close()
        self._forget_late()

    def _close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._identity, self._offset, self._tail = -1, None, 0, b""
        self._is_last_look = self._skips = self._is_long = self._is_more = False
        self._seen_size = -1

    def read(self) -> list[bytes]:
        """The next records of one file, some hundred KiB at most; an empty list if there are none yet.

        Raises:
            OSError: the file can't be read.
        """
        if self._late is not None:
            self._late.look()
        if self._file < 0 and not self._begin():
            return []
        if not self._offset and os.fstat(self._file).st_size:
            self._look_back()
        for _ in range(_AT_ONCE):
            self.is_fresh = self._offset == 0
            data = self._grown()
            records = self._taken(data, at_end=False)
            if records or not self._is_more:
                break
        if records or data is None or self._is_more or (data and self._skips):
            return records
        if not self._is_last_look:
            # What was written before the next file began is read first.
            self._is_last_look = self._is_succeeded() and self._is_quiet()
            return []
        records = self._taken(data, at_end=True)
        self._finish()
        return records

    def _begin(self) -> bool:
        """Opens the file to go on with; returns whether there is one."""
        return self._opens(self.path) if self._sought is None else self._find(self._sought)

    def _look_back(self) -> None:
        """Turns to a file that was rotated away unread, by renaming or by copying, before the one that is open."""
        self._tell_compressed()
        unread = {number: (mtime, path) for mtime, path, number in self._later()}
        mine = unread.pop(os.fstat(self._file).st_ino, None)
        earliest = min(unread.values(), default=None)
        if earliest is not None and (mine is None or earliest < mine):
            self._close()
            self._opens(earliest[1])

    def _find(self, sought: Position) -> bool:
        """Opens the file of a position, under whichever name; if it is gone, begins with what followed."""
        known, offset, is_there = FileIdentity(*sought["identity"]), sought["offset"], False
        tail = bytes.fromhex(sought["tail"])
        for path in (*rotated(self.path), self.path):
            if not self._opens(path):
                continue
            if known.is_of(self._file) and tail_before(self._file, offset) == tail:
                self._identity, self._offset, self._skips = known, offset, sought["skips"]
                self._tail, self._sought = tail, None
                return True
            is_there |= os.fstat(self._file).st_ino == known.inode
            self._close()
        if self.trouble is not None:  # it may be away with its whole directory
            return False
        self._sought = None
        if is_there and self._opens_copy(known, offset, tail):  # else it was not truncated, but is gone
            self._skips = sought["skips"]
            return True
        self._tell(f"{self.path}: the file that was read up to byte {offset} is gone; what it got after that is lost")
        return self._begin()

    def _opens_copy(self, known: FileIdentity, offset: int, tail: bytes) -> bool:
        """Goes on in a copy of a file, such as logrotate makes of one that it truncates; returns whether there is one.

        What was never read of the file leaves nothing by which a copy could be known.
        """
        for path in rotated(self.path) if offset else ():
            if not self._opens(path):
                continue
            is_later = os.fstat(self._file).st_mtime_ns >= self._mtime
            if is_later and known.is_copied(self._file) and tail_before(self._file, offset) == tail:
                self._identity = FileIdentity.of(self._file, offset)
                self._offset, self._tail = offset, tail
                return True
            self._close()
        return False

    def _opens(self, path: Path) -> bool:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.trouble = f"{path}: {error.strerror}; waits for it"
            return False
        self.trouble, self._identity = None, FileIdentity.of(self._file, 0)
        return True

    def _grown(self) -> bytes | None:
        """What the file holds after the position; ``None`` if it is another file by now, and begins again."""
        overlap, mtime = len(self._tail), os.fstat(self._file).st_mtime_ns
        size = overlap + (LONGEST + 1 if self._is_long or self._skips else CHUNK)
        data = os.pread(self._file, size, self._offset - overlap)
        self._is_more = len(data) == size
        if data[:overlap] != self._tail:
            self._is_more = False
            self._begin_again(is_shorter=len(data) < overlap or os.fstat(self._file).st_size < self._offset)
            return None
        if data:  # what was written before a file of which nothing was read may be unread, too
            self._mtime = mtime
        return data[overlap:]

    def _begin_again(self, *, is_shorter: bool) -> None:
        """Goes on in a copy of what the file was, or at its beginning."""
        file, known, offset, tail, skips = self._file, self._identity, self._offset, self._tail, self._skips
        self._file = -1
        if known is not None and self._opens_copy(known, offset, tail):
            self._skips = skips
            os.close(file)
            return
        what = "was truncated" if is_shorter else "has other contents"
        self._tell(f"{self.path} {what} after {offset} bytes were read; reads it from its beginning")
        self._file, self._offset, self._tail, self._skips = file, 0, b"", False
        self._identity = FileIdentity.of(file, 0)

    def _taken(self, data: bytes | None, *, at_end: bool) -> list[bytes]:
        """The complete records of what was read, and the position after them."""
        if not data:
            return []
        if self._skips:
            self._skip(data)
            return []
        records = self._split(data, at_end)
        taken = sum(map(len, records))
        self._is_long = not taken and len(data) >= CHUNK
        if self._is_long and len(data) > LONGEST:
            self._tell(f"{self.path}: a record at byte {self._offset} is longer than {LONGEST} bytes; leaves it out")
            self._is_long, self._skips = False, True
            return []
        self._advance(data, taken)
        return records

    def _skip(self, data: bytes) -> None:
        """Leaves out the rest of a long record."""
        end = data.find(b"\n") + 1
        self._skips = not end
        self._advance(data, end or len(data))

    def _advance(self, data: bytes, taken: int) -> None:
        if not taken:
            return
        self._offset += taken
        self._tail = (self._tail + data[:taken])[-64:]
        if self._identity is None or self._identity.length < min(self._offset, 4096):
            self._identity = FileIdentity.of(self._file, self._offset)

    def _is_succeeded(self) -> bool:
        """Whether another file is in the place of this one, and has something in it."""
        try:
            found = os.stat(self.path)
        except OSError:
            return False  # it was moved, and its writer has not begun another one
        mine = os.fstat(self._file)
        return (found.st_ino, found.st_dev) != (mine.st_ino, mine.st_dev) and found.st_size > 0

    def _is_quiet(self) -> bool:
        """Whether nothing was written to this file for a moment, by its time or since it was seen to be succeeded."""
        found, now = os.fstat(self._file), self._clock.monotonic()
        if self._seen_size < 0:
            self._succeeded_since = now
        if found.st_size != self._seen_size:
            self._seen_size, self._quiet_since = found.st_size, now
        quiet = max(now - self._quiet_since, self._clock.now() - found.st_mtime)
        return quiet >= QUIET or now - self._succeeded_since >= _PATIENCE

    def _finish(self) -> None:
        """Goes over to the next file, and watches the one that was read to its end."""
        if self._late is not None:
            self._late.look(is_last=True)
            self._forget_late()
        if self._identity is not None and self._identity.length:
            self._mtime = os.fstat(self._file).st_mtime_ns
            self._done = [*self._done, self._identity][-_REMEMBERED:]
            self._late = LateLines(self.path, self._file, self._offset, self._tell, self._clock.monotonic)
            self._file = -1
        self._close()

    def _forget_late(self) -> None:
        if self._late is not None:
            self._late.close()
            self._late = None

    def _later(self) -> Iterator[tuple[int, Path, int]]:
        """The times, paths and inodes of rotated files that were written after the one before and were not read."""
        for path in rotated(self.path):
            with suppress(OSError):
                found = os.stat(path)
                if found.st_size and found.st_mtime_ns >= self._mtime and not self._is_done(path):
                    yield found.st_mtime_ns, path, found.st_ino

    def _tell_compressed(self) -> None:
        """Says which files, written after the one before, were compressed before they were read."""
        newest = self._passed_over
        for path in rotated(self.path, compressed=True):
            with suppress(OSError, EOFError, zlib.error):
                mtime = os.stat(path).st_mtime_ns
                if mtime > max(self._mtime, self._passed_over) and not any(each.is_packed(path) for each in self._done):
                    self._tell(f"{path} was compressed before it was read to its end; leaves it out")
                    newest = max(newest, mtime)
        self._passed_over = newest

    def _is_done(self, path: Path) -> bool:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return any(each.is_of(descriptor) for each in self._done)
        finally:
            os.close(descriptor)

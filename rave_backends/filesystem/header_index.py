"""What each directory of frames held when its headers were last read, so that nobody needs to read them again.

An inventory is a hidden file beside the frames that it describes, and goes with them. It helps to count and to choose
what to evict, and never affects answers: if it is missing or damaged, RAVE reads the headers. An inventory knows a
frame by its name and file number. A frame that was replaced twice may get its first number again; its old figures then
count until the next purge, which reads every header.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from rave_backends.filesystem.frame_files import read_entry
from rave_backends.filesystem.ownership import Root
from rave_backends.filesystem.paths import INVENTORY, Leaf, Tree
from rave_backends.filesystem.temp_files import TempFiles
from rave_core.backend import Holding, Outline
from rave_core.errors import EntryError
from rave_core.model import Entry

FEWEST = 4
"""Reading fewer frames than this is as quick as reading an inventory of them."""

_START = b"RAVE inventory 1\n"
_WORTH_SAVING = 16
"""An inventory is rewritten when one frame in this many is new or gone."""


@dataclass(slots=True)
class Records:
    """Facts about frames, in columns, one row each: half of the 100 MB that a million objects would take.

    Attributes:
        names: of the files.
        numbers: of the files (inodes).
        used: bytes on the disk, of frame and product.
        sizes: bytes of payload or product.
        created: Unix times.
        seconds: of computing.
    """

    names: list[str] = field(default_factory=list)
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    used: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    created: array[float] = field(default_factory=lambda: array("d"))
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def add(self, name: str, info: os.stat_result, used: int, entry: Entry | None) -> None:
        """Adds a row. Without an entry, it is for an unreadable frame, which counts for the space that it takes."""
        self.names.append(name)
        self.numbers.append(info.st_ino)
        self.used.append(used)
        self.sizes.append(entry.size if entry else used)
        self.created.append(entry.created_at if entry else info.st_mtime)
        self.seconds.append(entry.seconds if entry else 0.0)

    def only(self, rows: Iterable[int]) -> Records:
        """Some of the rows."""
        chosen, result = list(rows), Records()
        result.names = [self.names[row] for row in chosen]
        for column in _COLUMNS:
            values = getattr(self, column)
            getattr(result, column).extend([values[row] for row in chosen])
        return result


_COLUMNS = ("numbers", "used", "sizes", "created", "seconds")


class Inventory:
    """Reads and writes the inventories of one cache. Safe for threads and processes: the last one to write wins."""

    def __init__(self, tree: Tree, root: Root, temporaries: TempFiles) -> None:
        self._tree = tree
        self._root = root
        self._temporaries = temporaries

    def holdings(self) -> Iterator[Holding]:
        """What each operation and version keeps, one item for each of its directories."""
        for leaf in self._tree.leaves():
            found = self.records(leaf)
            key = self._tree.key(leaf.path, found.names[0]) if found.names else None
            if key is not None:
                yield Holding(
                    prefix=key.rpartition("/")[0],
                    entries=len(found.names),
                    size=sum(found.sizes),
                    used=sum(found.used),
                    oldest=min(found.created),
                    newest=max(found.created),
                    seconds=sum(found.seconds),
                )

    def outlines(self, prefix: str) -> Iterator[Outline]:
        """The entries whose keys start with ``prefix``, from what the inventories record."""
        for leaf in self._tree.below(prefix):
            found = self.records(leaf)
            for name, created, size, seconds in zip(
                found.names, found.created, found.sizes, found.seconds, strict=True
            ):
                key = self._tree.key(leaf.path, name)
                if key is not None and key.startswith(prefix):
                    yield Outline(key, created, size, seconds)

    def records(self, leaf: Leaf) -> Records:
        """What is known of the frames of ``leaf``. Reads unrecorded headers, and records them if there are many."""
        known = self._load(leaf.path) if len(leaf.frames) >= FEWEST else Records()
        rows = [row for row, name in enumerate(known.names) if leaf.frames.get(name) == known.numbers[row]]
        found = known if len(rows) == len(known.names) else known.only(rows)
        told = set(found.names)
        news = [name for name in leaf.frames if name not in told]
        for name in news:
            with suppress(OSError):  # gone since
                self._read(found, leaf.path, name)
        changes = len(news) + len(known.names) - len(rows)
        if changes * _WORTH_SAVING > len(leaf.frames):
            self.save(leaf.path, found)
        return found

    def save(self, directory: str, records: Records) -> None:
        """Writes the inventory of ``directory`` if possible; the directory may be read-only, or the disk full."""
        path = f"{directory}/{INVENTORY}"
        with suppress(OSError):
            if len(records.names) < FEWEST:
                self._tree.files.unlink(path)
                return
            pieces = _encode(records)
            if self._beginning(path, len(pieces[0])) == pieces[0]:
                return  # nothing changed
            temporary = self._temporaries.write(pieces, mode=self._root.file_mode, exact=self._root.exact)
            try:
                self._tree.files.replace(temporary, path)
            except OSError:
                self._tree.files.remove(temporary)

    def _load(self, directory: str) -> Records:
        path = f"{directory}/{INVENTORY}"
        try:
            content = self._tree.files.read(path)
        except OSError:
            return Records()
        try:
            return _decode(content)
        except (ValueError, msgspec.MsgspecError):
            # Otherwise its beginning might pass for that of its successor.
            self._tree.files.remove(path)
            return Records()

    def _beginning(self, path: str, size: int) -> bytes:
        try:
            return self._tree.files.read(path, size)
        except OSError:
            return b""

    def _read(self, records: Records, directory: str, name: str) -> None:
        path = f"{directory}/{name}"
        try:
            entry, info = read_entry(self._tree.files, path)
        except EntryError:
            info = self._tree.files.status(path)
            records.add(name, info, info.st_size, None)
        else:
            product = self._tree.product_of(path, entry, info)
            records.add(name, info, info.st_size + (self._tree.bytes_of(*product) if product else 0), entry)


def _encode(records: Records) -> list[bytes]:
    columns = [getattr(records, column).tobytes() for column in _COLUMNS]
    body = msgspec.msgpack.encode(["/".join(records.names), *columns])
    return [_START + len(body).to_bytes(8, "little") + zlib.crc32(body).to_bytes(4, "little"), body]


def _decode(content: bytes) -> Records:
    """The records in an inventory.

    Raises:
        ValueError: it is no inventory, or damaged.
    """
    start = len(_START) + 12
    body = memoryview(content)[start:]
    if content[: len(_START)] != _START or zlib.crc32(body) != int.from_bytes(content[start - 4 : start], "little"):
        raise ValueError("no inventory, or a damaged one")
    names, *columns = msgspec.msgpack.decode(body, type=tuple[str, bytes, bytes, bytes, bytes, bytes])
    records = Records(names.split("/"))
    for column, values in zip(_COLUMNS, columns, strict=True):
        getattr(records, column).frombytes(values)
        if len(getattr(records, column)) != len(records.names):
            raise ValueError("the columns of an inventory are of different lengths")
    return records

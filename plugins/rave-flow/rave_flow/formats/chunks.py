"""The parts in which files are read, each known by its content: appending to a log changes only its last part.

A plain log is cut after whole lines. Everything else is one piece: reading can't start within a compressed stream or a
table, and programs do not append to them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Self

from rave_flow.errors import ChangedError, FlowError, UnreadableError
from rave_flow.formats.compression import is_compressed, open_regular, opened
from rave_flow.formats.file_names import Form
from rave_flow.formats.heads import Head, head_of
from rave_flow.formats.nfdump import span_of_netflow
from rave_flow.formats.source_directory import SourceFile, form_of
from rave_flow.formats.spans import FIRST, LAST, Span, span_of_block
from rave_flow.formats.zeek import Log

LARGEST = 32 << 20
"""The most bytes of a piece of a log, except for a longer line."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file; it counts by its content, regardless of the file's place and time.

    Attributes:
        start: where it begins, in bytes.
        size: in bytes.
        before: lines of the log that come before it.
        head: of the log, ``None`` for everything but plain logs.
        digest: of everything that affects its reading.
        span: when its flows start; ``None`` if only reading it shows that.
    """

    file: SourceFile
    start: int
    size: int
    before: int
    head: Head | None
    digest: str
    span: Span | None = None

    def __rave_key__(self) -> str:
        """What represents the piece in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a plain log, whose columns are known."""
        return self.head is not None

    @property
    def path(self) -> str:
        """Where the file lies."""
        return self.file.path

    @property
    def facts(self) -> tuple[object, ...]:
        """All but the file, as plain values."""
        head = self.head and (self.head.fields, self.head.pointers, self.head.separator, self.head.unset)
        return self.start, self.size, self.before, head, self.digest, self.span

    @classmethod
    def of(cls, file: SourceFile, facts: tuple[Any, ...]) -> Self:
        """The piece of ``file`` that has these `facts`."""
        start, size, before, head, digest, span = facts
        return cls(file, start, size, before, head and Head(*head), digest, span)

    def content(self) -> bytes:
        """Its bytes.

        Raises:
            ChangedError: the bytes changed since the file was cut.
        """
        with open_regular(self.file.path) as source:
            source.seek(self.start)
            content = _read(source, self.size)
        if self.head is None or _digest(self.before, self.head, content) != self.digest:
            raise ChangedError(f"{self.file.path} was rewritten since it was cut into pieces; ask again")
        return content


def pieces_of(file: SourceFile) -> tuple[Piece, ...]:
    """The pieces of ``file``, in order. A log that grew keeps all its earlier pieces but the last.

    Raises:
        UnreadableError: it is empty, or not a connection log.
        ChangedError: it was rewritten during the reading, or is gone.
    """
    try:
        if form_of(file) is Form.ZEEK and not is_compressed(file):
            found = tuple(_of_log(file))
            check_grown(file)
            return found
        digest = _digest_of(file)
        check_unchanged(file)
    except FileNotFoundError as error:
        raise ChangedError(f"{file.path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{file.path}: can't be read ({error.strerror})") from error
    return (Piece(file, 0, file.size, 0, None, digest),)


def _of_log(file: SourceFile) -> Iterator[Piece]:
    log, start, before = Log(file.path), 0, 0
    with opened(file) as source:
        for block in blocks(source):
            head = log.learn(block)
            yield Piece(file, start, len(block), before, head, _digest(before, head, block), span_of_block(block, head))
            start, before = start + len(block), before + block.count(b"\n")


def blocks(source: BinaryIO) -> Iterator[bytes]:
    """Many lines at a time, with their line ends; only the very last may have none."""
    held = rest = b""
    while chunk := _read(source, LARGEST - len(rest) if len(rest) < LARGEST else LARGEST):
        if end := chunk.rfind(b"\n") + 1:
            if held:
                yield held
            held, rest = rest + chunk[:end], chunk[end:]  # neither copies what is whole
        else:
            rest += chunk
    if held or rest:
        yield held + rest


def _read(source: BinaryIO, size: int) -> bytes:
    """This many bytes; fewer only at the end."""
    found = []
    while size and (chunk := source.read(size)):
        found.append(chunk)
        size -= len(chunk)
    return b"".join(found)


def _digest(before: int, head: Head, content: bytes) -> str:
    total = sha256(repr((before, head)).encode() + b"\n")
    total.update(content)
    return total.hexdigest()


def _digest_of(file: SourceFile) -> str:
    total = sha256(repr((form_of(file).value, Path(file.path).suffix)).encode() + b"\n")
    with open_regular(file.path) as source:
        while chunk := source.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def check_unchanged(file: SourceFile) -> None:
    """Raises `ChangedError` if the file changed since the directory was scanned."""
    if SourceFile.at(Path(file.path)) != file:
        raise ChangedError(f"{file.path} changed while it was read; ask again")


def check_grown(file: SourceFile) -> None:
    """The same for a log that is being written: it may have grown, and what was there at the scan is read."""
    now = SourceFile.at(Path(file.path))
    if now.size < file.size or (now.size == file.size and now.mtime_ns != file.mtime_ns):
        raise ChangedError(f"{file.path} was rewritten while it was read; ask again")


def span_of(file: SourceFile) -> Span | None:
    """When the flows of a file start; ``None`` if only reading it shows that, or if it can't be read."""
    try:
        if form_of(file) is Form.NETFLOW:
            with tempfile.TemporaryDirectory(prefix="rave-flow-") as folder:
                return span_of_netflow(file, Path(folder))
        return _span_of_log(file) if form_of(file) is Form.ZEEK else None
    except (FlowError, OSError):
        return None


def _span_of_log(file: SourceFile) -> Span | None:
    head, first, last = None, FIRST, LAST
    with opened(file) as source:
        for block in blocks(source):
            head = head_of(file.path, block) if head is None else head
            found = span_of_block(block, head)
            if found is None:
                return None
            first, last = min(first, found[0]), max(last, found[1])
    return (first, last) if head is not None else None

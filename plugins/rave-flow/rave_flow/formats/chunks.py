"""The parts in which files are read, each known by its content: appending to a log changes only its last part.

A plain log or table is cut after whole lines, and where its columns change. Everything else is one piece:
reading can't start within a compressed stream, and programs do not append to it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Self

from rave_flow.errors import ChangedError, FlowError, UnreadableError
from rave_flow.formats.compression import is_compressed, open_regular, opened
from rave_flow.formats.delimited import Titles, parts
from rave_flow.formats.file_names import Form
from rave_flow.formats.heads import Head
from rave_flow.formats.nfdump import span_of_capture, span_of_netflow
from rave_flow.formats.sections import sections
from rave_flow.formats.silk_files import span_of_silk
from rave_flow.formats.source_directory import SourceFile, form_of
from rave_flow.formats.spans import FIRST, LAST, Span, span_of_block, span_of_rows, span_of_statistics

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
        titles: of the table, ``None`` for everything but plain tables.
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
    titles: Titles | None = None

    def __rave_key__(self) -> str:
        """What represents the piece in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a plain log or table, whose columns are known."""
        return self.head is not None or self.titles is not None

    @property
    def path(self) -> str:
        """Where the file lies."""
        return self.file.path

    @property
    def facts(self) -> tuple[object, ...]:
        """All but the file, as plain values."""
        head = self.head and astuple(self.head)
        titles = self.titles and (self.titles.names, self.titles.separator, self.titles.has_line)
        return self.start, self.size, self.before, head, self.digest, self.span, titles

    @classmethod
    def of(cls, file: SourceFile, facts: tuple[Any, ...]) -> Self:
        """The piece of ``file`` that has these `facts`."""
        start, size, before, head, digest, span, titles = facts
        return cls(file, start, size, before, head and Head(*head), digest, span, titles and Titles(*titles))

    def content(self) -> bytes:
        """Its bytes.

        Raises:
            ChangedError: the bytes changed since the file was cut.
        """
        with open_regular(self.file.path) as source:
            source.seek(self.start)
            content = _read(source, self.size)
        columns = self.head or self.titles
        if columns is None or _digest(self.before, columns, content) != self.digest:
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
        if form_of(file) is Form.CSV and not is_compressed(file):
            found = tuple(_of_table(file))
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
    start = 0
    with opened(file) as source:
        for section in sections(file.path, blocks(source)):
            head, content, before = section.head, section.content, section.before
            digest, span = _digest(before, head, content), span_of_block(content, head)
            yield Piece(file, start, len(content), before, head, digest, span)
            start += len(content)


def _of_table(file: SourceFile) -> Iterator[Piece]:
    with opened(file) as source:
        for part in parts(file.path, blocks(source)):
            titles, content = part.titles, part.content
            digest, span = _digest(part.before, titles, content), span_of_rows(content, titles)
            yield Piece(file, part.start, len(content), part.before, None, digest, span, titles)


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


def _digest(before: int, head: Head | Titles, content: bytes) -> str:
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
        return _SPANS[form_of(file)](file)
    except (FlowError, OSError, ValueError):  # Arrow's errors are ValueErrors
        return None


def _by_program(find: Callable[[SourceFile, Path], Span | None]) -> Callable[[SourceFile], Span | None]:
    def span(file: SourceFile) -> Span | None:
        with tempfile.TemporaryDirectory(prefix="rave-flow-") as folder:
            return find(file, Path(folder))

    return span


def _span_of_log(file: SourceFile) -> Span | None:
    with opened(file) as source:
        found = sections(file.path, blocks(source))
        return _together(span_of_block(section.content, section.head) for section in found)


def _span_of_table(file: SourceFile) -> Span | None:
    with opened(file) as source:
        return _together(span_of_rows(part.content, part.titles) for part in parts(file.path, blocks(source)))


def _together(spans: Iterable[Span | None]) -> Span | None:
    """The span of parts; ``None`` if one is unknown, or there are none."""
    first, last, number = FIRST, LAST, 0
    for span in spans:
        if span is None:
            return None
        first, last, number = min(first, span[0]), max(last, span[1]), number + 1
    return (first, last) if number else None


_SPANS: dict[Form, Callable[[SourceFile], Span | None]] = {
    Form.ZEEK: _span_of_log,
    Form.CSV: _span_of_table,
    Form.PARQUET: lambda file: span_of_statistics(file.path),
    Form.NETFLOW: _by_program(span_of_netflow),
    Form.CAPTURE: span_of_capture,
    Form.SILK: _by_program(span_of_silk),
    Form.IPFIX: lambda _: None,
}

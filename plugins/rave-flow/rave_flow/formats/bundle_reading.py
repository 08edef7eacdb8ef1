"""Small logs on their way to Parquet, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rave_flow.errors import UnreadableError
from rave_flow.formats.bundles import Bundle
from rave_flow.formats.heads import Head
from rave_flow.formats.parquet_files import padded
from rave_flow.formats.reading import Reading, flows_of_lines, flows_of_section
from rave_flow.formats.sections import Section, sections
from rave_flow.formats.source_directory import SourceFile
from rave_flow.formats.zeek import Log
from rave_flow.model.columns import extra_columns, resolve
from rave_flow.model.left_out import LeftOut

if TYPE_CHECKING:
    import pyarrow

Placed = tuple[int, SourceFile, bytes]
"""A log with its place in the bundle, and its content."""

Alike = dict[Head, list[tuple[int, SourceFile, bytes, bytes]]]
"""Logs of one head: as `Placed`, and the lines that hold data."""

PLACED = "\0"
"""The placeholder for a file's path in what is kept by content."""


@dataclass(slots=True)
class BundleReading:
    """Small logs on their way.

    If all lines of logs with equal heads are good, they are read as one log. Otherwise each log is read by itself, so
    that every line left out has a place.

    Attributes:
        left_out: from all logs; the first line follows the place of its file in the bundle.
        failures: the place of each file that can't be read, the kind of error, and its text, in which the path is cut.
    """

    reading: Reading
    bundle: Bundle
    left_out: LeftOut = field(default_factory=LeftOut)
    failures: list[tuple[int, str, str]] = field(default_factory=list)

    def flows(self) -> Iterator[pyarrow.Table]:
        """All flows that count."""
        alike, apart, extras = self._sorted()
        for table in self._tables(alike, apart):
            yield padded(table, extras)

    def _sorted(self) -> tuple[Alike, list[Placed], list[str]]:
        """The logs by head; those that must be read by themselves; and the other columns of all."""
        alike: Alike = {}
        apart: list[Placed] = []
        known: dict[Head, list[str]] = {}
        extras: dict[str, None] = {}
        for place, (file, content) in enumerate(self.bundle.content()):
            log_of_file = Log()
            try:
                section = _only(file, content)
                lines, _ = log_of_file.take(section)
                head = section.head
                if head not in known:
                    known[head] = list(extra_columns(head.fields, resolve(head.fields, file.path)))
            except UnreadableError as error:
                self._fail(place, file, error)
                continue
            extras |= dict.fromkeys(known[head])
            if log_of_file.faults:
                apart.append((place, file, content))
            elif lines:
                alike.setdefault(head, []).append((place, file, content, lines))
        return alike, apart, list(extras)

    def _tables(self, alike: Alike, apart: list[Placed]) -> Iterator[pyarrow.Table]:
        for each in apart:
            yield from self._alone(*each)
        for head, logs in alike.items():
            joined = b"".join(lines for *_, lines in logs)
            table = self._together(head, joined)
            if table is not None:
                yield table
                continue
            for place, file, content, _ in logs:
                yield from self._alone(place, file, content)

    def _together(self, head: Head, lines: bytes) -> pyarrow.Table | None:
        """The flows in lines of one head; ``None`` if one of them can't count."""
        trial = Reading(self.reading.path, self.reading.connection, self.reading.folder)
        found = Log()
        tables = list(flows_of_lines(trial, found, head, lines, range(1, lines.count(b"\n") + 1)))
        if trial.faults or found.faults or not tables:
            return None
        self.left_out += trial.left_out
        return tables[0]

    def _alone(self, place: int, file: SourceFile, content: bytes) -> Iterator[pyarrow.Table]:
        own = Reading(file.path, self.reading.connection, self.reading.folder)
        found = Log()
        tables = list(flows_of_section(own, found, _only(file, content)))
        own.take(found)
        told = own.left_out
        if told.lines and not any(table.num_rows for table in tables):
            why = f"{file.path}: none of {told.skipped} lines could be read; {told.first}"
            self._fail(place, file, UnreadableError(why))
            return
        first = f"{place}{PLACED}{told.first}" if told.first else ""
        self.left_out += replace(told, first=first)
        yield from tables

    def _fail(self, place: int, file: SourceFile, error: UnreadableError) -> None:
        self.failures.append((place, type(error).__name__, str(error).replace(file.path, PLACED)))


def _only(file: SourceFile, content: bytes) -> Section:
    """The one section of a small log."""
    return next(sections(file.path, [content]))

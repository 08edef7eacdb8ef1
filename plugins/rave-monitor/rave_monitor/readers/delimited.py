"""``csv``: each record of a file with a header line is an event."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rave_monitor.reader import Event
from rave_monitor.readers.file_reader import FileReader, text_of
from rave_monitor.readers.growing_file import split_lines


def split_records(data: bytes, at_end: bool) -> list[bytes]:
    """The records: lines, except that a line end between quotes belongs to its record."""
    records: list[bytes] = []
    begin = end = quotes = 0
    for line in split_lines(data, at_end):
        end += len(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            records.append(data[begin:end])
            begin = end
    if at_end and begin < end:
        records.append(data[begin:end])
    return records


class CsvReader(FileReader):
    """Reads the records of a CSV file: texts by the names in its first line, which each new file has anew.

    A record with too few values lacks the last fields; of one with too many, the others are left out; either is told
    once for each file. Blank lines are left out.
    """

    split = staticmethod(split_records)

    def __init__(self, *, path: Path, delimiter: str = ",", fields: list[str] | None = None) -> None:
        """Reads a file.

        Args:
            path: of the file.
            delimiter: one character.
            fields: the names, for a file without a header line.
        """
        super().__init__(path=path)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(f"delimiter is {delimiter!r}: expected one character, such as ','")
        self._delimiter, self._given = delimiter, fields
        self._fields: list[str] | None = fields

    def header(self) -> Any:
        """The names of the fields."""
        return self._fields

    def restore_header(self, header: Any) -> None:
        """Goes on with the names of a header."""
        self._fields = self._given if header is None else list(header)
        self._complained = False

    def events(self, records: list[bytes]) -> list[Event]:
        """One for each record after the header."""
        return [event for record in records if (event := self._event(text_of(record))) is not None]

    def _event(self, text: str) -> Event | None:
        if not text:
            return None
        values = self._values(text)
        if self._fields is None:
            self._fields = values
            return None
        if len(values) != len(self._fields) and not self._complained:
            self._complained = True
            self.tell(f"{self._path}: a record has {len(values)} values for {len(self._fields)} fields: {text[:80]!r}")
        return dict(zip(self._fields, values, strict=False))

    def _values(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self._delimiter)
        return next(csv.reader([text], delimiter=self._delimiter))

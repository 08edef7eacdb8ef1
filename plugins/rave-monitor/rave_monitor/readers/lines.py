"""``lines``: each line of a file is an event."""

from __future__ import annotations

from rave_monitor.reader import Event
from rave_monitor.readers.file_reader import FileReader, text_of


class LinesReader(FileReader):
    """Reads lines: ``{"line": text}``."""

    def events(self, records: list[bytes]) -> list[Event]:
        """One for each line."""
        return [{"line": text_of(record)} for record in records]

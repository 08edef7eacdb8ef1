"""What readers of growing files share."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from rave_core import current_runtime
from rave_monitor.reader import Event, Position, Reader
from rave_monitor.readers.growing_file import GrowingFile, Split, split_lines


class FileReader(Reader):
    """Reads the records of a file that grows."""

    split: Split = staticmethod(split_lines)

    def __init__(self, *, path: Path) -> None:
        """Reads ``path``; a relative one is relative to the configuration."""
        self._path = path
        self._file: GrowingFile | None = None

    def open(self, position: Position | None) -> None:
        """Begins after a position."""
        runtime = current_runtime() if self.runtime is None else self.runtime
        self._file = GrowingFile(self._path, self.tell, runtime, self.split)
        self._file.open(position)
        self.restore_header((position or {}).get("header"))

    def read(self, _limit: int) -> list[Event]:
        """The next events; some thousand at most."""
        assert self._file is not None
        try:
            records = self._file.read()
        except OSError as error:
            self.trouble = f"{self._path}: {error.strerror}; tries again"
            return []
        self.trouble = self._file.trouble
        if records and self._file.is_fresh:
            self.restore_header(None)
        return self.events(records)

    def position(self) -> dict[str, Any]:
        """Where the file is read."""
        assert self._file is not None
        return {**self._file.position(), "header": self.header()}

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    @abstractmethod
    def events(self, records: list[bytes]) -> list[Event]:
        """The events in some records."""

    def header(self) -> Any:
        """What has to be known of the beginning of the file, in values that JSON has."""
        return None

    def restore_header(self, header: Any) -> None:
        """Goes on with a header; ``None`` at the beginning of a file."""


def text_of(record: bytes) -> str:
    """A record as text, without its line end; bytes that are no UTF-8 as ``\\xff``."""
    return record.rstrip(b"\r\n").decode("utf-8", "backslashreplace")

"""The type of an argument that names a source of which Zeek's logs of names are asked: ``dns.log`` or ``ssl.log``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from rave_core.converters import Converter, FunctionConverter
from rave_flow.arguments.converters import Source, to_source
from rave_flow.errors import FlowError
from rave_flow.formats.name_logs import NAMES
from rave_flow.formats.source_directory import SourceFile, directory_of, scan_names


@dataclass(frozen=True, slots=True)
class NameSource:
    """A configured directory, and the logs of names that it held when the argument was converted.

    Attributes:
        source: its flows.
        kind: of the logs, ``dns`` or ``ssl``.
        error: why there are no logs; raised when they are asked for.
    """

    source: Source
    kind: str
    files: tuple[SourceFile, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    error: FlowError | None = None

    def __rave_key__(self) -> object:
        """What represents the source in a key."""
        return self.source, self.kind, self.files, self.passed_over, str(self.error)

    @property
    def logs(self) -> tuple[SourceFile, ...]:
        """The logs.

        Raises:
            FlowError: there are none, and why.
        """
        if self.error is not None:
            raise type(self.error)(str(self.error))
        return self.files


def to_name_source(kind: str, value: Any) -> NameSource:
    """The source of that name, scanned now for logs of names; a `NameSource` is scanned again.

    Raises:
        TypeError: not a name.
    """
    source = to_source(value.source if isinstance(value, NameSource) else value)
    try:
        files, passed_over = scan_names(directory_of(source.name), kind)
    except FlowError as error:
        return NameSource(source, kind, (), error=error)
    return NameSource(source, kind, files, passed_over)


CONVERTERS: dict[str, Converter] = {
    f"flow_{kind}": FunctionConverter(f"flow_{kind}", partial(to_name_source, kind), {"type": "string"}, volatile=True)
    for kind in NAMES
}
"""The converters by the names under which they are registered."""

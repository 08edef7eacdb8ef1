"""``zeek``: each entry of a log of Zeek is an event, whether the log is written as TSV or as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_monitor.reader import Event
from rave_monitor.readers.file_reader import FileReader, text_of

_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_DEFAULTS: Final = {"separator": "\t", "set_separator": ",", "empty_field": "(empty)", "unset_field": "-"}
_Parse = Callable[[str], Any]


def unescaped(text: str) -> str:
    """A text with Zeek's escapes, such as ``\\x09``, resolved; they stand for bytes of UTF-8."""
    if "\\x" not in text:
        return text
    return _ESCAPE.sub(_smuggled, text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _smuggled(found: re.Match[str]) -> str:
    """A byte as Python holds it in a text that is to be encoded."""
    byte = int(found[1], 16)
    return chr(byte if byte < 0x80 else 0xDC00 + byte)


class ZeekReader(FileReader):
    """Reads a log of Zeek: values of the types that its header names, by field; an unset one is ``None``.

    Times and intervals are seconds, sets and vectors are lists, addresses are texts. A JSON log gives what it holds;
    an entry that can't be read is left out, and told once for each file.
    """

    def __init__(self, *, path: Path) -> None:
        """Reads a log, such as ``/opt/zeek/logs/current/conn.log``."""
        super().__init__(path=path)
        self.restore_header(None)

    def header(self) -> Any:
        """The lines of the header that matter."""
        return self._header

    def restore_header(self, header: Any) -> None:
        """Goes on with a header."""
        self._header: dict[str, Any] = {**_DEFAULTS, **(header or {})}
        self._complained = False
        self._prepare()

    def events(self, records: list[bytes]) -> list[Event]:
        """One for each entry."""
        found = []
        for record in records:
            text = text_of(record)
            if text.startswith("#"):
                self._take(text)
            elif text and (event := self._event(text)) is not None:
                found.append(event)
        return found

    def _take(self, text: str) -> None:
        """Notes a line of the header."""
        name, _, rest = text[1:].partition(" " if text.startswith("#separator ") else self._header["separator"])
        if name == "separator":
            self._header[name] = unescaped(rest)
        elif name in ("fields", "types"):
            self._header[name] = rest.split(self._header["separator"])
        elif name in _DEFAULTS:
            self._header[name] = rest
        else:
            return
        self._prepare()

    def _prepare(self) -> None:
        header = self._header
        self._fields: list[str] = header.get("fields", [])
        types = header.get("types", ["string"] * len(self._fields))
        self._parsers = [self._parser(each) for each in types]

    def _parser(self, kind: str) -> _Parse:
        outer, bracket, inner = kind.partition("[")
        if bracket:
            parse, separator, empty = self._parser(inner.rstrip("]")), self._header["set_separator"], self._empty
            return lambda text: [] if text == empty else [parse(each) for each in text.split(separator)]
        if outer in ("count", "int", "port"):
            return int
        if outer in ("time", "interval", "double"):
            return float
        if outer == "bool":
            return lambda text: text == "T"
        empty = self._empty
        return lambda text: "" if text == empty else unescaped(text)

    @property
    def _empty(self) -> str:
        return str(self._header["empty_field"])

    def _event(self, text: str) -> Event | None:
        try:
            if text.startswith("{"):
                return msgspec.json.decode(text, type=dict[str, Any])
            unset = self._header["unset_field"]
            values = text.split(self._header["separator"])
            named = zip(self._fields, self._parsers, values, strict=True)
            return {field: None if value == unset else parse(value) for field, parse, value in named}
        except (ValueError, msgspec.DecodeError) as error:
            if not self._complained:
                self._complained = True
                self.tell(f"{self._path}: leaves out entries such as {text[:80]!r}: {error}")
            return None

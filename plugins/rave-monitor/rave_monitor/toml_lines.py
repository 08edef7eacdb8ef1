"""On which line of a TOML file something stands, which the parser of the standard library does not say."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_HEADER: Final = re.compile(r"\s*\[{1,2}\s*([\w-]+)")
_KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*(?:\.|=)""")
_TEXT: Final = re.compile("'''" + '|"""')


class TomlLines:
    """The lines of the tables and keys of a TOML file. Safe for threads."""

    def __init__(self, text: str) -> None:
        """Reads a file that the parser has accepted."""
        self._lines: dict[tuple[str, int, str], int] = {}
        seen = Counter[str]()
        table, index, is_within = "", 0, False
        for number, line in enumerate(text.splitlines(), 1):
            marks = len(_TEXT.findall(line))
            if is_within:
                is_within = marks % 2 == 0
                continue
            is_within = marks % 2 == 1
            if header := _HEADER.match(line):
                table = header[1]
                index, seen[table] = seen[table], seen[table] + 1
                self._lines[table, index, ""] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((table, index, key[1]), number)

    def of(self, table: str = "", index: int = 0, key: str = "") -> int:
        """The line of a key in the ``index``-th table of a name, or of that table; 1 if neither is found."""
        return self._lines.get((table, index, key)) or self._lines.get((table, index, "")) or 1

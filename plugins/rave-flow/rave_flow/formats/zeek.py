"""Text logs of connections, TSV or JSON: which of the lines are whole, and which hold no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rave_flow.formats.heads import BOM, Head
from rave_flow.formats.sections import Section
from rave_flow.model.columns import ALIASES, folded

HASH = ord("#")


@dataclass(slots=True)
class Log:
    """A log, as far as it was read.

    Attributes:
        faults: how many lines are left out, by reason.
        first: the number of the first of them, and what is wrong with it.
    """

    faults: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None

    def take(self, section: Section) -> tuple[bytes, Sequence[int]]:
        """The whole lines of a section without comments, each with its end, and their numbers in the file."""
        head, block = section.head, section.content
        block = block.removeprefix(BOM) if not section.before else block
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        plain = None if head.is_json or head.fault else self.plain(block)
        if plain is not None:
            lines, before = plain
            start = section.before + before + 1
            return lines, range(start, start + lines.count(b"\n"))
        numbered = list(enumerate(_split(block), section.before + 1))
        whole = self._objects(numbered) if head.is_json and not head.fault else self._whole(numbered, head)
        return b"".join(line for _, line in whole), [number for number, _ in whole]

    def plain(self, block: bytes) -> tuple[bytes, int] | None:
        """The lines of a block of TSV without the comments at its ends, and how many of these come before.

        ``None`` if the lines need a look one by one. The parser checks that each has the right number of fields.
        """
        if not block.endswith(b"\n") or b"\r" in block:
            return None
        first, last, before = 0, len(block), 0
        while block.startswith(b"#", first):
            first = block.index(b"\n", first) + 1
            before += 1
        while (start := block.rfind(b"\n", first, last - 1) + 1) > first and block.startswith(b"#", start):
            last = start
        has_more = block.find(b"#", first, last) >= 0 and block.find(b"\n#", first, last) >= 0
        return None if has_more else (block[first:last], before)

    def sift(self, lines: bytes, numbers: Sequence[int], head: Head) -> tuple[bytes, Sequence[int]]:
        """The whole lines of `plain`, after a parser found that some are not whole."""
        whole = self._whole(zip(numbers, _split(lines), strict=True), head)
        return b"".join(line for _, line in whole), [number for number, _ in whole]

    def leave_out(self, reason: str, number: int, why: str) -> None:
        """Counts a line that is left out."""
        self.faults[reason] += 1
        if self.first is None or number < self.first[0]:
            self.first = number, why

    def _objects(self, lines: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """The lines that are neither empty nor comments. Reading them checks their content."""
        return [(number, _ended(line)) for number, line in lines if line.strip() and line[0] != HASH]

    def _whole(self, lines: Iterable[tuple[int, bytes]], head: Head) -> list[tuple[int, bytes]]:
        """The lines that have all fields and an end."""
        separator, wanted = head.separator.encode("latin-1"), len(head.fields) - 1
        whole: list[tuple[int, bytes]] = []
        for number, line in lines:
            if line[0] == HASH:
                continue
            if head.fault and line.strip():
                self.leave_out("head", number, f"is under a later head that can't be read: {head.fault}")
            elif not head.fault and line.count(separator) == wanted and b"\r" not in line and self._has_end(line, head):
                whole.append((number, _ended(line)))
            elif line.strip():
                self.leave_out("line", number, self._fault(line, separator, wanted))
        return whole

    def _has_end(self, line: bytes, head: Head) -> bool:
        """Whether the line is surely complete. Without a line end, the last field may be truncated."""
        return line.endswith(b"\n") or folded(head.fields[-1]) not in _READ

    def _fault(self, line: bytes, separator: bytes, wanted: int) -> str:
        count = line.count(separator)
        if count != wanted:
            return f"has {count + 1} fields instead of {wanted + 1}"
        return "holds a carriage return" if b"\r" in line else "has no end"


_READ = frozenset(folded(alias) for aliases in ALIASES.values() for alias in aliases)


def _split(block: bytes) -> list[bytes]:
    """The lines of a block, with their ends."""
    *whole, rest = block.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"

"""Text logs of connections, TSV or JSON: which of the lines are whole, and which hold no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rave_flow.errors import UnreadableError
from rave_flow.formats.heads import BOM, CONNECTIONS, Head, LogKind, fields_said, head_of
from rave_flow.model.columns import ALIASES, folded

HASH = ord("#")


@dataclass(slots=True)
class Log:
    """A log, as far as it was read.

    Attributes:
        path: for messages.
        head: what its head says, ``None`` before it was read.
        number: how many lines were read.
        faults: how many of them are left out, by reason.
        first: the number of the first of them, and what is wrong with it.
        kind: of the log.
    """

    path: str
    head: Head | None = None
    number: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None
    kind: LogKind = CONNECTIONS

    def learn(self, block: bytes) -> Head:
        """Takes the head from the first lines.

        Raises:
            UnreadableError: it is not a log of that kind.
        """
        if self.head is None:
            self.head = head_of(self.path, block, self.kind)
        return self.head

    def take(self, block: bytes) -> tuple[bytes, Sequence[int]]:
        """The whole lines of a block without comments, each with its end, and their numbers in the file.

        Raises:
            UnreadableError: the columns change.
        """
        head = self.learn(block)
        block = block.removeprefix(BOM) if self.number == 0 else block
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        start = self.number
        plain = None if head.is_json else self.plain(block)
        if plain is not None:
            lines, before, after = plain
            count = lines.count(b"\n")
            self.number += before + count + after
            return lines, range(start + before + 1, start + before + count + 1)
        lines_found = _split(block)
        whole = self._objects(lines_found) if head.is_json else self._whole(lines_found, head)
        self.number += len(lines_found)
        return b"".join(line for _, line in whole), [number for number, _ in whole]

    def plain(self, block: bytes) -> tuple[bytes, int, int] | None:
        """The lines of a block of TSV without the comments at its ends, and how many of these come before and after.

        ``None`` if the lines need a look one by one. The parser checks that each has the right number of fields.
        """
        assert self.head is not None
        if not block.endswith(b"\n") or b"\r" in block:
            return None
        first, last, before, after = 0, len(block), 0, 0
        while block.startswith(b"#", first):
            first = block.index(b"\n", first) + 1
            before += 1
        while (start := block.rfind(b"\n", first, last - 1) + 1) > first and block.startswith(b"#", start):
            last = start
            after += 1
        has_more = block.find(b"#", first, last) >= 0 and block.find(b"\n#", first, last) >= 0
        if b"#fields" in block[last:] or has_more:
            return None
        self._check_again(block[:first].splitlines(), self.number)
        return block[first:last], before, after

    def sift(self, lines: bytes, numbers: Sequence[int]) -> tuple[bytes, Sequence[int]]:
        """The whole lines of `plain`, after a parser found that some are not whole."""
        assert self.head is not None
        whole = self._whole(_split(lines), self.head, numbers)
        return b"".join(line for _, line in whole), [number for number, _ in whole]

    def leave_out(self, reason: str, number: int, why: str) -> None:
        """Counts a line that is left out."""
        self.faults[reason] += 1
        if self.first is None or number < self.first[0]:
            self.first = number, why

    def _objects(self, lines: list[bytes]) -> list[tuple[int, bytes]]:
        """The lines that are not empty. Reading them checks their content."""
        found = []
        for number, line in enumerate(lines, self.number + 1):
            if line.strip():
                found.append((number, line if line.endswith(b"\n") else line + b"\n"))
        return found

    def _whole(self, lines: list[bytes], head: Head, numbers: Sequence[int] | None = None) -> list[tuple[int, bytes]]:
        """The lines that have all fields and an end."""
        separator, wanted = head.separator.encode("latin-1"), len(head.fields) - 1
        whole: list[tuple[int, bytes]] = []
        for place, line in enumerate(lines):
            number = self.number + place + 1 if numbers is None else numbers[place]
            if line[0] == HASH:
                self._check_again([line], number - 1)
            elif line.count(separator) == wanted and b"\r" not in line and self._has_end(line, head):
                whole.append((number, line if line.endswith(b"\n") else line + b"\n"))
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

    def _check_again(self, comments: list[bytes], before: int) -> None:
        """Refuses comments that name other columns; ``before`` lines of the file come before them."""
        assert self.head is not None
        for number, line in enumerate(comments, before + 1):
            said = fields_said(line, self.head)
            if said is not None and said != self.head.fields:
                raise UnreadableError(f"{self.path}, line {number}: other #fields than at the top; split the log there")


_READ = frozenset(folded(alias) for aliases in ALIASES.values() for alias in aliases)


def _split(block: bytes) -> list[bytes]:
    """The lines of a block, with their ends."""
    *whole, rest = block.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])

"""The sections of a log: a program that is restarted with other settings goes on in the same file in another form.

The same columns follow a new head, in another order or between other separators. Objects (JSON) follow columns without
one, and so do columns that go on after objects. A log whose columns change is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rave_flow.errors import UnreadableError
from rave_flow.formats.heads import (
    BOM,
    CONNECTIONS,
    SIZE,
    Head,
    LogKind,
    head_of,
    head_of_objects,
    is_object,
    later_head,
)

_FIELDS, _SEPARATOR = b"\n#fields", b"\n#separator"
_LONGEST = 1 << 16
"""The most bytes of a head that two blocks share."""
_MOST_TURNS = 100
"""How often a log goes over to objects, as far as that is followed: each time makes another piece."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of a log under one head, or some of them.

    Attributes:
        content: the lines, with comments.
        before: how many lines of the file come before them.
    """

    head: Head
    content: bytes
    before: int


def sections(path: str, blocks: Iterable[bytes], kind: LogKind = CONNECTIONS) -> Iterator[Section]:
    """The blocks of a log, cut where other columns begin; together they are the log.

    A later head that can't be read gives a `Head` with a ``fault``.

    Args:
        path: for messages.
        blocks: whole lines each.
        kind: of the log.

    Raises:
        UnreadableError: it is empty, its first head is not that of such a log, or a later one names other columns.
    """
    log: _Sectioned | None = None
    held = b""
    for block in blocks:
        block, held = _without_open_head(held + block if held else block)
        known = 0 if log else _end_of_comments(block)
        log = log or _Sectioned(path, kind, head_of(path, block, kind))
        yield from log.cut(block, known)
    if log is None:
        raise UnreadableError(f"{path}: is empty, not even a #fields line")
    if held:
        yield Section(log.head, held, log.before)


@dataclass(slots=True)
class _Sectioned:
    """A log on its way.

    Attributes:
        head: that of the next lines.
        columns: the last head that is not of objects.
        first: the first such head that can be read, once another head came.
        before: how many lines were seen.
        turns: how often objects followed columns.
    """

    path: str
    kind: LogKind
    head: Head
    columns: Head | None = None
    first: Head | None = None
    before: int = 0
    turns: int = 0

    def cut(self, block: bytes, place: int) -> Iterator[Section]:
        """The sections of the next block, in which heads are looked for from ``place`` on."""
        start = 0
        while (found := self._next(block, place)) is not None:
            begin, place, head = found
            if head == self.head:
                continue
            self._check(head, self.before + block.count(b"\n", start, begin) + 1)
            if begin > start:
                yield self._section(block[start:begin])
            self.columns = self.columns if self.head.is_json else self.head
            self.head, start = head, begin
        if start < len(block):
            yield self._section(block[start:] if start else block)

    def _check(self, head: Head, line: int) -> None:
        """Raises if the next head names other columns than the first: one part may not say what the other does."""
        for each in (self.head, head):
            if each.is_json or each.fault:
                continue
            self.first = self.first or each
            if set(each.fields) != set(self.first.fields):
                names = ", ".join(sorted(set(each.fields) ^ set(self.first.fields)))
                raise UnreadableError(f"{self.path}: its columns change at line {line} ({names}); split it there")

    def _section(self, content: bytes) -> Section:
        found = Section(self.head, content, self.before)
        self.before += content.count(b"\n")
        return found

    def _next(self, block: bytes, place: int) -> tuple[int, int, Head] | None:
        """Where lines under another head may begin, from where to look further, and that head."""
        fields = _next_fields(block, place)
        turn = self._next_turn(block, place, fields if fields >= 0 else len(block))
        if turn is not None or fields < 0:
            return turn
        begin, end = _run(block, fields)
        return begin, end, later_head(self.path, block[begin:end], self.kind, self.head)

    def _next_turn(self, block: bytes, place: int, end: int) -> tuple[int, int, Head] | None:
        """The same where columns end and objects begin, or the other way round, without a head."""
        if self.head.is_json:
            line = _next_line(_OTHER, block, place, end) if self.columns else -1
            return (line, line + 1, self.columns) if self.columns and line >= 0 else None
        while self.turns < _MOST_TURNS and (line := _next_line(_OBJECT, block, place, end)) >= 0:
            place = line + 1
            if is_object(block[line : block.find(b"\n", line) + 1 or len(block)]):
                self.turns += 1
                return line, place, head_of_objects(self.path, block[line : line + SIZE], self.kind)
        return None


def _next_fields(block: bytes, place: int) -> int:
    """Where the next line starts that names columns; -1 if there is none."""
    if not place and block.startswith(_FIELDS[1:]):
        return 0
    if block.find(b"#", place) < 0:  # much quicker to see
        return -1
    found = block.find(_FIELDS, place)
    return found + 1 if found >= 0 else -1


_OBJECT, _OTHER = re.compile(rb"\n(?={)"), re.compile(rb"\n(?=[^{#\s])")
"""The end of a line before one that may be an object, and before one that is neither that nor a comment."""


def _next_line(pattern: re.Pattern[bytes], block: bytes, place: int, end: int) -> int:
    """Where the next line starts before which a pattern ends; -1 if there is none."""
    if not place and pattern.match(b"\n" + block[:1]):
        return 0
    found = pattern.search(block, max(place - 1, 0), end)
    return found.end() if found else -1


def _end_of_comments(block: bytes) -> int:
    """Where the comments end with which a log starts, of which its first head is made."""
    end = len(BOM) if block.startswith(BOM) else 0
    while block.startswith(b"#", end):
        end = block.find(b"\n", end) + 1 or len(block)
    return max(end - 1, 0)


def _run(block: bytes, place: int) -> tuple[int, int]:
    """From where to where the comments reach that lie around the one at ``place``."""
    begin, end = place, block.find(b"\n", place) + 1 or len(block)
    while begin and block.startswith(b"#", above := block.rfind(b"\n", 0, begin - 1) + 1):
        begin = above
    while block.startswith(b"#", end):
        end = block.find(b"\n", end) + 1 or len(block)
    return begin, end - 1 if end < len(block) else end


def _without_open_head(block: bytes) -> tuple[bytes, bytes]:
    """A block without a head at its end, which may go on in the next one; and that head."""
    start = block.rfind(_SEPARATOR, max(len(block) - _LONGEST, 0)) + 1
    if not start or not all(line.startswith(b"#") for line in block[start:].splitlines()):
        return block, b""
    return block[:start], block[start:]

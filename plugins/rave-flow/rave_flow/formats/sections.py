"""The sections of a log: a program that is restarted with other settings goes on in the same file under a new head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rave_flow.errors import UnreadableError
from rave_flow.formats.heads import BOM, CONNECTIONS, Head, LogKind, head_of, later_head

_FIELDS, _SEPARATOR = b"\n#fields", b"\n#separator"
_LONGEST = 1 << 16
"""The most bytes of a head that two blocks share."""


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
        UnreadableError: it is empty, or its first head is not that of such a log.
    """
    head: Head | None = None
    before, held = 0, b""
    for block in blocks:
        block, held = _without_open_head(held + block if held else block)
        known = _end_of_comments(block) if head is None else 0
        head = head or head_of(path, block, kind)
        for section in _cut(path, block, head, before, kind, known):
            head, before = section.head, section.before + section.content.count(b"\n")
            yield section
    if head is None:
        raise UnreadableError(f"{path}: is empty, not even a #fields line")
    if held:
        yield Section(head, held, before)


def _cut(path: str, block: bytes, head: Head, before: int, kind: LogKind, place: int) -> Iterator[Section]:
    """The sections of a block, in which heads are looked for from ``place`` on."""
    start = 0
    while (place := _next_fields(block, place)) >= 0:
        begin, place = _run(block, place)
        found = later_head(path, block[begin:place], kind, head)
        if found == head:
            continue
        if begin > start:
            yield Section(head, block[start:begin], before)
            before += block.count(b"\n", start, begin)
        head, start = found, begin
    if start < len(block):
        yield Section(head, block[start:] if start else block, before)


def _next_fields(block: bytes, place: int) -> int:
    """Where the next line starts that names columns; -1 if there is none."""
    if not place and block.startswith(_FIELDS[1:]):
        return 0
    if block.find(b"#", place) < 0:  # much quicker to see
        return -1
    found = block.find(_FIELDS, place)
    return found + 1 if found >= 0 else -1


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

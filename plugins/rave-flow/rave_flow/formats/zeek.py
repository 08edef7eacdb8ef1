"""Zeek connection logs, in TSV or JSON: the columns, and which of the lines are whole."""

from __future__ import annotations

from dataclasses import dataclass

from rave_flow.errors import UnreadableError
from rave_flow.model.columns import ALIASES

HASH = ord("#")


@dataclass(slots=True)
class Log:
    """A log, as far as it was read.

    Attributes:
        path: for messages.
        fields: names of the columns; of TSV in order, of JSON those that are known and were seen.
        is_json: whether the lines are objects.
        number: how many lines were read.
        lines: how many of them hold data, whole or not.
        first_bad: where and why the first line was left out, ``""`` where none was.
    """

    path: str
    fields: tuple[str, ...] = ()
    is_json: bool = False
    number: int = 0
    lines: int = 0
    first_bad: str = ""

    def learn(self, block: bytes) -> None:
        """Takes the names of the columns from the first lines; of objects from all, since each has its own.

        Raises:
            UnreadableError: it is no connection log.
        """
        if not self.fields and not self.is_json:
            head = _split(block[:_HEAD])
            self.is_json = next((line.startswith(b"{") for line in head if line.strip()), False)
            if not self.is_json:
                self.fields = _fields(self.path, head)
        if self.is_json:
            whole = block if block.endswith(b"\n") else block.rpartition(b"\n")[0]
            self.fields += tuple(name for name in _KNOWN if name not in self.fields and f'"{name}":'.encode() in whole)

    def check(self) -> None:
        """Raises `UnreadableError` when all was read, and no column is known."""
        if not self.fields:
            raise UnreadableError(
                f"{self.path}: {'no line of it is whole' if self.is_json else 'is empty, not even a #fields line'}"
            )

    def plain(self, block: bytes) -> tuple[bytes, int] | None:
        """The lines of a block of TSV without the comments at its ends, and how many of these there are.

        ``None`` if the lines need a look one by one. Whether each has as many fields as it ought to have is for
        whoever parses them to see.
        """
        if self.is_json or not block.endswith(b"\n") or b"\r" in block:
            return None
        first, last, comments = 0, len(block), 0
        while block.startswith(b"#", first):
            first = block.index(b"\n", first) + 1
            comments += 1
        while (start := block.rfind(b"\n", first, last - 1) + 1) > first and block.startswith(b"#", start):
            last = start
            comments += 1
        if b"#fields\t" in block[last:] or (
            block.find(b"#", first, last) >= 0 and block.find(b"\n#", first, last) >= 0
        ):
            return None
        self._check_again(block[:first], 0)
        return block[first:last], comments

    def count(self, lines: int, comments: int) -> None:
        """Notes that a block is done of which `plain` gave lines, all of them whole."""
        self.lines += lines
        self.number += lines + comments

    def sift(self, block: bytes) -> bytes:
        """The whole lines of a block, without comments; the others are counted.

        DuckDB alone would cut a line at a ``#``, and can't see that a last line was cut.

        Raises:
            UnreadableError: the columns change.
        """
        lines = _split(block)
        whole = self._objects(lines) if self.is_json else self._whole(lines)
        self.number += len(lines)
        return b"".join(whole)

    def _objects(self, lines: list[bytes]) -> list[bytes]:
        """The lines that begin and end as objects do. What is in them is seen when they are read."""
        whole = []
        for number, line in enumerate(lines, self.number + 1):
            if not line.strip():
                continue
            self.lines += 1
            if line.startswith(b"{") and line.rstrip(b"\r\n").endswith(b"}") and line.endswith(b"\n"):
                whole.append(line)
            else:
                self.first_bad = self.first_bad or f"line {number} is no whole JSON object"
        return whole

    def _whole(self, lines: list[bytes]) -> list[bytes]:
        """The lines that have all fields and an end."""
        tabs = len(self.fields) - 1
        whole = [line for line in lines if line.count(b"\t") == tabs and line[0] != HASH and b"\r" not in line]
        if whole and not whole[-1].endswith(b"\n"):
            whole.pop()
        self.lines += len(whole)
        if len(whole) != len(lines):
            kept = set(whole)
            self._account([(number, line) for number, line in enumerate(lines, self.number + 1) if line not in kept])
        return whole

    def _account(self, others: list[tuple[int, bytes]]) -> None:
        for number, line in others:
            if line.startswith(b"#"):
                self._check_again(line, number - self.number - 1)
            elif line.strip():
                self.lines += 1
                self.first_bad = self.first_bad or self._fault(line, number)

    def _fault(self, line: bytes, number: int) -> str:
        count = line.count(b"\t") + 1
        if count != len(self.fields):
            return f"line {number} has {count} fields instead of {len(self.fields)}"
        return f"line {number} holds a carriage return" if line.endswith(b"\n") else f"line {number} has no end"

    def _check_again(self, comments: bytes, before: int) -> None:
        """Refuses comments that say other columns; ``before`` lines of the block come before them."""
        for number, line in enumerate(comments.splitlines(keepends=True), self.number + before + 1):
            if line.startswith(b"#fields\t") and _fields(self.path, [line]) != self.fields:
                raise UnreadableError(f"{self.path}, line {number}: other #fields than at the top; split the log there")


_HEAD = 1 << 20
_KNOWN = tuple(dict.fromkeys(alias for aliases in ALIASES.values() for alias in aliases))


def _split(block: bytes) -> list[bytes]:
    """The lines of a block, with their ends."""
    if b"\r" not in block:
        return block.splitlines(keepends=True)
    *whole, rest = block.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _fields(path: str, lines: list[bytes]) -> tuple[str, ...]:
    for line in lines:
        if line.startswith(b"#fields\t"):
            return tuple(line.decode("utf-8", "replace").rstrip("\r\n").split("\t")[1:])
        if line.startswith(b"#path") and line.split() != [b"#path", b"conn"]:
            raise UnreadableError(f"{path}: is no connection log, its #path is {line[5:].strip().decode()!r}")
        if not line.startswith(b"#"):
            break
    raise UnreadableError(f"{path}: no #fields line before the data, so its columns are unknown")

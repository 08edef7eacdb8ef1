"""Zeek connection logs, in TSV or JSON: the columns, and a copy with only the lines that are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rave_flow.columns import ALIASES
from rave_flow.errors import UnreadableError
from rave_flow.repository import SourceFile
from rave_flow.streams import opened

CHUNK = 4 << 20
HASH = ord("#")


@dataclass(slots=True)
class Staged:
    """What a log held.

    Attributes:
        fields: names of the columns; of TSV in order.
        lines: how many lines of data there were, whole or not.
        first_bad: where and why the first line was left out, or ``None``.
        is_json: whether the lines are objects.
    """

    fields: tuple[str, ...]
    lines: int = 0
    first_bad: str | None = None
    is_json: bool = False


def stage(file: SourceFile, target: Path) -> Staged:
    """Copies the whole lines of ``file`` to ``target``, without comments, as the file was when it was scanned.

    DuckDB alone would take a damaged gzip stream for a short one, and cut a line at a ``#``. What was appended
    to a plain log since is left for the next scan.

    Raises:
        UnreadableError: damaged, or no Zeek connection log.
        ChangedError: it is shorter than it was.
    """
    with opened(file) as source, target.open("wb") as copy:
        return _copy(file, source, copy)


def _copy(file: SourceFile, source: BinaryIO, copy: BinaryIO) -> Staged:
    found: Staged | None = None
    number = 0
    for block in _blocks(source):
        if found is not None and _is_plain(block, found):
            copy.write(block)
            count = block.count(b"\n")
            found.lines += count
            number += count
            continue
        lines = _split(block)
        if found is None:
            found = Staged((), is_json=True) if _is_json(lines) else Staged(_fields(file, lines))
        copy.write(b"".join((_objects if found.is_json else _whole)(file, found, lines, number)))
        number += len(lines)
    if found is None:
        raise UnreadableError(f"{file.path}: is empty, not even a #fields line")
    if found.is_json and not found.fields:
        raise UnreadableError(f"{file.path}: no line of it is whole")
    return found


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """Many lines at a time, with their ends; the last may have none."""
    rest = b""
    while chunk := source.read(CHUNK):
        head, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield head + newline
    if rest:
        yield rest


def _is_plain(block: bytes, found: Staged) -> bool:
    """Whether a block of TSV has nothing but lines of data, as many fields as they ought to have together.

    Two lines that make up for each other are seen when the fields are read: they are not among the rows then.
    """
    if found.is_json or block.startswith(b"#") or not block.endswith(b"\n"):
        return False
    tabs = block.count(b"\n") * (len(found.fields) - 1)
    return block.count(b"\t") == tabs and b"\n#" not in block and b"\r" not in block


def _split(block: bytes) -> list[bytes]:
    """The lines of a block, with their ends."""
    if b"\r" not in block:
        return block.splitlines(keepends=True)
    *whole, rest = block.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _fields(file: SourceFile, lines: list[bytes]) -> tuple[str, ...]:
    for line in lines:
        if line.startswith(b"#fields\t"):
            return tuple(line.decode("utf-8", "replace").rstrip("\r\n").split("\t")[1:])
        if line.startswith(b"#path") and line.split() != [b"#path", b"conn"]:
            raise UnreadableError(f"{file.path}: is no connection log, its #path is {line[5:].strip().decode()!r}")
        if not line.startswith(b"#"):
            break
    raise UnreadableError(f"{file.path}: no #fields line before the data, so its columns are unknown")


def _is_json(lines: list[bytes]) -> bool:
    return next((line.startswith(b"{") for line in lines if line.strip()), False)


_KNOWN = tuple(dict.fromkeys(alias for aliases in ALIASES.values() for alias in aliases))


def _objects(_: SourceFile, found: Staged, lines: list[bytes], before: int) -> list[bytes]:
    """The lines that begin and end as objects do; the others are counted. What is in them is seen when they are read.

    Zeek leaves unset fields out, so the columns are those that any line has.
    """
    whole = []
    for number, line in enumerate(lines, before + 1):
        if not line.strip():
            continue
        found.lines += 1
        if line.startswith(b"{") and line.rstrip(b"\r\n").endswith(b"}") and line.endswith(b"\n"):
            whole.append(line)
        else:
            found.first_bad = found.first_bad or f"line {number} is no whole JSON object"
    text = b"".join(whole)
    found.fields += tuple(name for name in _KNOWN if name not in found.fields and f'"{name}":'.encode() in text)
    return whole


def _whole(file: SourceFile, found: Staged, lines: list[bytes], before: int) -> list[bytes]:
    """The lines that have all fields and an end; the others are counted."""
    tabs = len(found.fields) - 1
    whole = [line for line in lines if line.count(b"\t") == tabs and line[0] != HASH and b"\r" not in line]
    if whole and not whole[-1].endswith(b"\n"):
        whole.pop()
    found.lines += len(whole)
    if len(whole) != len(lines):
        kept = set(whole)
        others = [(number, line) for number, line in enumerate(lines, before + 1) if line not in kept]
        _account(file, found, others)
    return whole


def _account(file: SourceFile, found: Staged, others: list[tuple[int, bytes]]) -> None:
    for number, line in others:
        if line.startswith(b"#"):
            _check_again(file, found, line, number)
        elif line.strip():
            found.lines += 1
            found.first_bad = found.first_bad or _fault(found, line, number)


def _fault(found: Staged, line: bytes, number: int) -> str | None:
    count = line.count(b"\t") + 1
    if count != len(found.fields):
        return f"line {number} has {count} fields instead of {len(found.fields)}"
    if not line.endswith(b"\n"):
        return f"line {number} has no end"
    return f"line {number} holds a carriage return" if b"\r" in line else None


def _check_again(file: SourceFile, found: Staged, line: bytes, number: int) -> None:
    if line.startswith(b"#fields\t") and _fields(file, [line]) != found.fields:
        raise UnreadableError(f"{file.path}, line {number}: other #fields than at the top; split the log there")

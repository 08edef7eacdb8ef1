"""Tables with titles in the first line: CSV, as many programs write it, and AWS VPC flow logs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from rave_flow.errors import UnreadableError
from rave_flow.formats.heads import BOM
from rave_flow.model.columns import ALIASES, folded, resolve

if TYPE_CHECKING:
    import pyarrow

_VPC = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
"""The columns of a VPC flow log that has no titles."""

_READ = frozenset(folded(alias) for aliases in ALIASES.values() for alias in aliases)
UNSET = ("", "-")
_SEPARATORS = ",|;\t"


@dataclass(frozen=True, slots=True)
class Titles:
    """The first line of a table.

    Attributes:
        names: of the columns; repeated or empty names get a number.
        separator: between values.
        has_line: whether there is such a line.
    """

    names: tuple[str, ...]
    separator: str
    has_line: bool = True


@dataclass(frozen=True, slots=True)
class TitledLines:
    """Lines of a table under the same titles.

    Attributes:
        content: the lines, without the titles.
        before: how many lines of the file come before them.
        start: how many bytes do.
    """

    titles: Titles
    content: bytes
    before: int
    start: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table.

    Attributes:
        table: all columns, as text.
        numbers: the line of each row.
        broken: the lines that have too few or too many values, and what is wrong with each.
        empty: how many rows say that there are no data.
    """

    table: pyarrow.Table
    numbers: list[int] | range
    broken: list[tuple[int, str]]
    empty: int = 0


def titles_of(path: str, block: bytes) -> Titles:
    """The titles of a table, and how values are separated: by the sign that is most frequent in the first line,
    or by blanks if there is none.

    Raises:
        UnreadableError: there is no such line.
    """
    line = block.removeprefix(BOM).partition(b"\n")[0].rstrip(b"\r").decode("utf-8", "replace")
    if not line.strip() or "\0" in line:
        raise UnreadableError(f"{path}: no titles of columns in the first line")
    if "\r" in line:
        raise UnreadableError(f"{path}: its lines end in carriage returns alone; expected line feeds")
    separator = max(_SEPARATORS, key=line.count)
    separator = separator if separator in line else " "
    try:
        names = next(csv.reader(io.StringIO(line), delimiter=separator), [])
    except csv.Error as error:
        raise UnreadableError(f"{path}: the titles of columns in the first line can't be read: {error}") from error
    if separator == " " and names[0].isdigit() and len(names) == len(_VPC.split()):
        return Titles(tuple(_VPC.split()), separator, has_line=False)
    seen: dict[str, int] = {}
    unique = []
    for place, name in enumerate(each.strip() for each in names):
        is_known = name and name not in seen
        unique.append(name if is_known or folded(name) in _READ else f"{name}#{place}")
        seen.setdefault(name, place)
    return Titles(tuple(unique), separator)


def rows(block: bytes, titles: Titles, before: int) -> Rows:
    """The rows of whole lines, the first line of which is number ``before`` + 1.

    The last line may lack its end if nothing reads its last value; otherwise it may be truncated.
    """
    import pyarrow

    block, broken = _ended(block, titles, before)
    bad: list[int] = []
    table = _parsed(block, titles, bad, broken, before)
    count = table.num_rows + len(bad)
    numbers: list[int] | range = range(before + 1, before + count + 1)
    if bad:
        numbers = [number for number in numbers if number not in set(bad)]
    status = next((name for name in titles.names if folded(name) == "log_status"), None)
    if status is None:
        return Rows(table, numbers, broken)
    from pyarrow import compute

    is_empty = compute.fill_null(compute.is_in(table[status], pyarrow.array(["NODATA", "SKIPDATA"])), False)
    kept = compute.indices_nonzero(compute.invert(is_empty)).to_pylist()
    return Rows(table.take(kept), [numbers[place] for place in kept], broken, table.num_rows - len(kept))


def times_of(block: bytes, titles: Titles, column: str) -> pyarrow.ChunkedArray | None:
    """The texts of one column of whole lines; ``None`` if a line may not count, so that only a full reading tells."""
    block, broken = _ended(block, titles, 0)
    table = _parsed(block, titles, [], broken, 0, [column])
    return None if broken else table[column]


def _parsed(
    block: bytes,
    titles: Titles,
    bad: list[int],
    broken: list[tuple[int, str]],
    before: int,
    columns: Sequence[str] | None = None,
) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv as arrow_csv

    def skip(row: arrow_csv.InvalidRow) -> str:
        number = before + row.number
        why = f"has {row.actual_columns} values instead of {row.expected_columns}"
        bad.append(number)
        broken.append((number, "has a quote that is not closed" if row.text == _UNCLOSED else why))
        return "skip"

    if not block.strip():
        return pyarrow.table([pyarrow.array([], pyarrow.string())] * len(titles.names), names=list(titles.names))
    names = list(titles.names)
    return arrow_csv.read_csv(
        pyarrow.BufferReader(block),
        arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
        arrow_csv.ParseOptions(delimiter=titles.separator, newlines_in_values=True, invalid_row_handler=skip),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pyarrow.string()), include_columns=columns,
            null_values=list(UNSET), strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )  # fmt: skip


def _ended(block: bytes, titles: Titles, before: int) -> tuple[bytes, list[tuple[int, str]]]:
    """The block with line ends, and the last line if it may be truncated; replaces bytes that are not UTF-8."""
    block = block.replace(b"\r\n", b"\n").replace(b"\0", b"")
    try:
        block.decode()
    except UnicodeDecodeError:
        block = block.decode("utf-8", "replace").encode()
    summary = b"\nSummary\nflows,"
    if (end := (b"\n" + block).find(summary)) >= 0:
        block = block[:end]  # nfdump writes its totals there
    block = _without_unclosed(block, titles)
    if not block or block.endswith(b"\n"):
        return block, []
    whole, _, last = block.rpartition(b"\n")
    whole = whole + b"\n" if whole else b""
    if last.strip() and folded(titles.names[-1]) in _READ:
        return whole, [(before + whole.count(b"\n") + 1, "has no end, so it may be cut")]
    return block + b"\n", []


_UNCLOSED = "\x1a"
"""What stands for a line whose last quote is not closed."""


def _without_unclosed(block: bytes, titles: Titles) -> bytes:
    """The block with `_UNCLOSED` for lines whose last quote is not closed: a parser takes all that follows, up to the
    next quote, for one value.

    A value may have several lines, but none of these is a row by itself.
    """
    if b'"' not in block:
        return block
    lines = block.split(b"\n")
    odd = [place for place, line in enumerate(lines) if line.count(b'"') % 2]
    closed = -1
    for place, following in zip_longest(odd, odd[1:]):
        if place <= closed:
            continue
        if following is not None and _is_row(lines[place : following + 1], titles):
            closed = following
        elif not _is_row(lines[place : place + 1], titles):
            lines[place] = _UNCLOSED.encode()
    return b"\n".join(lines)


def _is_row(lines: Sequence[bytes], titles: Titles) -> bool:
    """Whether lines are one row, of which each but the first is part of a value."""
    separator = titles.separator.encode()
    if any(line.count(separator) >= len(titles.names) - 1 for line in lines[1:]):
        return False
    text = io.StringIO(b"\n".join(lines).decode(), newline="")
    try:
        return len(list(csv.reader(text, delimiter=titles.separator, strict=True))) == 1
    except csv.Error:
        return False


def parts(path: str, blocks: Iterable[bytes]) -> Iterator[TitledLines]:
    """The blocks of a table, cut where other titles begin, as where one table was appended to another.

    Raises:
        UnreadableError: there are no titles.
    """
    titles, before, start = None, 0, 0
    for block in blocks:
        place, is_first = 0, titles is None
        if titles is None:
            titles = titles_of(path, block)
            place = _after_line(block, 0) if titles.has_line else len(BOM) * block.startswith(BOM)
        for end, following in [*_later_titles(block, place), (len(block), titles)]:
            if end > place or is_first:
                yield TitledLines(titles, block[place:end], before + block.count(b"\n", 0, place), start + place)
            if end < len(block):
                titles, place, is_first = following, _after_line(block, end), False
        before, start = before + block.count(b"\n"), start + len(block)
    if titles is None:
        raise UnreadableError(f"{path}: is empty, not even titles of columns")


def _after_line(block: bytes, place: int) -> int:
    return block.find(b"\n", place) + 1 or len(block)


_DATA = re.compile(rb"[0-9]{4}")
"""What every row has in its time, and no titles have."""


def _later_titles(block: bytes, place: int) -> Iterator[tuple[int, Titles]]:
    """Where lines start that have a name for each column that a flow needs, and these titles."""
    found = {start for word in (b"pr", b"Pr", b"PR") for start in _lines_with(word, block, place)}  # the protocol's
    for start in sorted(found):
        try:
            titles = titles_of("", block[start : _after_line(block, start)])
            resolve(titles.names, "")
        except UnreadableError:
            continue
        yield start, titles


def _lines_with(word: bytes, block: bytes, place: int) -> Iterator[int]:
    """Where the lines start that contain a word and no data."""
    while (place := block.find(word, place)) >= 0:
        start, end = block.rfind(b"\n", 0, place) + 1, _after_line(block, place)
        if not _DATA.search(block, start, end):
            yield start
        place = end

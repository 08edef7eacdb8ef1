"""When the flows of a file start, found without reading the file: files outside a window stay unread.

The span is exact, or unknown. The name of a log or its last line is not enough: a connection is in the log of the hour
in which it ended, however long ago it started.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rave_flow.errors import UnreadableError
from rave_flow.formats.compression import open_regular
from rave_flow.formats.delimited import Titles, times_of
from rave_flow.formats.heads import BOM, Head
from rave_flow.model.columns import folded, resolve
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.readings import EXACT_SECOND, instant

if TYPE_CHECKING:
    import numpy
    import pyarrow

Span = tuple[int, int]
"""The second in which the first flow of a file starts, and the one in which the last one does, in Unix time."""

_DIGITS = 10
"""Digits of the seconds of times from 2001 to 2286; other times need a full reading."""

_TIME = re.compile(rb'"ts" ?: ?(\d{10})(?=[.,}])')
FIRST, LAST = 2**62, -1
"""The span of a file without flows."""


def span_of_block(block: bytes, head: Head) -> Span | None:
    """The same for some lines; a span that ends before it starts if none of them is a flow."""
    if head.fault:
        return None
    if head.is_json:
        return None if head.is_eve else _of_objects(block)
    place = next((place for place, name in enumerate(head.fields) if folded(name) == "ts"), None)
    return None if place is None else _of_lines(block.removeprefix(BOM), place, ord(head.separator))


def span_of_rows(block: bytes, titles: Titles) -> Span | None:
    """The same for some lines of a table."""
    import pyarrow

    try:
        chosen = resolve(titles.names, "")
    except UnreadableError:
        return None
    times = times_of(block, titles, chosen["ts"])
    if times is None or not len(times):
        return None if times is None else (FIRST, LAST)
    if times.null_count:
        return None
    if (ends := _of_numbers(times)) is not None:
        return ends
    with connected() as connection:
        connection.register("times", pyarrow.table({"ts": times}))
        micros = f"epoch_us({instant('ts', 'VARCHAR')})"
        query = f"SELECT count({micros}), min({micros}), max({micros}) FROM times"  # noqa: S608  # ours
        ((known, first, last),) = connection.execute(query).fetchall()
    return (first // 10**6, last // 10**6) if known == len(times) else None


def _of_numbers(times: pyarrow.ChunkedArray) -> Span | None:
    """The same for texts that all are seconds; ``None`` if one is not. Much quicker than looking at other ways."""
    import pyarrow
    from pyarrow import compute

    try:
        found = compute.min_max(times.cast(pyarrow.float64())).as_py()
    except pyarrow.ArrowInvalid:
        return None
    if not 0 <= found["min"] <= found["max"] <= EXACT_SECOND:
        return None
    return round(found["min"] * 10**6) // 10**6, round(found["max"] * 10**6) // 10**6


def span_of_statistics(path: str) -> Span | None:
    """The same for a file of Parquet, by the statistics of its column of times; ``None`` if it has none."""
    from pyarrow.parquet import ParquetFile

    with open_regular(path) as raw, ParquetFile(raw) as source:
        name = resolve(source.schema_arrow.names, path)["ts"]
        field = source.schema_arrow.field(name)
        place = source.schema.names.index(name)
        groups = [source.metadata.row_group(number) for number in range(source.metadata.num_row_groups)]
        found = [_of_statistics(group.column(place).statistics, field.type) for group in groups if group.num_rows]
    if not found:
        return FIRST, LAST
    known = [span for span in found if span is not None]
    return (min(known)[0], max(span[1] for span in known)) if len(known) == len(found) else None


def _of_statistics(found: pyarrow.parquet.Statistics | None, kind: pyarrow.DataType) -> Span | None:
    import pyarrow

    if found is None or not found.has_min_max or not found.has_null_count or found.null_count:
        return None
    if pyarrow.types.is_timestamp(kind):
        return _whole(found.min), _whole(found.max)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        first, last = found.min, found.max
        return (int(first), int(last)) if 0 <= first <= last <= EXACT_SECOND else None
    return None


def _whole(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp() if time.tzinfo is None else time.timestamp())


def _of_objects(block: bytes) -> Span | None:
    times = _TIME.findall(block)
    if len(times) != sum(1 for line in block.split(b"\n") if line.strip()):
        return None
    return (int(min(times)), int(max(times))) if times else (FIRST, LAST)


def _of_lines(block: bytes, place: int, separator: int) -> Span | None:
    """The same for lines whose time is at this place, from 0."""
    import numpy

    content = numpy.frombuffer(block, numpy.uint8)
    ends = numpy.flatnonzero(content == ord("\n"))
    starts = numpy.concatenate((numpy.zeros(1, ends.dtype), ends + 1))
    starts = starts[starts < len(content)]
    is_data = content[starts] != ord("#")
    if not is_data.any():
        return FIRST, LAST
    times = starts[is_data]
    if place:
        separators = numpy.flatnonzero(content == separator)
        before = numpy.searchsorted(separators, times) + place - 1
        limits = numpy.append(ends, len(content))[numpy.flatnonzero(is_data)]
        if before[-1] >= len(separators) or (separators[before] >= limits).any():
            return None
        times = separators[before] + 1
    if times[-1] + _DIGITS >= len(content):
        return None
    return _seconds(content, times)


def _seconds(content: numpy.ndarray, starts: numpy.ndarray) -> Span | None:
    """The least and greatest of numbers of ten digits before a point; ``None`` if one is something else."""
    import numpy

    # Eight bytes at any place are one number: half the time of looking at them one by one.
    words = numpy.ndarray((len(content) - 7,), ">u8", content.data, strides=(1,))
    high = words[starts].astype(numpy.uint64)
    low = words[starts + _DIGITS - 7].astype(numpy.uint64)
    if not (_are_digits(high) and _are_digits(low >> numpy.uint64(8) | numpy.uint64(0x30 << 56))):
        return None
    if (low & numpy.uint64(0xFF) != ord(".")).any():
        return None
    return _number(high, low), _number(high, low, least=False)


def _are_digits(words: numpy.ndarray) -> bool:
    import numpy

    high, six = numpy.uint64(0xF0F0F0F0F0F0F0F0), numpy.uint64(0x0606060606060606)
    digits = numpy.uint64(0x3030303030303030)
    return bool(((words & high == digits) & ((words + six) & high == digits)).all())


def _number(high: numpy.ndarray, low: numpy.ndarray, *, least: bool = True) -> int:
    """The least or greatest of numbers, of which the first eight digits are in ``high``, the last two in ``low``."""
    import numpy

    start = high.min() if least else high.max()
    ends = low[high == start] >> numpy.uint64(8) & numpy.uint64(0xFFFF)
    end = ends.min() if least else ends.max()
    return int(int(start).to_bytes(8, "big") + int(end).to_bytes(2, "big"))

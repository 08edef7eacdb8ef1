"""When the flows of a file start, found without reading the file: files outside a window stay unread.

The span is exact, or unknown. The name of a log or its last line is not enough: a connection is in the log of the hour
in which it ended, however long ago it started.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rave_flow.formats.heads import BOM, Head
from rave_flow.model.columns import folded

if TYPE_CHECKING:
    import numpy

Span = tuple[int, int]
"""The second in which the first flow of a file starts, and the one in which the last one does, in Unix time."""

_DIGITS = 10
"""Digits of the seconds of times from 2001 to 2286; other times need a full reading."""

_TIME = re.compile(rb'"ts" ?: ?(\d{10})(?=[.,}])')
FIRST, LAST = 2**62, -1
"""The span of a file without flows."""


def span_of_block(block: bytes, head: Head) -> Span | None:
    """The same for some lines; a span that ends before it starts if none of them is a flow."""
    if head.is_json:
        return None if head.is_eve else _of_objects(block)
    if folded(head.fields[0]) != "ts":
        return None
    return _of_lines(block.removeprefix(BOM))


def _of_objects(block: bytes) -> Span | None:
    times = _TIME.findall(block)
    if len(times) != sum(1 for line in block.split(b"\n") if line.strip()):
        return None
    return (int(min(times)), int(max(times))) if times else (FIRST, LAST)


def _of_lines(block: bytes) -> Span | None:
    import numpy

    content = numpy.frombuffer(block, numpy.uint8)
    ends = numpy.flatnonzero(content == ord("\n"))
    starts = numpy.concatenate((numpy.zeros(1, ends.dtype), ends + 1))
    starts = starts[starts < len(content)]
    starts = starts[content[starts] != ord("#")]
    if not len(starts):
        return FIRST, LAST
    if starts[-1] + _DIGITS >= len(content):
        return None
    signs = content[starts[:, None] + numpy.arange(_DIGITS + 1)]
    return _seconds(signs)


def _seconds(signs: numpy.ndarray) -> Span | None:
    import numpy

    digits = signs[:, :_DIGITS].astype(numpy.int64) - ord("0")
    if ((digits < 0) | (digits > 9)).any() or (signs[:, _DIGITS] != ord(".")).any():
        return None
    seconds = digits @ (10 ** numpy.arange(_DIGITS - 1, -1, -1, dtype=numpy.int64))
    return int(seconds.min()), int(seconds.max())

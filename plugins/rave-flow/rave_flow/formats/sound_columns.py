"""Which columns of a table hold only values that need no look one by one: most columns of most logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rave_flow.model.columns import TYPES
from rave_flow.model.readings import EXACT_SECOND, LONGEST, MOST

if TYPE_CHECKING:
    import pyarrow

_LIMITS = {"BIGINT": MOST, "USMALLINT": 65535, "UTINYINT": 255}
_ADDRESSES = ("src", "dst")
_LOWERED = ("proto", "ip_proto", "service")


def sound_columns(
    table: pyarrow.Table, chosen: Mapping[str, str], types: Mapping[str, str], extras: Mapping[str, str]
) -> frozenset[str]:
    """Our names of the columns that have the expected type, and no value that needs a look.

    Args:
        table: from a file.
        chosen: what `rave_flow.model.columns.resolve` gave.
        types: the DuckDB types of the file's columns, text where absent.
        extras: what `rave_flow.model.columns.extra_columns` gave.
    """
    found = {name for name, theirs in extras.items() if _is_text(table[theirs])}
    for ours, theirs in chosen.items():
        column = table[theirs]
        if ours == "end":
            continue
        if (kind := TYPES.get(ours)) is None:
            is_sound = _is_text(column) and (ours in _ADDRESSES or _is_plain(column, is_lowered=ours in _LOWERED))
        else:
            is_sound = types.get(theirs, "VARCHAR") == kind and _is_in_range(column, ours, kind)
        if is_sound:
            found.add(ours)
    return frozenset(found)


def _is_in_range(column: pyarrow.ChunkedArray, ours: str, kind: str) -> bool:
    """Whether a column of numbers has none that is out of range."""
    from pyarrow import compute

    limit = {"ts": EXACT_SECOND, "duration": LONGEST}.get(ours) or _LIMITS[kind]
    if kind == "DOUBLE" and compute.any(compute.is_nan(column)).as_py():
        return False
    ends = compute.min_max(column).as_py()
    has_all = ours != "ts" or not column.null_count
    return has_all and (ends["min"] is None or 0 <= ends["min"] <= ends["max"] <= limit)


def _is_text(column: pyarrow.ChunkedArray) -> bool:
    import pyarrow

    return bool(column.type == pyarrow.string())


def _is_plain(column: pyarrow.ChunkedArray, *, is_lowered: bool) -> bool:
    """Whether a column of text has nothing to trim, to lower or to take for unset."""
    import numpy
    from pyarrow import compute

    for chunk in column.chunks:
        _, offsets, content = chunk.buffers()
        if chunk.null_count == len(chunk):
            continue
        ends = numpy.frombuffer(offsets, numpy.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        text = content.slice(int(ends[0]), int(ends[-1] - ends[0])).to_pybytes()
        if not text.isascii() or b" " in text or b"(empty)" in text or (is_lowered and text != text.lower()):
            return False
        if compute.min(compute.binary_length(chunk)).as_py() == 0:
            return False
    return True

"""Lines of TSV as a table with the expected types of its columns, if all values have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rave_flow.formats.heads import Head
from rave_flow.model.columns import TYPES
from rave_flow.model.readings import EXACT_SECOND

if TYPE_CHECKING:
    import pyarrow


def typed(content: bytes, head: Head, chosen: Mapping[str, str]) -> pyarrow.Table | None:
    """All columns of whole lines, the ``chosen`` ones typed; ``None`` if a line or a value is not as expected.

    Args:
        content: the lines, each with its end.
        head: of their log.
        chosen: what `rave_flow.model.columns.resolve` gave.

    A second reading, with all values as text, finds the faulty lines and what else a value may mean.
    """
    import pyarrow

    kinds = dict.fromkeys(head.fields, pyarrow.string())
    kinds |= {theirs: arrow_type(TYPES.get(ours, "VARCHAR")) for ours, theirs in chosen.items()}
    try:
        table = _read(content, head, kinds)
    except pyarrow.ArrowInvalid:
        return None
    return table if is_exact(table.column(chosen["ts"])) else None


def texts(content: bytes, head: Head) -> pyarrow.Table:
    """All columns of whole lines as text; bytes that are no UTF-8 are replaced."""
    import pyarrow

    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("utf-8", "replace").encode()
    return _read(content, head, dict.fromkeys(head.fields, pyarrow.string()))


def _read(content: bytes, head: Head, kinds: Mapping[str, pyarrow.DataType]) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv

    return csv.read_csv(
        pyarrow.BufferReader(content),
        csv.ReadOptions(column_names=list(head.fields), block_size=max(1 << 22, len(content) // 8)),
        csv.ParseOptions(
            delimiter=head.separator, quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
        ),
        csv.ConvertOptions(
            column_types=dict(kinds), include_columns=list(kinds), null_values=[head.unset], strings_can_be_null=True
        ),
    )


def arrow_type(kind: str) -> pyarrow.DataType:
    """Arrow's type for one of `rave_flow.model.columns.TYPES`."""
    import pyarrow

    return {
        "VARCHAR": pyarrow.string(),
        "DOUBLE": pyarrow.float64(),
        "USMALLINT": pyarrow.uint16(),
        "UTINYINT": pyarrow.uint8(),
        "BIGINT": pyarrow.int64(),
    }[kind]


def is_exact(times: pyarrow.ChunkedArray) -> bool:
    """Whether a double has the microseconds of all of them."""
    from pyarrow import compute

    found = compute.min_max(times).as_py()
    return found["max"] is None or 0 <= found["min"] <= found["max"] <= EXACT_SECOND


def is_list(kind: pyarrow.DataType) -> bool:
    """Whether values of that type are lists."""
    import pyarrow

    return bool(pyarrow.types.is_list(kind))

"""Lines of TSV as a table with the types that their columns ought to have, where all values are of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rave_flow.model.columns import TYPES
from rave_flow.model.readings import EXACT_SECOND

if TYPE_CHECKING:
    import pyarrow


def typed(content: bytes, fields: Sequence[str], chosen: Mapping[str, str]) -> pyarrow.Table | None:
    """The ``chosen`` columns of whole lines; ``None`` where a line or a value is not as it ought to be.

    Args:
        fields: the names of all columns, in order.
        chosen: what `rave_flow.model.columns.resolve` gave.

    Which lines are at fault, and what else a value may mean, is for a reading that takes text for all of them.
    """
    import pyarrow
    from pyarrow import csv

    kinds = {theirs: _arrow(TYPES.get(ours, "VARCHAR")) for ours, theirs in chosen.items()}
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(content),
            csv.ReadOptions(column_names=list(fields), block_size=1 << 22),
            csv.ParseOptions(
                delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
            ),
            csv.ConvertOptions(
                column_types=kinds, include_columns=list(kinds), null_values=["-"], strings_can_be_null=True
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return table if _is_exact(table.column(chosen["ts"])) else None


def _arrow(kind: str) -> pyarrow.DataType:
    import pyarrow

    return {
        "VARCHAR": pyarrow.string(),
        "DOUBLE": pyarrow.float64(),
        "USMALLINT": pyarrow.uint16(),
        "UTINYINT": pyarrow.uint8(),
        "BIGINT": pyarrow.int64(),
    }[kind]


def _is_exact(times: pyarrow.ChunkedArray) -> bool:
    """Whether a double has the microseconds of all of them."""
    from pyarrow import compute

    found = compute.min_max(times).as_py()
    return found["max"] is None or 0 <= found["min"] <= found["max"] <= EXACT_SECOND

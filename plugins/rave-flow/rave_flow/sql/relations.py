"""Stored flows as an SQL relation: the columns that all files have, and requested ones of the source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rave_flow.model.columns import COLUMNS, EXTRA
from rave_flow.sql.literals import literal

_HALVES = ("src_high", "src_low", "dst_high", "dst_low")
_STORED = ", ".join((*COLUMNS, *_HALVES))
_KINDS = {
    "ts": "TIMESTAMP", "duration": "DOUBLE", "src_port": "USMALLINT", "dst_port": "USMALLINT", "bytes": "BIGINT",
    "packets": "BIGINT", "src_bytes": "BIGINT", "dst_bytes": "BIGINT",
    **dict.fromkeys(("flags", "protocol", "ip_version", "icmp_type", "icmp_code"), "UTINYINT"),
    **dict.fromkeys(_HALVES, "UBIGINT"),
}  # fmt: skip


def relation(parquet: Sequence[Path], extras: Iterable[str] = ()) -> str:
    """The SQL of a relation of the flows in some files.

    Args:
        parquet: the files; without any the relation is empty.
        extras: names of columns that some files have; flows of the others have NULL there.
    """
    wanted = tuple(extras)
    if not parquet:
        kinds = {**{name: _KINDS.get(name, "VARCHAR") for name in COLUMNS}, **dict.fromkeys(wanted, "VARCHAR")}
        kinds |= {name: _KINDS[name] for name in _HALVES}
        return f"(SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in kinds.items())} WHERE false)"
    files = f"[{', '.join(literal(str(path)) for path in parquet)}]"
    if not wanted:
        return f"(SELECT {_STORED} FROM read_parquet({files}, hive_partitioning=false))"  # noqa: S608  # quoted
    there = extras_in(parquet)
    columns = [name if name in there else f"NULL::VARCHAR AS {name}" for name in wanted]
    source = f"read_parquet({files}, hive_partitioning=false, union_by_name=true)"
    return f"(SELECT {', '.join([_STORED, *columns])} FROM {source})"  # noqa: S608  # quoted


def extras_in(parquet: Iterable[Path]) -> set[str]:
    """The columns of the sources' own that some of the files have."""
    from pyarrow.parquet import read_schema

    return {name for path in parquet for name in read_schema(path).names if name.startswith(EXTRA)}

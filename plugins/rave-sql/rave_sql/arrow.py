"""Rows as an Arrow table, with the types that the driver reports, even if there are no rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

_POSTGRESQL = {
    16: "bool", 17: "binary", 20: "int64", 21: "int16", 23: "int32", 25: "string", 26: "int64", 700: "float",
    701: "double", 1042: "string", 1043: "string", 1082: "date32", 1083: "time64[us]", 1114: "timestamp[us]",
}  # fmt: skip
"""Types by PostgreSQL's object numbers. Other types come from the values."""

_DUCKDB = {
    "BOOLEAN": "bool", "TINYINT": "int8", "SMALLINT": "int16", "INTEGER": "int32", "BIGINT": "int64",
    "UTINYINT": "uint8", "USMALLINT": "uint16", "UINTEGER": "uint32", "UBIGINT": "uint64", "FLOAT": "float",
    "DOUBLE": "double", "VARCHAR": "string", "BLOB": "binary", "DATE": "date32", "TIME": "time64[us]",
    "TIMESTAMP": "timestamp[us]",
}  # fmt: skip
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def to_table(columns: Sequence[tuple[str, Any]], rows: Sequence[Sequence[Any]], dialect: str) -> pyarrow.Table:
    """A table of the rows: ``None`` is null, decimals stay exact, times with a zone are in UTC.

    Args:
        columns: names and the driver's types. If two columns have one name, the second gets a number.
        rows: one value for each column.
        dialect: the dialect of the types.

    Raises:
        ValueError: a column holds values of several types, or of a type that Arrow lacks.
    """
    import pyarrow

    names = _distinct([name for name, _ in columns])
    arrays = []
    for place, (name, code) in enumerate(columns):
        values = [row[place] for row in rows]
        try:
            arrays.append(_array(values, _kind(code, dialect)))
        except (pyarrow.ArrowException, OverflowError, TypeError) as error:
            raise ValueError(f"the column {name!r} can't be one of a table: {error}") from error
    return pyarrow.table(arrays, names=names)


def _array(values: list[Any], kind: pyarrow.DataType | None) -> pyarrow.Array:
    import uuid

    import pyarrow

    if kind is not None:
        return pyarrow.array(values, kind)
    if any(isinstance(value, (uuid.UUID, dict, list)) for value in values):
        return pyarrow.array([_plain(value) for value in values])
    found = pyarrow.array(values)
    if pyarrow.types.is_timestamp(found.type) and found.type.tz is not None:
        return found.cast(pyarrow.timestamp("us", "UTC"))
    return found


def _plain(value: Any) -> Any:
    import json
    import uuid

    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return str(value) if isinstance(value, uuid.UUID) else value


def _kind(code: Any, dialect: str) -> pyarrow.DataType | None:
    import pyarrow

    if dialect == "postgresql":
        if code == 1184:
            return pyarrow.timestamp("us", "UTC")
        name = _POSTGRESQL.get(code)
    elif dialect == "duckdb":
        text = str(code)
        if text == "TIMESTAMP WITH TIME ZONE":
            return pyarrow.timestamp("us", "UTC")
        if found := _DECIMAL.fullmatch(text):
            return pyarrow.decimal128(int(found[1]), int(found[2]))
        name = _DUCKDB.get(text)
    else:
        name = None
    return pyarrow.type_for_alias(name) if name else None


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result

"""The forms that a value can take.

Each gives the exact bytes: a newline at the end of a text is for a terminal, and added there.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Set
from typing import Any, Final

import msgspec

from rave_core.errors import UnrenderableError
from rave_core.rendering.plain import is_array, plain
from rave_core.rendering.tables import arrow_table, is_table, kind_of, refusing, rows_of

_BINARY: Final = (bytes, bytearray, memoryview)
_STRUCTURED: Final = (list, tuple, Mapping, Set, bool, type(None), msgspec.Struct)
_WRITTEN_AS_IS: Final = frozenset((str, int, float, bool))


def text_of(value: Any) -> bytes:
    """A value as people write it: texts and bytes as they are, tables as CSV, structures as JSON, the rest as ``str``.

    A structure that JSON can't represent is given by its ``repr``.

    Raises:
        UnrenderableError: its own ``str`` or ``repr`` fails.
    """
    if isinstance(value, _BINARY):
        return bytes(value)
    if is_table(value):
        return csv_of(value)
    with refusing("text", "something that UTF-8 can spell", value, ""):
        if is_structured(value):
            try:
                return json_of(value, indent=2)
            except UnrenderableError:
                return repr(value).encode("utf-8", "surrogateescape")
        return str(value).encode("utf-8", "surrogateescape")


def is_structured(value: Any) -> bool:
    """Whether a value has parts, so that its ``str`` would be for Python only, or cut short."""
    if isinstance(value, _STRUCTURED):
        return True
    has_fields = dataclasses.is_dataclass(value) or hasattr(value, "__attrs_attrs__")
    return is_array(value) or (has_fields and not isinstance(value, type))


def json_of(value: Any, *, indent: int | None = None) -> bytes:
    """A value as valid JSON, in one line or indented; a table as a list of objects. See `rave_core.rendering.plain`.

    Raises:
        UnrenderableError: something in it has no form in JSON.
    """
    with refusing("json", "something JSON has a form for", value, "text"):
        written = msgspec.json.encode(plain(value))
        return written if indent is None else msgspec.json.format(written, indent=indent)


def csv_of(value: Any) -> bytes:
    """A table as CSV: a line of names, one for each row, cells as `cell_text` gives them.

    Raises:
        UnrenderableError: it is no table.
    """
    found = rows_of(value, "csv")
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    with refusing("csv", "a table of text", value, "json"):
        if found.columns:
            writer.writerow(found.columns)
        for row in found.rows:
            writer.writerow([cell if type(cell) in _WRITTEN_AS_IS else cell_text(cell) for cell in row])
        return sink.getvalue().encode("utf-8", "surrogateescape")


def cell_text(value: Any) -> str:
    """What stands in a cell: nothing for what is missing, structures as JSON, bytes as text where they are one.

    Never fails: if a value's own text fails, its type stands for it.
    """
    if value is None or kind_of(value) in ("pandas.NaTType", "pandas.NAType"):
        return ""
    try:
        if isinstance(value, _BINARY) or (is_structured(value) and not isinstance(value, bool)):
            return _read(value)
        return str(value)
    except Exception:  # noqa: BLE001  # third-party code
        return f"<{type(value).__name__}>"


def _read(value: Any) -> str:
    if isinstance(value, _BINARY):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return str(msgspec.to_builtins(bytes(value)))
    try:
        return json_of(value).decode()
    except UnrenderableError:
        return repr(value)


def arrow_file_of(value: Any) -> bytes:
    """A table in Arrow's file format, which is read in any order.

    Raises:
        UnrenderableError: it is no table, or one that Arrow has no types for; pyarrow is not installed.
    """
    table = arrow_table(value, "arrow")
    import pyarrow

    sink = io.BytesIO()
    with pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def arrow_stream_of(value: Any) -> bytes:
    """A table in Arrow's stream format, which is read from front to back.

    Raises:
        UnrenderableError: it is no table, or one that Arrow has no types for; pyarrow is not installed.
    """
    table = arrow_table(value, "arrow")
    import pyarrow

    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_of(value: Any) -> bytes:
    """A table as a Parquet file.

    Raises:
        UnrenderableError: it is no table, or one that Parquet has no types for; pyarrow is not installed.
    """
    table = arrow_table(value, "parquet")
    import pyarrow.parquet

    sink = io.BytesIO()
    with refusing("parquet", "a table with columns of types that Parquet has", value, "arrow, csv or json"):
        pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()

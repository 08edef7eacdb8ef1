"""Results as bytes or on a screen: text, JSON, CSV, Arrow, Parquet, or a table.

Tables are those of pyarrow, pandas and polars, and lists of dicts. Nothing here imports a library that the value does
not come from, but for Arrow and Parquet, which need pyarrow.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from rave_core.cli.output import binary_output, print_table
from rave_core.errors import OptionError

FORMATS: Final = ("text", "json", "csv", "arrow", "parquet", "table")
SUFFIXES: Final = {
    ".txt": "text",
    ".json": "json",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".parquet": "parquet",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BINARY = (bytes, bytearray, memoryview)
_STRUCTURED = (list, tuple, dict, set, frozenset, bool, type(None))


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """A table as columns and rows of Python values."""

    columns: list[str]
    rows: Iterable[Sequence[Any]]


def format_for(value: Any, chosen: str | None, *, path: str | None = None, is_terminal: bool = False) -> str:
    """The format to use: the chosen one, else that of the file's suffix, else what suits the value and its reader."""
    if chosen is not None:
        return chosen
    if path is not None and os.path.splitext(path)[1].lower() in SUFFIXES:
        return SUFFIXES[os.path.splitext(path)[1].lower()]
    if is_table(value):
        return "table" if is_terminal else "csv"
    return "text"


def is_table(value: Any) -> bool:
    """Whether ``value`` has rows and named columns."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(row, Mapping) for row in value)
    return _kind(value) in ("pyarrow.Table", "pyarrow.RecordBatch", "pandas.DataFrame", "polars.DataFrame")


def rendered(value: Any, form: str, name: str) -> bytes:
    """``value`` in a format other than ``table``; ``name`` is the operation's, for messages.

    Raises:
        OptionError: the value can't be written like that.
    """
    if isinstance(value, _BINARY) and form == "text":
        return bytes(value)
    return _RENDERERS[form](value, name)


def show_table(value: Any, name: str) -> None:
    """Prints a table to standard output.

    Raises:
        OptionError: the value is none.
    """
    found = rows_of(value, name, "table")
    rows = [list(row) for row in found.rows]
    right = [index for index in range(len(found.columns)) if _is_number_column(rows, index)]
    print_table(found.columns, rows, right=right)


def rows_of(value: Any, name: str, form: str) -> Rows:
    """The columns and rows of a table.

    Raises:
        OptionError: ``value`` is none.
    """
    kind = _kind(value)
    if kind.startswith("pyarrow."):
        return Rows(list(value.schema.names), zip(*map(_cells, value.columns), strict=True))
    if kind == "pandas.DataFrame":
        frame = value if type(value.index).__name__ == "RangeIndex" else value.reset_index()
        return Rows([str(column) for column in frame.columns], frame.itertuples(index=False, name=None))
    if kind == "polars.DataFrame":
        return Rows(list(value.columns), value.iter_rows())
    if is_table(value):
        columns = list(dict.fromkeys(str(column) for row in value for column in row))
        named = ({str(column): item for column, item in row.items()} for row in value)
        return Rows(columns, ([row.get(column) for column in columns] for row in named))
    raise _unfit(value, form, name, "a table")


def _cells(column: Any) -> list[Any]:
    """The values of an Arrow column. Times with a zone are made here, since pyarrow would import pandas for them."""
    zone = getattr(column.type, "tz", None)
    if zone != "UTC" or column.type.unit == "ns":
        return column.to_pylist()  # type: ignore[no-any-return]  # pyarrow is not typed
    import pyarrow

    passed = column.cast(pyarrow.timestamp("us", zone)).cast(pyarrow.int64()).to_pylist()
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in passed]


def _text(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        return (value if value.endswith("\n") else f"{value}\n").encode("utf-8", "surrogateescape")
    if is_table(value):
        return _csv(value, name)
    if isinstance(value, _STRUCTURED) or dataclasses.is_dataclass(value) or isinstance(value, msgspec.Struct):
        try:
            return _json(value, name)
        except OptionError:
            return f"{value!r}\n".encode()
    return f"{value}\n".encode()


def _json(value: Any, name: str) -> bytes:
    try:
        if is_table(value) and not isinstance(value, list):
            found = rows_of(value, name, "json")
            value = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2) + b"\n"
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise _unfit(value, "json", name, f"something JSON has a form for ({error})") from error


def _plain(value: Any) -> Any:
    """What stands for an array, a scalar of another library, or anything with a text form of its own."""
    for method in ("tolist", "to_pylist", "isoformat"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    if "__str__" not in _speaking(type(value)) and "__repr__" not in _speaking(type(value)):
        raise TypeError(f"it holds a {type(value).__name__}")
    return str(value)


def _speaking(kind: type) -> set[str]:
    """The names that a class or one above it defines, but for `object`."""
    return {name for parent in kind.__mro__[:-1] for name in vars(parent)}


def _csv(value: Any, name: str) -> bytes:
    found = rows_of(value, name, "csv")
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(found.rows)
    return sink.getvalue().encode("utf-8", "surrogateescape")


def _arrow(value: Any, name: str) -> bytes:
    import pyarrow

    table = _arrow_table(value, "arrow", name)
    sink = io.BytesIO()
    with pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet(value: Any, name: str) -> bytes:
    table = _arrow_table(value, "parquet", name)
    import pyarrow.parquet

    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def _arrow_table(value: Any, form: str, name: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise OptionError(f"{name}: --format {form} needs pyarrow: pip install pyarrow") from error
    kind = _kind(value)
    if kind == "pyarrow.RecordBatch":
        return pyarrow.Table.from_batches([value])
    if kind == "pandas.DataFrame":
        return pyarrow.Table.from_pandas(value)
    if kind in ("polars.DataFrame", "pyarrow.Table"):
        return value.to_arrow() if kind == "polars.DataFrame" else value
    if is_table(value):
        return pyarrow.Table.from_pylist([dict(row) for row in value])
    raise _unfit(value, form, name, "a table")


_RENDERERS: Final[dict[str, Callable[[Any, str], bytes]]] = {
    "text": _text,
    "json": _json,
    "csv": _csv,
    "arrow": _arrow,
    "parquet": _parquet,
}


def show(value: Any, form: str, name: str, *, is_terminal: bool) -> None:
    """Writes a result to standard output.

    Raises:
        OptionError: it can't be written like that; bytes that are no text are kept from a terminal.
    """
    if form == "table":
        show_table(value, name)
        return
    content = rendered(value, form, name)
    if is_terminal and (form in ("arrow", "parquet") or not _is_readable(content)):
        raise OptionError(f"{name}: the result is binary ({len(content)} bytes); write it with -o FILE, or pipe it")
    binary_output().write(content)


def _is_readable(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _is_number_column(rows: list[list[Any]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _kind(value: Any) -> str:
    """Package and class of a value, without importing anything."""
    kind = type(value)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _unfit(value: Any, form: str, name: str, wanted: str) -> OptionError:
    fitting = "text or json" if form not in ("text", "json") else "text, or -o FILE"
    return OptionError(f"{name}: --format {form} needs {wanted}, not {type(value).__name__}; use {fitting}")

"""Tables: those of pyarrow, pandas and polars, and lists of mappings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rave_core.errors import UnrenderableError, describe_error

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES: Final = frozenset(("pyarrow.Table", "pyarrow.RecordBatch", "pandas.DataFrame", "polars.DataFrame"))


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as columns and rows of Python values."""

    columns: list[str]
    rows: Iterable[Sequence[Any]]


def kind_of(value: Any) -> str:
    """Package and class of a value, as ``pandas.DataFrame``, without importing anything."""
    kind = type(value)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def is_table(value: Any) -> bool:
    """Whether ``value`` has rows and named columns. An empty list may be meant as a table, but does not say so."""
    if isinstance(value, list):
        return bool(value) and all(type(row) is dict or isinstance(row, Mapping) for row in value)
    return kind_of(value) in _TABLES


def rows_of(value: Any, form: str, *, most: int | None = None) -> Rows:
    """The columns and rows of a table; an empty list has none of either.

    Args:
        value: the table.
        form: the target form, for the message.
        most: how many rows are enough. All columns are always given.

    Raises:
        UnrenderableError: ``value`` is no table, or its library can't give its rows.
    """
    if not is_table(value) and not (isinstance(value, list) and not value):
        raise UnrenderableError(form, f"a table, not {type(value).__name__}", "text or json")
    with refusing(form, "a table", value, "text"):
        if isinstance(value, list):
            return _listed(value, most)
        return _given(value if most is None else _head(value, most))


def part_of(value: Any, start: int, count: int) -> Any:
    """Up to ``count`` rows of a table from row ``start`` on, as a table of the same kind that shares its memory."""
    kind = kind_of(value)
    if kind == "pandas.DataFrame":
        return value.iloc[start : start + count]
    return value[start : start + count] if isinstance(value, list) else value.slice(start, count)


def _head(table: Any, most: int) -> Any:
    return table.slice(0, most) if kind_of(table).startswith("pyarrow.") else table.head(most)


def _given(table: Any) -> Rows:
    """The rows of a library's table. An index becomes a column unless it only numbers the rows."""
    kind = kind_of(table)
    if kind == "pandas.DataFrame":
        if type(table.index).__name__ != "RangeIndex":
            table = table.reset_index(allow_duplicates=True)
        return Rows([str(column) for column in table.columns], table.itertuples(index=False, name=None))
    if kind == "polars.DataFrame":
        return Rows(list(table.columns), table.iter_rows())
    if not table.num_columns:  # zip() of nothing would lose the rows
        return Rows([], [()] * table.num_rows)
    return Rows(list(table.schema.names), zip(*map(_cells, table.columns), strict=True))


def _listed(table: list[Mapping[Any, Any]], most: int | None) -> Rows:
    columns = list(dict.fromkeys(str(column) for row in table for column in row))
    named = ({str(column): item for column, item in row.items()} for row in table[:most])
    return Rows(columns, ([row.get(column) for column in columns] for row in named))


def _cells(column: Any) -> list[Any]:
    """The values of an Arrow column. Times with a zone are made here, since pyarrow would import pandas for them."""
    zone = getattr(column.type, "tz", None)
    if zone != "UTC" or column.type.unit == "ns":
        return column.to_pylist()  # type: ignore[no-any-return]  # pyarrow is not typed
    import pyarrow

    passed = column.cast(pyarrow.timestamp("us", zone)).cast(pyarrow.int64()).to_pylist()
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in passed]


def arrow_table(value: Any, form: str) -> Any:
    """The table as one of pyarrow.

    Raises:
        UnrenderableError: it is none, pyarrow is not installed, or its values have no type in Arrow.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise UnrenderableError(form, "pyarrow: pip install pyarrow") from error
    kind = kind_of(value)
    with refusing(form, "a table with columns of one type each", value, "csv or json"):
        if kind == "pyarrow.Table":
            return value
        if kind == "pyarrow.RecordBatch":
            return pyarrow.Table.from_batches([value])
        if kind == "pandas.DataFrame":
            return pyarrow.Table.from_pandas(value)
        if kind == "polars.DataFrame":
            return value.to_arrow()
        found = rows_of(value, form)
        rows = list(found.rows)
        return pyarrow.table({name: [row[at] for row in rows] for at, name in enumerate(found.columns)})


@contextlib.contextmanager
def refusing(form: str, needs: str, value: Any, instead: str) -> Iterator[None]:
    """Turns any failure within into an `UnrenderableError`: libraries and third-party classes may raise anything."""
    try:
        yield
    except UnrenderableError:
        raise
    except RecursionError as error:
        reason = "it is too deep, or holds itself"
        raise UnrenderableError(form, f"{needs} ({reason}), not {type(value).__name__}", instead) from error
    except Exception as error:
        reason = str(error) if type(error) is TypeError else describe_error(error)
        raise UnrenderableError(form, f"{needs} ({reason}), not {type(value).__name__}", instead) from error

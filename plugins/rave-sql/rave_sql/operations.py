"""Queries as operations: one for each ``.sql`` file of a directory."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core import Operation, OperationError, depends_on, list_of, one_of, op
from rave_core.converters import Converter, FunctionConverter
from rave_core.errors import ConfigurationError, RaveError
from rave_core.settings import doubt
from rave_sql.arrow import to_table
from rave_sql.database import Database
from rave_sql.errors import QueryError, StatementError
from rave_sql.header import Parameter
from rave_sql.query import Query
from rave_sql.settings import DEFAULT, url_of
from rave_sql.watermark import Watermark, watermark

if TYPE_CHECKING:
    import pyarrow

TYPES: dict[str, Any] = {
    "int": int, "float": float, "text": str, "bool": bool, "decimal": Decimal, "date": "iso_date",
    "datetime": "iso_datetime",
}  # fmt: skip
"""The types that a parameter can have, apart from named converters."""

CURRENT = "current"
_LIST = "list of "


def queries(
    directory: str | Path, *, namespace: str, database: str = DEFAULT
) -> dict[str, Operation[..., Any] | RaveError]:
    """The ``.sql`` files below a directory as operations, for ``__export__``, by path without the suffix.

    A wrong file has its error in place of an operation. The namespace reports it, and still has the others.

    Args:
        directory: where the files are; hidden files and folders do not count.
        namespace: where they are exported, so that each has one name however it is called.
        database: the database of queries that name none.

    Raises:
        ConfigurationError: the directory does not exist, or others may change it.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ConfigurationError(f"{root} is not a directory: queries are looked for there")
    reason = doubt(root)
    if reason is not None:
        raise ConfigurationError(f"the queries in {root} are refused: {reason}")
    made: dict[str, Operation[..., Any] | RaveError] = {}
    for path in sorted(root.rglob("*.sql")):
        place = path.relative_to(root)
        if any(part.startswith(".") for part in place.parts):
            continue
        name = place.with_suffix("").as_posix()
        try:
            made[name] = operation(_query(path, place.as_posix()), f"{namespace}/{name}", database)
        except RaveError as error:
            made[name] = error
    return made


def _query(path: Path, where: str) -> Query:
    reason = doubt(path.parent) or doubt(path, above=False)
    if reason is not None:
        raise QueryError(f"{where} is refused: {reason}")
    return Query.read(path, where)


def operation(query: Query, name: str, database: str) -> Operation[..., Any]:
    """A query as an operation that returns a table.

    Raises:
        QueryError, ConfigurationError, DecorationError: something in its comment or its SQL is wrong.
        DatabaseError: its database is not configured.
    """
    database = query.header.database or database
    kind = url_of(database).partition(":")[0].partition("+")[0]
    query.check_statement(kind)
    parameters = dict(query.header.parameters)
    signature = inspect.Signature([_parameter(each, told) for each, told in parameters.items()] + [_MARK])

    def run(*, watermark: Watermark, **arguments: Any) -> pyarrow.Table:
        return answer(query, database, watermark, arguments)

    run.__signature__ = signature  # type: ignore[attr-defined]  # inspect looks for it
    run.__doc__ = _doc(query)
    run.__name__ = run.__qualname__ = name.rpartition("/")[2]
    types = {each: _type(told, query.where) for each, told in parameters.items()}
    decorate = op(
        name=name,
        version=(query.sql, repr(query.header)),
        expires=query.header.expires,
        mime_type=query.header.mime_type,
        typemap={**types, "watermark": _marker(query, database)},
    )
    made: Operation[..., Any] = decorate(depends_on(answer, _marker)(run))  # the code counts beside the SQL
    return made


_MARK = inspect.Parameter("watermark", inspect.Parameter.KEYWORD_ONLY, default=CURRENT)


def answer(query: Query, database: str, mark: Watermark, parameters: Mapping[str, Any]) -> pyarrow.Table:
    """The current result of a query. If it is truncated, ``rave.sql.cut`` in its metadata is the limit of rows.

    Raises:
        DatabaseError, StatementError, TimeLimitError: the database does not deliver it.
        OperationError: it has too many rows, and must not be truncated.
    """
    if mark.error is not None:
        raise mark.error
    found, header = opened(database, url_of(database)), query.header
    kinds = {name: told.type for name, told in header.parameters}
    columns, rows = found.read(query.sql, parameters, most=header.max_rows + 1, seconds=header.time_limit, kinds=kinds)
    is_cut = len(rows) > header.max_rows
    if is_cut and header.cut == "refuse":
        raise OperationError(
            f"{query.where}: more than max_rows = {header.max_rows} rows; narrow it, or raise the limit"
        )
    try:
        table = to_table(columns, rows[: header.max_rows], found.dialect)
    except ValueError as error:
        raise StatementError(f"{query.where}: {error}") from error
    return table.replace_schema_metadata({"rave.sql.cut": str(header.max_rows)} if is_cut else None)


@lru_cache(maxsize=64)
def opened(name: str, url: str) -> Database:
    """The database of that name and URL. Does not connect."""
    return Database(name, url)


def _marker(query: Query, database: str) -> Converter:
    """Turns the argument ``watermark`` into the current watermark, on each call."""

    def convert(value: Any) -> Watermark:
        if isinstance(value, Watermark):
            return value
        if value != CURRENT:
            raise ValueError(f"expected {CURRENT!r}: results are those of the present state of the database")
        try:
            found = opened(database, url_of(database))
        except RaveError as error:
            return Watermark(database, error=error)
        return watermark(found, query.header.watermark, seconds=query.header.time_limit)

    schema = {"enum": [CURRENT]}
    return FunctionConverter("sql_watermark", convert, schema, volatile=True)


def _parameter(name: str, told: Parameter) -> inspect.Parameter:
    default = inspect.Parameter.empty if told.is_required else told.default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _type(told: Parameter, where: str) -> Any:
    name = told.type
    is_list = name.startswith(_LIST)
    kind = TYPES.get(name.removeprefix(_LIST), name.removeprefix(_LIST))
    if isinstance(kind, str):
        from rave_core import current_runtime

        try:
            current_runtime().plugins.converters.find(kind)
        except RaveError as error:
            raise QueryError(f"{where}: type {name!r}: {error}; of SQL's own there are {', '.join(TYPES)}") from error
    if is_list:
        return list_of(kind)
    return one_of(kind, None) if not told.is_required and told.default is None else kind


def _doc(query: Query) -> str:
    header = query.header
    told = [f"    {name}: {each.description}" for name, each in header.parameters if each.description]
    parts = [header.title or f"The query {query.where}.", header.description.strip()]
    return "\n\n".join(filter(None, [*parts, "\n".join(["Args:", *told]) if told else ""]))

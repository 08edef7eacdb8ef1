"""A query: a file with one SQL statement that reads, checked before anybody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rave_core.errors import nearest
from rave_sql.errors import QueryError
from rave_sql.header import Header, split

_WRITES = ("Insert", "Update", "Delete", "Merge", "Create", "Drop", "Alter", "Command", "Copy", "Into", "Set", "Use",
           "Attach", "Detach", "Pragma", "TruncateTable", "Grant", "Transaction", "Commit", "Rollback")  # fmt: skip
_DIALECTS = {"postgresql": "postgres", "sqlite": "sqlite", "duckdb": "duckdb", "mysql": "mysql", "mariadb": "mysql"}


@dataclass(frozen=True, slots=True)
class Query:
    """What an operation queries.

    Attributes:
        where: the name of the file, for messages.
        header: what its comment says.
        sql: the statement, with ``:name`` for each parameter.
    """

    where: str
    header: Header
    sql: str

    @classmethod
    def read(cls, path: Path, where: str) -> Self:
        """The query in a file.

        Raises:
            QueryError: it can't be read, or is wrong.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise QueryError(f"{where} can't be read: {error}") from error
        header, sql = split(text, where)
        query = cls(where, header, sql)
        query.check_parameters()
        return query

    @property
    def has_watermark(self) -> bool:
        """Whether the watermark is a query."""
        return self.header.watermark not in ("auto", "none")

    def check_parameters(self) -> None:
        """Checks that every parameter is declared and used.

        Raises:
            QueryError: one is not.
        """
        used, declared = parameters_of(self.sql), [name for name, _ in self.header.parameters]
        if self.has_watermark and parameters_of(self.header.watermark):
            raise QueryError(f"{self.where}: the watermark can't take parameters: it is that of whole tables")
        for name in sorted(used - set(declared)):
            near = nearest(name, declared) if declared else "no parameter is declared"
            raise QueryError(f"{self.where}: the SQL uses :{name}, which is not declared; {near}")
        for name in declared:
            if name not in used:
                raise QueryError(f"{self.where}: parameter {name} is declared, and the SQL does not use :{name}")

    def check_statement(self, dialect: str) -> None:
        """Checks that the SQL is one statement that only reads, and the watermark's too.

        Args:
            dialect: of the database, by SQLAlchemy's name. An unknown one counts as standard SQL.

        Raises:
            QueryError: it is not.
        """
        check_reads(self.sql, dialect, self.where)
        if self.has_watermark:
            check_reads(self.header.watermark, dialect, f"{self.where}: watermark")


def parameters_of(sql: str) -> set[str]:
    """The names written as ``:name`` in SQL."""
    from sqlalchemy import text

    return set(text(sql).compile().params)


def check_reads(sql: str, dialect: str, where: str) -> None:
    """Checks that the SQL is one statement that only reads.

    Raises:
        QueryError: it is not, or can't be parsed.
    """
    import sqlglot
    from sqlglot import expressions

    try:
        statements = [each for each in sqlglot.parse(sql, dialect=_DIALECTS.get(dialect)) if each is not None]
    except sqlglot.errors.SqlglotError as error:
        raise QueryError(f"{where}: the SQL can't be parsed: {str(error).splitlines()[0]}") from error
    if len(statements) != 1:
        raise QueryError(f"{where}: {len(statements)} statements instead of one")
    (statement,) = statements
    kinds = tuple(getattr(expressions, name) for name in _WRITES if hasattr(expressions, name))
    written = next((node for node in statement.walk() if isinstance(node, kinds)), None)
    if written is not None or not isinstance(statement, expressions.Query):
        what = type(written or statement).__name__.upper()
        raise QueryError(f"{where}: {what}: expected a query that only reads, such as SELECT or WITH … SELECT")

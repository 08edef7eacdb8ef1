"""The tables of a document store, and how those of an earlier version become these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sql
from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Integer, LargeBinary, MetaData, Table, Text

from rave_core.errors import LaterSchemaError

_metadata = MetaData()
_Number = BigInteger().with_variant(Integer(), "sqlite")  # with which SQLite makes it the row's own number

_Name = Text().with_variant(Text(collation="C"), "postgresql")  # ordered alike everywhere: by code points

STATE = Table(
    "rave_store",
    _metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("schema", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
"""One row: the version of these tables, and the number of the latest commit.

Every save increments that number first. The lock on the row, held until the commit, is what makes commits visible in
the order of their numbers; numbers from a sequence of the database would not be.
"""

DOCUMENTS = Table(
    "rave_documents",
    _metadata,
    Column("sequence", _Number, primary_key=True, autoincrement=False),
    Column("collection", _Name, nullable=False),
    Column("key", _Name, nullable=False),
    Column("version", Integer, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("time", Double, nullable=False),
    Column("payload", LargeBinary),
    sql.UniqueConstraint("collection", "key", "version", name="rave_documents_version"),
)
"""The versions. Without a payload, a row is a tombstone."""

COLLECTIONS = Table(
    "rave_collections", _metadata, Column("name", _Name, primary_key=True), Column("keep", Integer, nullable=False)
)
"""How many versions a collection keeps, for those that do not keep all."""

FENCES = Table(
    "rave_fences", _metadata, Column("name", _Name, primary_key=True), Column("fence", BigInteger, nullable=False)
)
"""The newest fence of each leadership."""


def _first(connection: sql.Connection) -> None:
    _metadata.create_all(connection, tables=[STATE, DOCUMENTS, COLLECTIONS])
    connection.execute(sql.insert(STATE).values(id=1, schema=1, sequence=0))


def _with_fences(connection: sql.Connection) -> None:
    _metadata.create_all(connection, tables=[FENCES])


MIGRATIONS: Final[tuple[Callable[[sql.Connection], None], ...]] = (_first, _with_fences)
"""What leads from each version to the next, from nothing on. Released ones never change."""


def schema_of(connection: sql.Connection) -> int:
    """The version of the tables that are there; 0 if there are none."""
    if not sql.inspect(connection).has_table(STATE.name):
        return 0
    return int(connection.execute(sql.select(STATE.c.schema)).scalar_one())


def migrate(connection: sql.Connection, place: str) -> None:
    """Makes the tables, or makes those of an earlier version into these. The transaction must exclude all others.

    Raises:
        LaterSchemaError: they are of a later version.
    """
    found = schema_of(connection)
    refuse_later(found, place)
    for step in MIGRATIONS[found:]:
        step(connection)
    if found < len(MIGRATIONS):
        connection.execute(sql.update(STATE).values(schema=len(MIGRATIONS)))


def refuse_later(found: int, place: str) -> None:
    """Refuses tables that a later version of RAVE made.

    Raises:
        LaterSchemaError: they are.
    """
    if found > len(MIGRATIONS):
        raise LaterSchemaError(
            f"{place}: its tables have schema version {found}, and this version of RAVE knows those up to "
            f"{len(MIGRATIONS)}: upgrade rave-framework here, or name another store in the setting 'documents'"
        )

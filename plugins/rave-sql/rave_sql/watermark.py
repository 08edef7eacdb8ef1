"""Watermarks: they change when the tables of a query do, so that RAVE computes its result again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rave_core import RaveError
from rave_sql.database import Database

_ROWS = 1000
_HEAD = 100
"""Bytes at the start of an SQLite file, with its change counter, and of its write-ahead log, with the salts."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """The state of a database at the time of the call; part of the answer's key.

    Attributes:
        database: the identity of the database.
        state: a digest of what the database reports; equal ones mean that nothing changed.
        error: why it could not be read. It is raised when the answer is computed, so that the caller gets it.
    """

    database: str
    state: str = ""
    error: Exception | None = field(default=None, repr=False)

    def __rave_key__(self) -> object:
        """What represents it in a key."""
        return (self.database, self.state, str(self.error or ""))


def watermark(database: Database, sql: str, *, seconds: float) -> Watermark:
    """The watermark of a database now.

    Args:
        database: the database to ask.
        sql: a query; ``auto`` for what the database itself reports; ``none`` for nothing.
        seconds: that it may take.
    """
    try:
        told = repr(_value(database, sql, seconds))
        return Watermark(database.identity, blake2b(told.encode(), digest_size=12).hexdigest())
    except RaveError as error:
        return Watermark(database.identity, error=error)


def _value(database: Database, sql: str, seconds: float) -> Any:
    if sql == "none":
        return None
    if sql != "auto":
        return database.read(sql, {}, most=_ROWS, seconds=seconds)[1]
    if database.file is not None:
        return tuple(map(_state, _files(database.file)))
    if database.dialect == "postgresql":
        # All ended and running transactions: it changes with every one that ends, whatever it wrote.
        return database.read("SELECT CAST(pg_current_snapshot() AS text)", {}, most=1, seconds=seconds)[1]
    return None


def _files(path: Path) -> tuple[Path, ...]:
    """A database's file, and the log of what is not in it yet."""
    return (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}.wal"))


def _state(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            return info.st_size, info.st_mtime_ns, file.read(_HEAD)
    except OSError:
        return None

"""A save on PostgreSQL in one exchange: two statements that are sent together, and are one transaction."""

from __future__ import annotations

import select
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.dialects import registry

from rave_backends.documents import statements

if TYPE_CHECKING:
    import psycopg


def can_pipeline() -> bool:
    """Whether the client library can send statements together; that of version 14 and later can."""
    import psycopg

    return psycopg.Pipeline.is_supported()


def is_untouched(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has sent nothing since the last exchange.

    What it sends by itself is, but for rare notices, that it ends the connection. To know this before a save is what
    makes it safe to use another connection instead: once a save was sent, nobody knows whether it was committed.
    """
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)


def save_at_once(connection: psycopg.Connection[Any], values: dict[str, object]) -> int | None:
    """Adds a version by the parameters of `statements.SAVE_AT_ONCE`; returns the number of the commit.

    The lock comes in a statement of its own: the next one then sees what was committed while it waited for the lock.
    Statements that are sent together outside of a transaction are one.

    Args:
        connection: commits each statement, at the isolation "read committed".
        values: the parameters.

    Returns:
        ``None`` if another version is the newest one; nothing was written then.

    Raises:
        psycopg.Error: as the server or the connection says.
    """
    lock, save = _compiled()
    with connection.pipeline():
        connection.execute(str(lock).encode())
        saved = connection.execute(str(save).encode(), save.construct_params(values))
    row = saved.fetchone()
    return None if row is None else int(row[0])


@cache
def _compiled() -> tuple[sql.Compiled, sql.Compiled]:
    """The statements in the words of the driver."""
    made = registry.load("postgresql.psycopg")()
    return statements.LOCK_ROW.compile(dialect=made), statements.SAVE_AT_ONCE.compile(dialect=made)

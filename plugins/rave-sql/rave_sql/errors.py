"""What can be wrong with queries and databases.

::

    RaveError
    └── QueryError (ValueError)       a file can't be an operation: its comment or its SQL is wrong
    └── DatabaseError (OSError)       a database is unknown, away, or refused
        └── StatementError            it refused this statement
    └── TimeLimitError                a statement took longer than it may

No message holds a password.
"""

from __future__ import annotations

from rave_core import RaveError


class QueryError(RaveError, ValueError):
    """A file can't be an operation; the message names it, and what would be right."""


class DatabaseError(RaveError, OSError):
    """A database is unknown, away, or refused the connection."""


class StatementError(DatabaseError):
    """A database refused a statement."""

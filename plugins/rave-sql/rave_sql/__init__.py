"""Named SQL queries as operations: `queries` makes them of the ``.sql`` files in a directory.

The namespace ``sql`` has those of the directory that is configured, see `rave_sql.configured`.
"""

from rave_sql.operations import queries

__all__ = ["configured", "queries"]

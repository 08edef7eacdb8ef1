"""DuckDB, as every question here uses it: one for the process, because starting one takes longer than a question."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rave_flow.errors import RefusedError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_lock = threading.Lock()
_databases: dict[int, duckdb.DuckDBPyConnection] = {}
"""By process: a fork has none of the threads of its parent's. That one is kept, and never touched."""


@contextmanager
def connected() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database in memory, whose zone is UTC. Threads do not share one.

    What is made on it has to be temporary: anything else would be there for the others too.
    """
    connection = _database().cursor()
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def asking() -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for a question about flows.

    Raises:
        RefusedError: a sum is too large for 64 bits, as it is if the counters of many flows are broken.
    """
    import duckdb

    with connected() as connection:
        try:
            yield connection
        except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
            raise RefusedError(
                "the bytes or packets of these flows together are more than 2**63, so some counters are broken; leave "
                "such flows out, as by bytes=0-1TB"
            ) from error


def in_order(table: pyarrow.Table, column: str) -> pyarrow.Table:
    """The rows in order of a column without null; the same table if they are.

    Threads read the chunks of a table at the same time: without a sort the rows of a result have no order.
    """
    from pyarrow import compute

    values = table[column]
    is_sorted = compute.all(compute.less_equal(values.slice(0, len(values) - 1), values.slice(1))).as_py()
    return table if is_sorted else table.sort_by(column)


def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    with _lock:
        found = _databases.get(os.getpid())
        if found is None:
            found = _databases[os.getpid()] = duckdb.connect(":memory:")
            found.execute("SET GLOBAL TimeZone = 'UTC'")
        return found


def _unlocked() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_unlocked)

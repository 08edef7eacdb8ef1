"""A file of SQLite for what must not be lost, such as documents."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_making = threading.Lock()


def make_sqlite_file(path: Path) -> os.stat_result:
    """Makes a file that only its owner may read, if there is none, and its directory; returns which file it is.

    A file that is there is never opened, except by SQLite: to close any other descriptor of it would release the locks
    that SQLite holds in this process, and a writer elsewhere could damage what is read here. Safe for threads.

    Raises:
        OSError: it can't be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    return os.stat(path)


def set_up_sqlite(connection: Connection) -> None:
    """Sets a new connection up: readers and a writer do not wait for one another, and commits are on disk at once.

    Raises:
        OperationalError: the file can't be used.
    """
    import sqlite3

    for pause in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 0.0):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL").close()
            break
        except sqlite3.OperationalError:  # another process is changing it, for which SQLite itself does not wait
            if not pause:
                raise
            threading.Event().wait(pause)
    connection.execute("PRAGMA synchronous = FULL").close()

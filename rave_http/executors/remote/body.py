"""What travels to another machine: a body, and what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rave_core.settings import Settings
from rave_http.executors.child_jobs import BodyCall, CallBatch, Probe


@dataclass(frozen=True, slots=True)
class RemoteBody:
    """A body, or a batch of calls, on its way to another machine. It can be pickled.

    It holds the sender's settings without passwords and the like: these come from the settings of the worker.

    Attributes:
        number: distinguishes it from all others of its sender.
        operation: its full name.
        time_limit: seconds, ``None`` for no limit.
        release: of RAVE, at the sender.
        origin: distinguishes its sender from all others.
        environment: equal for bodies that the same child process may run.
        content: the rest, pickled.
    """

    number: int
    operation: str
    time_limit: float | None
    release: str
    origin: str
    environment: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What only a worker with the same release of RAVE reads.

    Attributes:
        body: what to run: a body, or calls.
        settings: those of the sender's runtime, without secrets.
        hidden: the names of those settings in which something is hidden.
        directories: the namespaces that are plain directories, by name.
        probe: shows whether the worker sees the same cache.
        inode: a directory among the sender's products, and its inode; ``None`` for a body that makes no file.
    """

    body: BodyCall | CallBatch
    settings: Settings
    hidden: tuple[str, ...]
    directories: Mapping[str, str]
    probe: Probe
    inode: tuple[str, int] | None


def inode_of(directory: str) -> int | None:
    """The inode of a directory; ``None`` if it does not exist."""
    try:
        return os.stat(directory).st_ino
    except OSError:
        return None

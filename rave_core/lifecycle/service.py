"""A service: what a plugin runs beside the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Service:
    """A program that runs for as long as the service does, such as one that watches a stream or sends alarms.

    ``rave serve`` runs services in a process of their own, each in a thread. If one ends without being asked to, it is
    started again, after a pause that doubles from 1 s to 5 min, and is 1 s again once it ran for longer than that.

    Attributes:
        name: under which it is listed; all services of a process have different names.
        start: runs it. Returns when it has ended.
        stop: asks it to end. Called in another thread, and again each half second until ``start`` returns.
        scope: ``worker``: every ``rave serve`` runs it; ``cluster``: one process at a time does, among all hosts that
            share the store of leases.
        check: what is wrong with it, in words; ``None`` if all is well. Called in another thread, at any time.
    """

    name: str
    start: Callable[[], object]
    stop: Callable[[], object]
    scope: Literal["worker", "cluster"] = "worker"
    check: Callable[[], str | None] = lambda: None

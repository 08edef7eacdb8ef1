"""A body in the cluster, as its sender knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rave_http.executors import WorkerLostError

if TYPE_CHECKING:
    from distributed import Future

    from rave_core.model import Progress
    from rave_http.executors.remote import RemoteBody

MOST_STARTS: Final = 2
"""How often a body starts whose worker was lost: another body may have caused the first loss, so one is no proof."""


@dataclass
class Run:
    """A body in the cluster.

    Attributes:
        remote: the body.
        tell: takes reports of progress, after the name of the operation that reports.
        relay: takes events, as a message of a bus.
        starts: how often it has started.
        worker: the address of the worker that started it last.
        future: the task that runs it.
    """

    remote: RemoteBody
    tell: Callable[[str, Progress], None]
    relay: Callable[[bytes], None]
    starts: int = 0
    worker: str = ""
    future: Future[Any] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it has cost so many workers that it does not run again."""
        return self.starts > MOST_STARTS

    def lost(self, times: int = MOST_STARTS, worker: str = "") -> WorkerLostError:
        """The error for a body whose workers were lost.

        Args:
            times: how many.
            worker: the address of the last one; empty for the one that is known here.
        """
        often = {1: "once", 2: "twice"}.get(times, f"{times} times")
        last = f", the last time at {worker or self.worker}" if worker or self.worker else ""
        return WorkerLostError(f"{self.remote.operation} was lost with its worker {often}{last}")

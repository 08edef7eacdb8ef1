"""What runs in a Dask worker: it takes bodies from the cluster, and runs them in child processes that can be killed."""

from __future__ import annotations

import multiprocessing
from functools import cache
from typing import TYPE_CHECKING, Final

from distributed import get_worker

from rave_core.errors import RaveError
from rave_http.executors.remote import BodyHost

if TYPE_CHECKING:
    from distributed import Worker

    from rave_core.model import Progress
    from rave_http.executors.remote import Answer, RemoteBody

CANCELLED: Final = "cancelled"  # the state of a task, at its worker
_IDLE: Final = 2  # children that may be idle, for each thread of the worker


def perform(remote: RemoteBody, topic: str) -> Answer | RaveError:
    """The task: runs a body; gives its answer, or why there is none, as a value: Dask has nothing to retry.

    Args:
        remote: the body.
        topic: where the client hears of its start, its progress and its events.
    """
    worker = get_worker()
    task = worker.get_current_task()

    def is_wanted() -> bool:
        state = worker.state.tasks.get(task)
        return state is not None and state.state != CANCELLED

    def tell(operation: str, progress: Progress) -> None:
        report = (operation, progress.done, progress.total, progress.text)
        worker.log_event(topic, {"number": remote.number, "progress": report})

    def relay(message: bytes) -> None:
        worker.log_event(topic, {"number": remote.number, "events": message})

    worker.log_event(topic, {"number": remote.number, "started": worker.address})
    try:
        return host_of(worker).run(remote, is_wanted=is_wanted, tell=tell, relay=relay)
    except RaveError as error:
        return error


def host_of(worker: Worker) -> BodyHost:
    """The one host of child processes in a worker."""
    return _host(worker.address, worker.state.nthreads)


@cache
def _host(address: str, threads: int) -> BodyHost:
    # A nanny starts its worker as a daemon, which may have no children; ours end with the worker in any case.
    multiprocessing.current_process().daemon = False
    return BodyHost(address, idle=_IDLE * threads)

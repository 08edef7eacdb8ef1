"""What runs in a Dask worker: it takes bodies from the cluster, and runs them in child processes that can be killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
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
_SOON: Final = 0.02  # seconds after which the client hears that a body has started
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

    try:
        with announced(worker, topic, remote.number):
            return host_of(worker).run(remote, is_wanted=is_wanted, tell=tell, relay=relay)
    except RaveError as error:
        return error


@contextmanager
def announced(worker: Worker, topic: str, number: int) -> Iterator[None]:
    """Tells the client that a body has started, unless the block ends at once: the answer would wait for that."""
    loop = worker.loop
    due: list[object] = []
    message = {"number": number, "started": worker.address}
    loop.add_callback(lambda: due.append(loop.call_later(_SOON, worker.log_event, topic, message)))
    try:
        yield
    finally:
        loop.add_callback(lambda: loop.remove_timeout(due[0]))


def host_of(worker: Worker) -> BodyHost:
    """The one host of child processes in a worker."""
    return _host(worker.address, worker.state.nthreads)


@cache
def _host(address: str, threads: int) -> BodyHost:
    # A nanny starts its worker as a daemon, which may have no children; ours end with the worker in any case.
    multiprocessing.current_process().daemon = False
    return BodyHost(address, idle=_IDLE * threads)

"""The executor ``dask``."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from rave_core.errors import RaveError
from rave_dask.cluster import Cluster
from rave_dask.retries import is_worth_another_run
from rave_dask.run import Run
from rave_dask.settings import DaskSettings
from rave_http.executors import Executor, ExecutorFigures, WorkerLostError
from rave_http.executors.remote import BodySender

if TYPE_CHECKING:
    from rave_http.executors import ExecutorContext, Result, RunBody
    from rave_http.executors.remote import Answer


class DaskExecutor(Executor):
    """Runs bodies in the processes of a Dask cluster, in child processes of its workers.

    A body at its time limit, or one whose caller is gone, is killed with its child. One whose worker is lost runs once
    more, on another. Nothing falls back to this process: a body that can't travel fails, and says why.
    """

    name = "dask"
    ends_bodies = True

    def __init__(self, context: ExecutorContext) -> None:
        """Connects in the background.

        Raises:
            ConfigurationError: a setting of ``[plugins.dask]`` is wrong.
        """
        self._settings = DaskSettings.of(context.settings)
        self.slots = self._settings.slots
        self._sender = BodySender(context.settings, context.directories)
        self._cluster = Cluster(self._settings)
        self._running: set[asyncio.Future[Answer]] = set()

    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a body in the cluster; again, if it raised an exception and its operation has retries."""
        retries = self._settings.placement(step.context.operation).retries
        result = await self._once(step, time_limit)
        while retries and is_worth_another_run(result[1]):
            retries -= 1
            result = await self._once(step, time_limit)
        return result

    def renew(self) -> None:
        """Announces a change of code: bodies that start from now on run in fresh children, with the new code."""
        self._sender.renew()

    def check(self) -> str | None:
        """What keeps bodies from running now: no scheduler, or no workers."""
        return self._cluster.check()

    def figures(self) -> ExecutorFigures:
        """What the cluster has, and what became of the bodies of this worker."""
        return self._cluster.figures()

    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds, ends the rest, and the connection."""
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=grace)
            for running in late:
                running.cancel()
        await asyncio.to_thread(self._cluster.close)

    async def _once(self, step: RunBody, time_limit: float | None) -> Result:
        operation = step.context.operation
        try:
            remote = await asyncio.to_thread(partial(self._sender.pack, step, time_limit=time_limit))
            run = Run(remote, partial(self._sender.tell, step), partial(self._sender.relay, step))
            sent = self._cluster.start(self._cluster.run(run, self._settings.placement(operation)))
        except RaveError as error:
            return None, error
        running = asyncio.wrap_future(sent)
        self._running.add(running)
        try:
            await asyncio.wait({running})
        finally:
            self._running.discard(running)
            running.cancel()
        if running.cancelled():
            return None, WorkerLostError(f"{operation} was ended, since this worker of the service stops")
        try:
            return self._sender.settle(step, running.result())
        except RaveError as error:
            return None, error

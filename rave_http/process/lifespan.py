"""The start of an application, which may take its time: gunicorn would give up after half a minute."""

from __future__ import annotations

import asyncio
from typing import Final

from gunicorn.asgi import lifespan  # type: ignore[import-untyped]  # gunicorn has no types

_COMPLAINTS: Final = 30.0  # seconds


class Lifespan(lifespan.LifespanManager):  # type: ignore[misc]  # gunicorn has no types
    """Waits until the application has started, however long its namespaces take to load.

    A worker that is not ready harms nobody: others serve until it is. One that gives up is started again, on a machine
    that is even busier with that.
    """

    async def startup(self) -> None:
        """Starts the application; the log says now and then that this still goes on.

        Raises:
            LifespanStartupFailed: it could not start.
        """
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.4"}, "state": self.state}
        await self._receive_queue.put({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run_lifespan(scope))
        started = asyncio.create_task(self._startup_complete.wait())
        while not (await asyncio.wait({started}, timeout=_COMPLAINTS))[0]:
            self.logger.warning("the worker still starts: its namespaces take long to load, or the machine is busy")
        if self._startup_failed:
            self._task.cancel()
            raise lifespan.LifespanStartupFailed(self._startup_error or "it gave no reason")

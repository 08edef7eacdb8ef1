"""The run of a body in a thread of an executor, or in the main thread of a child process."""

from __future__ import annotations

import asyncio
import contextlib

from rave_core.engine.effects import RunBody
from rave_core.errors import describe_error
from rave_http.executors.executor import Result


class Body:
    """One run of a body, in any thread."""

    def __init__(self, step: RunBody) -> None:
        self._step = step
        self._is_given_up = False
        self._task: asyncio.Task[Result] | None = None

    def perform(self) -> Result:
        """Runs the body to its end in this thread. A coroutine function gets its own event loop."""
        try:
            return asyncio.run(self._coroutine()) if self._step.call.spec.is_async else self._step.perform()
        except BaseException as error:  # noqa: BLE001  # sys.exit() in a body must not end the service
            return None, RuntimeError(f"{self._step.context.operation} was left by {describe_error(error)}")

    def give_up(self) -> None:
        """Abandons the run, from any thread. A coroutine is cancelled; any other body can't be."""
        self._is_given_up = True
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def _coroutine(self) -> Result:
        self._task = asyncio.current_task()
        if self._is_given_up:
            raise asyncio.CancelledError
        return await self._step.perform_async()

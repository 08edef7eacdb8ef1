"""The executor ``coroutines``: bodies that are coroutine functions run side by side in one event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from rave_core.errors import ConfigurationError, TimeLimitError, describe_error
from rave_http.executors import SPARE, BusyError, Executor, Result, RunBody, WorkerLostError

_ENDING = 5.0


class CoroutineExecutor(Executor):
    """Runs coroutine functions in an event loop in a thread of its own, so that hundreds can wait at once.

    The loop cancels a body at its time limit, or when its caller is gone. A body that blocks the loop, for example with
    ``time.sleep``, holds up all others and can't be stopped. So anything but a coroutine function is refused: it would
    block the loop.
    """

    name = "coroutines"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._loop = asyncio.new_event_loop()
        self._bodies: set[asyncio.Task[Result]] = set()
        self._running: set[asyncio.Future[Result]] = set()
        self._thread = threading.Thread(target=self._turn, name="rave-coroutines", daemon=True)
        self._thread.start()

    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a coroutine function with this task's context variables."""
        operation = step.context.operation
        if not step.call.spec.is_async:
            return None, ConfigurationError(
                f"{operation} is not a coroutine function, which is all that the executor 'coroutines' runs: "
                "write async def, or choose another executor for it under [service.operations]"
            )
        if self._loop.is_closed() or len(self._bodies) >= SPARE * self.slots:
            return None, BusyError(f"there is no room for {operation}: abandoned bodies are still running")
        future = asyncio.run_coroutine_threadsafe(self._perform(step), self._loop)
        running = asyncio.wrap_future(future)
        self._running.add(running)
        try:
            await asyncio.wait({running}, timeout=time_limit)
        finally:
            self._running.discard(running)
            is_late = not running.done()
            running.cancel()
        return _result(operation, future, time_limit if is_late else None)

    def renew(self) -> None:
        """Nothing to do: a body is a function of this process, and is new when its namespace is."""

    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds, cancels the rest, and ends the thread."""
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=grace)
            for running in late:
                running.cancel()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, _ENDING)

    async def _perform(self, step: RunBody) -> Result:
        """Runs in the loop of the bodies."""
        task = asyncio.current_task()
        assert task is not None
        self._bodies.add(task)
        try:
            return await step.perform_async()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # sys.exit() in a body must not end the loop
            return None, RuntimeError(f"{step.context.operation} was left by {describe_error(error)}")
        finally:
            self._bodies.discard(task)

    def _turn(self) -> None:
        """The thread: runs the loop until it is stopped, and then lets the remaining tasks end."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_ENDING / 2))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


def _result(operation: str, future: Future[Result], time_limit: float | None) -> Result:
    """The outcome of a body; ``time_limit`` in seconds if it did not end in time."""
    if time_limit is not None:
        return None, TimeLimitError(f"{operation} was cancelled at its time limit of {time_limit} s")
    if future.cancelled():
        return None, WorkerLostError(f"{operation} was cancelled, since its worker stops")
    return future.result()

"""An event loop in a thread of its own, for coroutines of plugins: one that blocks holds up its plugin alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar

from rave_core.errors import TimeLimitError, describe_error
from rave_http.executors.executor import BusyError
from rave_http.executors.foreign_code import LeftError

T = TypeVar("T")


class _End:
    """Marks the end of an iterator."""


_END: Final = _End()


class LoopThread:
    """Runs coroutines of one owner in a thread, for the event loop of a worker. Its thread starts with the first."""

    def __init__(self, owner: str, *, seconds: float) -> None:
        """Limits each coroutine to ``seconds``; ``owner`` is whose they are, for messages."""
        self._owner = owner
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns. It is cancelled at the time limit, and when the caller is.

        Raises:
            Exception: whatever the coroutine raises.
            LeftError: it raised what would end more than the call; see `foreign_code.contained`.
            TimeLimitError: it took too long, or another coroutine blocks the thread.
            BusyError: the thread is closed, or can't start.
        """
        contained = _contained(coroutine)
        try:
            future = asyncio.run_coroutine_threadsafe(contained, self._running())
        except BaseException:
            contained.close()
            coroutine.close()
            raise
        running = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({running}, timeout=self._seconds)
        if done:
            return running.result()
        future.cancel()
        raise TimeLimitError(f"code of {self._owner} took longer than {self._seconds:g} s")

    async def iterate(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """What an asynchronous iterator of the thread yields, one at a time."""
        try:
            while True:
                found = await self.run(_next(source))
                if isinstance(found, _End):
                    return
                yield found
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await self.run(close())

    def close(self) -> None:
        """Stops the loop; what still runs in it is given up with the process."""
        self._is_closed = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._is_closed:
            raise BusyError("this worker is stopping")
        if self._loop is None:
            loop = asyncio.new_event_loop()
            try:
                threading.Thread(target=_live, args=(loop,), name=f"rave {self._owner}", daemon=True).start()
            except RuntimeError as error:  # no more threads
                loop.close()
                raise BusyError(f"no thread could be started: {error}") from error
            self._loop = loop
        return self._loop


def _live(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        raise LeftError(describe_error(error)) from error


async def _next(source: AsyncIterator[T]) -> T | _End:
    try:
        return await anext(source)
    except StopAsyncIteration:
        return _END

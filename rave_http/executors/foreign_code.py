"""Third-party code other than bodies: converters, strategies, codecs, renderers, callables of the statistics.

It runs in separate threads, for a limited time. Code that never ends costs its caller that time, and its owner one of a
few threads. It takes no threads from other requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from rave_core.errors import RaveError, TimeLimitError, describe_error
from rave_http.executors.executor import BusyError
from rave_http.executors.threads import ThreadWorkers

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE: Final = 60.0
"""Seconds that a call may take by default."""

_THREADS: Final = 256
_OF_ONE_OWNER: Final = 8


class LeftError(RaveError, RuntimeError):
    """The code raised an exception that is meant for the whole program, such as `SystemExit`."""


def contained(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns. What would end more than the call becomes a `LeftError`.

    `SystemExit` and `KeyboardInterrupt` would stop the event loop that waits for the call, `CancelledError` would look
    like the end of the request, and a future can't hold a `StopIteration`: the loop would wait forever.

    Raises:
        LeftError: the function raised one of these, or another exception that is not an `Exception`.
    """
    try:
        return function(*args, **kwargs)
    except (StopIteration, StopAsyncIteration) as error:
        raise LeftError(describe_error(error)) from error
    except Exception:
        raise
    except BaseException as error:
        raise LeftError(describe_error(error)) from error


class ContainedThreads(ThreadPoolExecutor):
    """A pool of threads whose functions are `contained`."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `ThreadPoolExecutor.submit`."""
        return super().submit(contained, fn, *args, **kwargs)


class ForeignCode:
    """Calls third-party code for the event loop of one worker. For that loop alone."""

    def __init__(self, *, seconds: float = PATIENCE) -> None:
        """Limits each call to ``seconds``."""
        self._seconds = seconds
        self._threads = ThreadWorkers("rave-foreign", _THREADS)
        self._places: dict[str, asyncio.Semaphore] = {}
        self._late: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    async def call(self, owner: str, function: Callable[..., T], *args: object) -> T:
        """What the function returns, in a thread that has the context variables of this task.

        Args:
            owner: the name of the operation that owns the code. A few of its calls run at once; others wait for them.
            function: what is called.
            args: for it.

        Raises:
            Exception: whatever the function raises.
            LeftError: see `contained`.
            TimeLimitError: it took too long; it runs on.
            BusyError: earlier calls of the same owner do not end.
        """
        return await self.call_within(self._seconds, owner, function, *args)

    async def call_within(self, seconds: float | None, owner: str, function: Callable[..., T], *args: object) -> T:
        """As `call`, for up to ``seconds``; ``None`` for as long as it takes."""
        self._users[owner] += 1
        try:
            return await self._call_within(seconds, owner, function, *args)
        finally:
            self._leave(owner)

    async def _call_within(self, seconds: float | None, owner: str, function: Callable[..., T], *args: object) -> T:
        place = await self._place(seconds, owner)
        try:
            future = self._threads.start(partial(contextvars.copy_context().run, contained, function, *args))
        except BaseException:
            place.release()
            raise
        running = asyncio.wrap_future(future)
        try:
            done, _ = await asyncio.wait({running}, timeout=seconds)
        finally:
            if future.done():
                place.release()
            else:
                self._give_up(owner, place, future)
        if done:
            return running.result()
        running.cancel()
        raise TimeLimitError(f"code of {owner} took longer than {seconds:g} s")

    def close(self) -> None:
        """Ends each thread as soon as it is idle."""
        self._threads.dismiss()

    def _leave(self, owner: str) -> None:
        """Forgets an owner that has no calls any more: clients are owners too, and there may be any number of them."""
        self._users[owner] -= 1
        if not self._users[owner]:
            for each in (self._users, self._late, self._places):
                each.pop(owner, None)

    async def _place(self, seconds: float | None, owner: str) -> asyncio.Semaphore:
        place = self._places.setdefault(owner, asyncio.Semaphore(_OF_ONE_OWNER))
        try:
            async with asyncio.timeout(seconds if self._late[owner] < _OF_ONE_OWNER else 0.0):
                await place.acquire()
        except TimeoutError:
            raise BusyError(f"{_OF_ONE_OWNER} calls of code of {owner} have not returned") from None
        return place

    def _give_up(self, owner: str, place: asyncio.Semaphore, future: Future[Any]) -> None:
        """Abandons a call. Its place becomes free when the call ends."""
        loop = asyncio.get_running_loop()
        self._late[owner] += 1
        self._users[owner] += 1

        def came_back() -> None:
            self._late[owner] -= 1
            place.release()
            self._leave(owner)

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                loop.call_soon_threadsafe(came_back)

        future.add_done_callback(tell)


class TimedCalls:
    """Calls functions that report a value, each for a moment only. Safe for many threads."""

    def __init__(self, *, seconds: float = 0.3) -> None:
        """Limits each call to ``seconds``."""
        self._seconds = seconds
        self._threads = ThreadWorkers("rave-cell", _THREADS)
        self._lock = threading.Lock()
        self._late: dict[int, tuple[Future[Any], object]] = {}

    def __call__(self, function: Callable[[Any], Any], scope: object) -> Any:
        """What the function returns for ``scope``. A function whose last call has not ended is not called again.

        Raises:
            Exception: whatever the function raises.
            LeftError: see `contained`.
            TimeLimitError: it took too long, or has not ended yet.
            BusyError: no thread is free for it.
        """
        name = getattr(function, "__func__", function)  # a bound method is a new object each time
        with self._lock:
            late = self._late.get(id(name))
            if late is not None and not late[0].done():
                raise TimeLimitError("its last call has not returned")
            self._late.pop(id(name), None)
        future = self._threads.start(partial(contained, function, scope))
        if not wait_for([future], timeout=self._seconds).done:
            with self._lock:
                self._late[id(name)] = future, name  # with the object, so that no other gets its ID
            raise TimeLimitError(f"it took longer than {self._seconds:g} s")
        return future.result()

    def close(self) -> None:
        """Ends each thread as soon as it is idle."""
        self._threads.dismiss()

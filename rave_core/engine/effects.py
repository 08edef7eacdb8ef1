"""The steps of the data path, and two ways to run it: in a thread and in an event loop."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from rave_core.clock import Clock
from rave_core.engine.context import ExecutionContext, current
from rave_core.engine.single_flight import FlightResult, SingleFlight
from rave_core.engine.stack import in_fresh_thread, is_nearly_full
from rave_core.model import Call

T = TypeVar("T")

_SHALLOW, _DEEPEST = 8, 4000
"""Depths of nested computations: the first fits any stack, so it is not checked; the second is a runaway recursion."""


class Effect(ABC):
    """One step of the path; its result is sent back into the path."""

    __slots__ = ()

    @abstractmethod
    def perform(self) -> Any:
        """Performs the effect in this thread."""

    @abstractmethod
    async def perform_async(self) -> Any:
        """Performs the effect without blocking the event loop."""


Effects: TypeAlias = Generator[Effect, Any, T]


@dataclass(slots=True, eq=False)
class Blocking(Effect):
    """Calls ``function``; in a thread of its own if it is ``blocking``, because it may then wait for a store."""

    blocking: bool
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()

    def perform(self) -> Any:
        """Gives what the function returns."""
        return self.function(*self.args)

    async def perform_async(self) -> Any:
        """Gives what the function returns."""
        import asyncio  # only here: programs without an event loop have no use for it

        if self.blocking:
            return await asyncio.to_thread(self.function, *self.args)
        return self.function(*self.args)


@dataclass(slots=True, eq=False)
class Foreign(Blocking):
    """Calls a ``function`` that runs the operation author's code: a strategy, or a codec for one of their classes."""


@dataclass(slots=True, eq=False)
class Acquire(Effect):
    """Calls ``function`` as `Blocking` does. If nobody waits for the result any more, ``give_back`` takes it.

    A thread can't be cancelled with the task that waits for it.
    """

    blocking: bool
    function: Callable[..., Any]
    args: tuple[Any, ...]
    give_back: Callable[[Any], object]

    def perform(self) -> Any:
        """Gives what the function returns."""
        return self.function(*self.args)

    async def perform_async(self) -> Any:
        """Gives what the function returns."""
        import asyncio  # only here: programs without an event loop have no use for it

        if not self.blocking:
            return self.function(*self.args)
        taken: Future[Any] = Future()
        try:
            await asyncio.to_thread(self._take, taken)
        except asyncio.CancelledError:
            if not taken.cancel():
                self.give_back(taken.result())
            raise
        return taken.result()

    def _take(self, taken: Future[Any]) -> None:
        answer = self.function(*self.args)
        try:
            taken.set_result(answer)
        except InvalidStateError:
            self.give_back(answer)


_UNCOUNTED: Final = contextlib.nullcontext()
_CALLS: Final = frozenset((Blocking, Foreign, Acquire))
"""The effects that only call their function."""


@dataclass(slots=True, eq=False)
class Wait(Effect):
    """Waits for a flight to land; gives its `FlightResult`."""

    flight: SingleFlight

    def perform(self) -> FlightResult | None:
        """Gives how the flight landed.

        A flight led by this very thread can't land while the thread waits: a signal handler asked, or code in an
        event loop. The caller then computes without the flight.
        """
        if self.flight.thread == threading.get_ident():
            return FlightResult(unkept=True)
        landed = threading.Event()
        self.flight.when_landed(landed.set)
        landed.wait()
        return self.flight.flight_result

    async def perform_async(self) -> FlightResult | None:
        """Gives how the flight landed."""
        import asyncio  # only here: programs without an event loop have no use for it

        loop = asyncio.get_running_loop()
        landed = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                loop.call_soon_threadsafe(landed.set)

        self.flight.when_landed(wake)
        await landed.wait()
        return self.flight.flight_result


@dataclass(slots=True, eq=False)
class Sleep(Effect):
    """Waits for ``seconds``."""

    clock: Clock
    seconds: float

    def perform(self) -> None:
        """Returns afterwards."""
        self.clock.wait(threading.Event(), self.seconds)

    async def perform_async(self) -> None:
        """Returns afterwards."""
        import asyncio  # only here: programs without an event loop have no use for it

        await asyncio.sleep(self.seconds)


@dataclass(slots=True, eq=False)
class RunBody(Effect):
    """Runs an operation's body in a context of its own; gives its result, and its exception or ``None``.

    Attributes:
        call: the call that it answers.
        function: the body, or what a plugin's ``rave_compute`` substituted for it.
        args, kwargs: the call's arguments, including the output path of a file operation.
        context: what surrounds the calls that the body makes.
    """

    call: Call
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    context: ExecutionContext

    def perform(self) -> tuple[Any, Exception | None]:
        """Gives what the body returned, and its exception.

        If this thread's stack is nearly used up, the body runs in a new thread with a full stack of its own.
        """
        if _SHALLOW < self.context.depth < _DEEPEST and is_nearly_full():
            answer: tuple[Any, Exception | None] = in_fresh_thread(self._perform)
            return answer
        return self._perform()

    def _perform(self) -> tuple[Any, Exception | None]:
        token = current.set(self.context)
        try:
            with self._counted():
                return self.function(*self.args, **self.kwargs), None
        except Exception as error:  # noqa: BLE001  # whatever the body raises goes to its caller, unchanged
            return None, error
        finally:
            current.reset(token)

    async def perform_async(self) -> tuple[Any, Exception | None]:
        """Gives what the body's coroutine returned, and its exception.

        If the stack is nearly used up, the body runs in a task of its own, which the event loop gives a full stack.
        """
        if _SHALLOW < self.context.depth < _DEEPEST and is_nearly_full():
            import asyncio  # only here: programs without an event loop have no use for it

            return await asyncio.create_task(self._perform_async())
        return await self._perform_async()

    async def _perform_async(self) -> tuple[Any, Exception | None]:
        token = current.set(self.context)
        try:
            with self._counted():
                return await self.function(*self.args, **self.kwargs), None
        except Exception as error:  # noqa: BLE001  # whatever the body raises goes to its caller, unchanged
            return None, error
        finally:
            current.reset(token)

    def _counted(self) -> AbstractContextManager[None]:
        cancellation = self.context.cancellation
        return _UNCOUNTED if cancellation is None else cancellation.running()


def run(path: Effects[T]) -> T:
    """Follows a path to its end in this thread; gives its result."""
    try:
        effect = next(path)
        while True:
            try:
                # Calls the store from here: that saves one frame compared to `perform`.
                is_call = type(effect) in _CALLS
                answer = effect.function(*effect.args) if is_call else effect.perform()  # type: ignore[attr-defined]  # seen
            except BaseException as error:  # noqa: BLE001  # the path must clean up after itself, whatever happened
                effect = path.throw(error)
            else:
                effect = path.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # a generator's value is not typed


Runner: TypeAlias = Callable[[RunBody], Awaitable[tuple[Any, Exception | None]]]
"""Runs a body outside the task that walks the path."""


Caller: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a function with its arguments outside the event loop."""


async def run_async(path: Effects[T], run: Runner | None = None, foreign: Caller | None = None) -> T:
    """Walks a path to its end in this task; gives its result. Cancelling the task lets the path clean up.

    Args:
        path: the path.
        run: runs the bodies; without it they are coroutine functions and run in this task.
        foreign: performs `Foreign` effects; without it they are called like other functions.
    """
    try:
        effect = next(path)
        while True:
            try:
                if run is not None and isinstance(effect, RunBody):
                    answer = await run(effect)
                elif foreign is not None and isinstance(effect, Foreign):
                    answer = await foreign(effect.function, *effect.args)
                else:
                    answer = await effect.perform_async()
            except BaseException as error:  # noqa: BLE001  # the path must clean up after itself, whatever happened
                effect = path.throw(error)
            else:
                effect = path.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # a generator's value is not typed

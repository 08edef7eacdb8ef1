"""The operation whose body is a coroutine function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from rave_core.engine.context import ExecutionContext
from rave_core.model import Call, OperationSpec, Options, Outcome
from rave_core.operations.operation import BoundOperation, Operation
from rave_core.operations.pickling import Build
from rave_core.runtime.runtime import current_context, runtime_of

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")


class AsyncOperation(Operation[P, Coroutine[Any, Any, R]], Generic[P, R]):
    """An operation whose body is a coroutine function: calling it returns a coroutine, as the function does."""

    def __init__(self, spec: OperationSpec, build: Build) -> None:
        super().__init__(spec, build)
        _mark_as_coroutine_function(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """A coroutine that answers the call; see `Operation`."""
        return _value_of(cast("Any", self._resolve(current_context(), args, kwargs)))

    def resolve(  # type: ignore[override]  # of a coroutine function it is a coroutine, as the call is
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Outcome[R]]:
        """A coroutine that gives the `Outcome`."""
        return cast("Coroutine[Any, Any, Outcome[R]]", self._resolve(current_context(), args, kwargs))

    if TYPE_CHECKING:

        @overload  # type: ignore[override]  # what is bound is to be awaited
        def __get__(self, instance: None, owner: type | None = None) -> Self: ...

        @overload
        def __get__(
            self: AsyncOperation[Concatenate[Any, Q], R], instance: object, owner: type | None = None
        ) -> BoundAsyncOperation[Q, R]: ...

        def __get__(self, instance: object, owner: type | None = None) -> Any: ...

    def answering(self, options: Options) -> Callable[P, Coroutine[Any, Any, R]]:
        """The operation with these options."""

        def answer(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return _value_of(cast("Any", self._resolve(current_context(), args, kwargs, options)))

        return answer

    def _answer_in_time(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext
    ) -> Any:
        from rave_core.operations.time_limits import awaited_within, limit_of

        seconds, others = limit_of(options, resolved.name)
        return awaited_within(seconds, resolved.name, partial(self._answer, resolved, call, others), context)

    async def _answer(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext
    ) -> Any:
        runtime = runtime_of(context)
        started = runtime.clock.monotonic()
        outcome = await runtime.container.engine.resolve_async(resolved, call, options, context)
        if runtime.observed:
            seconds = runtime.clock.monotonic() - started
            runtime.diagnostics.observe("rave_called", call=call, outcome=outcome, seconds=seconds)
        return outcome


class BoundAsyncOperation(BoundOperation[P, Coroutine[Any, Any, R]], Generic[P, R]):
    """A method that is a coroutine function."""

    if TYPE_CHECKING:

        def resolve(  # type: ignore[override]  # as above
            self, /, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, Outcome[R]]:
            """As `AsyncOperation.resolve`."""


def _mark_as_coroutine_function(operation: Any) -> None:
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(operation)
        return
    from asyncio import coroutines  # before Python 3.12 this was asyncio's own mark

    operation._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # not in its stubs


async def _value_of(outcome: Awaitable[Outcome[R]]) -> R:
    return (await outcome).value

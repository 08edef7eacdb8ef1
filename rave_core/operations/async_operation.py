"""The operation whose body is a coroutine function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from rave_core.engine.context import ExecutionContext
from rave_core.engine.execution import ResolvedOperation
from rave_core.model import Call, OperationSpec, Options, Outcome
from rave_core.operations.operation import Build, Operation
from rave_core.runtime.runtime import current_context, runtime_of

P = ParamSpec("P")
R = TypeVar("R")


class AsyncOperation(Operation[P, R]):
    """An operation whose body is a coroutine function: calling it gives a coroutine, as the function would."""

    def __init__(self, spec: OperationSpec, build: Build) -> None:
        super().__init__(spec, build)
        _mark_as_coroutine_function(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """A coroutine that answers the call; see `Operation`."""
        return _value_of(cast("Any", self._resolve(current_context(), args, kwargs)))

    def resolve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """A coroutine that gives the `Outcome`."""
        return self._resolve(current_context(), args, kwargs)

    def answering(self, options: Options) -> Callable[P, Any]:
        """The operation with these options."""

        def answer(*args: P.args, **kwargs: P.kwargs) -> Any:
            return _value_of(cast("Any", self._resolve(current_context(), args, kwargs, options)))

        return answer

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


def _mark_as_coroutine_function(operation: Any) -> None:
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(operation)
        return
    from asyncio import coroutines  # before Python 3.12 this was asyncio's own mark

    operation._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # not in its stubs


async def _value_of(outcome: Awaitable[Outcome[R]]) -> R:
    return (await outcome).value

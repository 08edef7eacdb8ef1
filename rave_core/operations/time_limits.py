"""``rave_timeout``: how long a caller waits for an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from rave_core.clock import Clock
from rave_core.engine.context import ExecutionContext, carry
from rave_core.errors import OptionError, TimeLimitError
from rave_core.model import PLAIN, Options
from rave_core.text.durations import parse_duration

R = TypeVar("R")

_late: set[asyncio.Future[Any]] = set()
"""Computations that nobody waits for any more; an event loop keeps only weak references to its tasks."""


def limit_of(options: Options, name: str) -> tuple[float, Options]:
    """Seconds that the caller of operation ``name`` waits, and the other options.

    Raises:
        OptionError: the timeout is no duration, or not more than 0.
    """
    try:
        seconds = parse_duration(options.timeout)  # type: ignore[arg-type]  # which refuses what is no duration
    except (ValueError, TypeError) as error:
        raise OptionError(f"{name}: rave_timeout={options.timeout!r}: {error}") from error
    if not seconds:
        raise OptionError(f"{name}: rave_timeout={options.timeout!r}: expected more than 0 seconds")
    others = replace(options, timeout=None)
    return seconds, PLAIN if others == PLAIN else others


def answered_within(
    seconds: float, name: str, clock: Clock, answer: Callable[[ExecutionContext], R], context: ExecutionContext
) -> R:
    """What ``answer`` returns within the time; it runs in a thread of its own, and goes on if it is late.

    Raises:
        TimeLimitError: it takes longer.
        Exception: whatever ``answer`` raises in time.
    """
    own, given, is_done = _apart(context), Future[R](), threading.Event()

    def run() -> None:
        try:
            given.set_result(answer(own))
        except BaseException as error:  # noqa: BLE001  # the caller gets it, whatever it is
            given.set_exception(error)
        is_done.set()

    threading.Thread(target=carry(run), name=f"rave {name}", daemon=True).start()
    if not clock.wait(is_done, seconds):
        raise _late_error(name, seconds)
    _join(context, own)
    return given.result()


async def awaited_within(
    seconds: float, name: str, answer: Callable[[ExecutionContext], Awaitable[R]], context: ExecutionContext
) -> R:
    """As `answered_within`, for a coroutine: it goes on as a task if it is late."""
    own = _apart(context)
    task = asyncio.ensure_future(answer(own))
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        _late.add(task)
        task.add_done_callback(_forget)
        raise _late_error(name, seconds)
    _join(context, own)
    return task.result()


def _apart(context: ExecutionContext) -> ExecutionContext:
    """A context for a computation that may outlive the one around it, which it must not change then."""
    if not context.is_computing:
        return context
    return ExecutionContext(
        context.runtime, parent=context, key=context.key, operation=context.operation, deep=context.deep
    )


def _join(context: ExecutionContext, own: ExecutionContext) -> None:
    """Notes what was asked for in time as a dependency of the surrounding computation."""
    if own is not context:
        context.children.update(own.children)


def _forget(task: asyncio.Future[Any]) -> None:
    _late.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it: asyncio would log it as never retrieved


def _late_error(name: str, seconds: float) -> TimeLimitError:
    return TimeLimitError(
        f"{name}: no answer within rave_timeout={seconds:g} s; it goes on, and its result is stored for later calls"
    )

"""The executor ``threads``, and what every executor promises."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rave_core import Runtime, Settings, op
from rave_core.engine.context import ExecutionContext, current
from rave_core.engine.effects import RunBody
from rave_core.errors import TimeLimitError
from rave_http.executors import BusyError, ExecutorContext, WorkerLostError
from rave_http.executors.builtin import BUILTIN
from rave_http.executors.threads import ThreadExecutor
from rave_http.protocol.tracing import current_trace, traceparent
from rave_http.settings import ServiceSettings


@pytest.fixture
def step(runtime: Runtime) -> Callable[..., RunBody]:
    """Makes the step that runs a function as an operation's body."""

    def make(function: Callable[..., Any], *args: Any) -> RunBody:
        operation = op(name=f"tests/{function.__name__}", version=1)(function)
        call = operation.bind(*args)
        context = ExecutionContext(runtime, parent=runtime.context, operation=operation.resolved().name)
        return RunBody(call, function, call.args, call.kwargs, context)

    return make


async def reached(condition: Callable[[], Any], what: str) -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within 60 s"
        await asyncio.sleep(0.005)


def in_threads(scenario: Callable[[ThreadExecutor], Awaitable[Any]], slots: int = 2) -> Any:
    """Plays a scenario with an executor, which is closed at its end."""

    async def play() -> Any:
        executor = ThreadExecutor(slots)
        try:
            return await scenario(executor)
        finally:
            await executor.close(0)

    return asyncio.run(play())


def test_a_body_runs_in_a_named_thread_and_in_its_scope(step: Callable[..., RunBody]) -> None:
    """What it returns comes back, with no exception."""

    def body(n: int) -> Any:
        return n + 1, threading.current_thread().name, current.get()

    run = step(body, 1)
    (value, name, context), error = in_threads(lambda executor: executor.run(run, time_limit=None))
    assert (value, context, error) == (2, run.context, None)
    assert name.startswith("rave-body-")


def test_an_exception_of_a_body_comes_back_unchanged(step: Callable[..., RunBody]) -> None:
    """It is the very object."""
    raised = KeyError("its own")

    def body() -> None:
        raise raised

    value, error = in_threads(lambda executor: executor.run(step(body), time_limit=None))
    assert value is None
    assert error is raised


@pytest.mark.parametrize("left", [SystemExit(3), KeyboardInterrupt()])
def test_a_body_that_ends_the_program_ends_only_itself(step: Callable[..., RunBody], left: BaseException) -> None:
    """It is a failure, which names what was raised."""

    def body() -> None:
        raise left

    async def scenario(executor: ThreadExecutor) -> Any:
        await executor.run(step(body), time_limit=None)
        return await executor.run(step(body), time_limit=None)

    value, error = in_threads(scenario)
    assert value is None
    assert isinstance(error, RuntimeError)
    assert type(left).__name__ in str(error)


def test_a_coroutine_function_runs_in_a_loop_of_its_own(step: Callable[..., RunBody]) -> None:
    """The service's own loop is not held up by it."""

    async def body() -> Any:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def scenario(executor: ThreadExecutor) -> Any:
        return await executor.run(step(body), time_limit=5), asyncio.get_running_loop()

    (loop, error), own = in_threads(scenario)
    assert error is None
    assert loop is not own


def test_a_body_sees_the_trace_of_its_request(step: Callable[..., RunBody]) -> None:
    """The context variables of the task that asks are the body's, too."""

    def body() -> str:
        return traceparent()

    async def scenario(executor: ThreadExecutor) -> Any:
        current_trace.set("00-trace")
        return await executor.run(step(body), time_limit=None)

    assert in_threads(scenario) == ("00-trace", None)


def test_a_body_at_its_time_limit_is_given_up_and_its_place_is_not_lost(
    step: Callable[..., RunBody], caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread can't be ended, so another takes its place; it is counted and logged until it comes to its end."""
    gate = threading.Event()

    def body() -> None:
        gate.wait()

    async def scenario(executor: ThreadExecutor) -> Any:
        with caplog.at_level(logging.WARNING, "rave.http"):
            value, error = await executor.run(step(body), time_limit=0.05)
        assert value is None
        assert isinstance(error, TimeLimitError)
        assert str(error) == "tests/body took longer than its time limit of 0.05 s"
        assert executor.abandoned == 1
        assert "tests/body was abandoned" in caplog.text
        assert (await executor.run(step(lambda: 7), time_limit=None)) == (7, None)
        gate.set()
        await reached(lambda: executor.abandoned == 0, "the end of the body")

    in_threads(scenario, slots=1)


def test_too_many_bodies_that_were_given_up_leave_no_room(step: Callable[..., RunBody]) -> None:
    """There are at most four threads for each slot; when one comes back there is room again."""
    gate = threading.Event()

    def body() -> None:
        gate.wait()

    async def scenario(executor: ThreadExecutor) -> Any:
        for _ in range(4):
            _, error = await executor.run(step(body), time_limit=0.01)
            assert isinstance(error, TimeLimitError)
        _, error = await executor.run(step(body), time_limit=0.01)
        assert isinstance(error, BusyError)
        gate.set()
        await reached(lambda: executor.abandoned == 0, "the end of the bodies")
        assert (await executor.run(step(lambda: 7), time_limit=None)) == (7, None)

    in_threads(scenario, slots=1)


def test_a_coroutine_at_its_time_limit_is_cancelled(step: Callable[..., RunBody]) -> None:
    """So its thread comes back at once."""
    cancelled = threading.Event()

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def scenario(executor: ThreadExecutor) -> Any:
        _, error = await executor.run(step(body), time_limit=0.05)
        assert isinstance(error, TimeLimitError)
        await reached(lambda: cancelled.is_set() and executor.abandoned == 0, "the end of the coroutine")

    in_threads(scenario)


def test_cancelling_whoever_waits_keeps_count_of_the_thread(step: Callable[..., RunBody]) -> None:
    """The body runs on, its result is dropped, and its thread does the next job."""
    gate, began = threading.Event(), threading.Event()

    def body() -> int:
        began.set()
        gate.wait()
        return threading.get_ident()

    async def scenario(executor: ThreadExecutor) -> Any:
        asked = asyncio.create_task(executor.run(step(body), time_limit=None))
        await reached(began.is_set, "the start of the body")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert executor.abandoned == 1
        gate.set()
        await reached(lambda: executor.abandoned == 0, "the end of the body")
        threads = {(await executor.run(step(body), time_limit=None))[0] for _ in range(20)}
        assert len(threads) == 1

    in_threads(scenario)


def test_closing_lets_bodies_finish_and_gives_up_those_that_do_not(step: Callable[..., RunBody]) -> None:
    """Whoever waits for one of these hears of it, and nothing new is taken."""
    gate, stuck = threading.Event(), threading.Event()

    def quick() -> str:
        gate.wait()
        return "done"

    def slow() -> None:
        stuck.wait()

    async def scenario(executor: ThreadExecutor) -> Any:
        first = asyncio.create_task(executor.run(step(quick), time_limit=None))
        second = asyncio.create_task(executor.run(step(slow), time_limit=None))
        await asyncio.sleep(0)
        closing = asyncio.create_task(executor.close(0.3))
        gate.set()
        assert await first == ("done", None)
        await closing
        _, error = await second
        assert isinstance(error, WorkerLostError)
        _, error = await executor.run(step(quick), time_limit=None)
        assert isinstance(error, BusyError)
        stuck.set()

    in_threads(scenario)


def test_a_body_that_never_ends_does_not_keep_its_process_from_ending() -> None:
    """The threads are daemons."""
    program = """
import asyncio
from rave_core import Runtime, op
from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_http.executors.threads import ThreadExecutor

@op
def forever():
    while True: pass

async def main():
    runtime, call = Runtime(), forever.bind()
    context = ExecutionContext(runtime, parent=runtime.context, operation="forever")
    executor = ThreadExecutor(1)
    print(await executor.run(RunBody(call, forever.function, (), {}, context), time_limit=0.05))
    await executor.close(0.1)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "TimeLimitError" in done.stdout


def test_the_executors_that_come_along_are_made_from_settings() -> None:
    """Each has its name and as many slots as the settings say; neither starts anything yet."""
    service = ServiceSettings(threads=3, processes=4)
    context = ExecutorContext(Settings(), service, {})
    before = threading.active_count()
    made = {name: factory(context) for name, factory in BUILTIN.items()}
    assert {name: (each.name, each.slots) for name, each in made.items()} == {
        "threads": ("threads", 3),
        "processes": ("processes", 4),
    }
    assert threading.active_count() == before

"""The executor ``coroutines``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rave_web.coroutines import CoroutineExecutor

from rave_core import Runtime, Settings, op, using
from rave_core.engine.context import current
from rave_core.errors import ConfigurationError, TimeLimitError
from rave_http.executors import BusyError, ExecutionContext, RunBody, WorkerLostError


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """Where the bodies' calls go."""
    with Runtime(Settings(cache=f"file://{tmp_path}/data")) as opened, using(opened):
        yield opened


@pytest.fixture
def step(runtime: Runtime) -> Callable[..., RunBody]:
    """Makes the step that runs a function as an operation's body."""

    def make(function: Callable[..., Any], *args: Any) -> RunBody:
        operation = op(name=f"tests/{function.__name__}", version=1)(function)
        call = operation.bind(*args)
        return RunBody(
            call,
            function,
            call.args,
            call.kwargs,
            ExecutionContext(runtime, parent=runtime.context, operation="tests/body"),
        )

    return make


def play(scenario: Callable[[CoroutineExecutor], Awaitable[Any]], slots: int = 3) -> Any:
    """Plays a scenario with an executor, which is closed at its end."""

    async def run() -> Any:
        executor = CoroutineExecutor(slots)
        try:
            return await scenario(executor)
        finally:
            await executor.close(0)

    return asyncio.run(run())


def test_a_body_runs_in_another_loop_and_in_its_scope(step: Callable[..., RunBody]) -> None:
    """What it returns comes back, with no exception."""

    async def body(n: int) -> Any:
        await asyncio.sleep(0)
        return n + 1, asyncio.get_running_loop(), current.get()

    async def scenario(executor: CoroutineExecutor) -> Any:
        return asyncio.get_running_loop(), await executor.run(run, time_limit=5)

    run = step(body, 1)
    own, ((value, loop, context), error) = play(scenario)
    assert (value, context, error) == (2, run.context, None)
    assert loop is not own


def test_an_exception_of_a_body_comes_back_unchanged(step: Callable[..., RunBody]) -> None:
    """It is the very object."""
    raised = KeyError("its own")

    async def body() -> None:
        raise raised

    assert play(lambda executor: executor.run(step(body), time_limit=None)) == (None, raised)


def test_a_body_that_ends_the_program_ends_only_itself(step: Callable[..., RunBody]) -> None:
    """It is a failure, which names what was raised; the next one runs."""

    async def leave() -> None:
        raise SystemExit(3)

    async def stay() -> str:
        return "here"

    async def scenario(executor: CoroutineExecutor) -> Any:
        _, error = await executor.run(step(leave), time_limit=None)
        return error, await executor.run(step(stay), time_limit=None)

    error, after = play(scenario)
    assert isinstance(error, RuntimeError)
    assert "SystemExit" in str(error)
    assert after == ("here", None)


def test_a_body_that_is_no_coroutine_function_is_refused(step: Callable[..., RunBody]) -> None:
    """It would hold up all others; the message says what to do."""

    def body() -> None:
        raise AssertionError("it ran")

    value, error = play(lambda executor: executor.run(step(body), time_limit=None))
    assert value is None
    assert isinstance(error, ConfigurationError)
    assert "async def" in str(error)


def test_a_body_at_its_time_limit_is_cancelled(step: Callable[..., RunBody]) -> None:
    """It cleans up after itself, and counts no more."""
    cleaned = []

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(1)

    async def scenario(executor: CoroutineExecutor) -> Any:
        result = await executor.run(step(body), time_limit=0.05)
        await _until(lambda: cleaned and not executor._bodies)
        return result

    value, error = play(scenario)
    assert value is None
    assert isinstance(error, TimeLimitError)


def test_a_body_whose_caller_is_gone_is_cancelled(step: Callable[..., RunBody]) -> None:
    """Nobody would take what it gives."""
    seen: list[str] = []

    async def body() -> None:
        seen.append("began")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def scenario(executor: CoroutineExecutor) -> None:
        task = asyncio.create_task(executor.run(step(body), time_limit=None))
        await _until(lambda: "began" in seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(lambda: "cancelled" in seen)

    play(scenario)


def test_bodies_that_can_not_be_cancelled_use_up_the_room(step: Callable[..., RunBody]) -> None:
    """Then a further one is refused; when they come to their end, there is room again."""
    gate: list[int] = []

    async def stubborn() -> None:
        while not gate:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    async def scenario(executor: CoroutineExecutor) -> Any:
        for _ in range(4):
            await executor.run(step(stubborn), time_limit=0.05)
        refused = await executor.run(step(stubborn), time_limit=0.05)
        gate.append(1)
        await _until(lambda: not executor._bodies)
        return refused, await executor.run(step(stubborn), time_limit=5)

    (value, error), after = play(scenario, slots=1)
    assert value is None
    assert isinstance(error, BusyError)
    assert after == (None, None)


def test_closing_waits_for_the_time_of_grace_and_cancels_the_rest(step: Callable[..., RunBody]) -> None:
    """Who waits hears that the worker stops; the thread is gone afterwards."""

    async def body(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def scenario() -> Any:
        executor = CoroutineExecutor(2)
        runs = [asyncio.create_task(executor.run(step(body, each), time_limit=None)) for each in (0.1, 60.0)]
        await _until(lambda: len(executor._bodies) == 2)
        await executor.close(1.0)
        return executor, [await run for run in runs]

    executor, [short, long] = asyncio.run(scenario())
    assert short == (0.1, None)
    assert isinstance(long[1], WorkerLostError)
    assert not executor._thread.is_alive()
    assert executor._loop.is_closed()


async def _until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_many_bodies_of_a_service_wait_side_by_side(service: Any) -> None:
    """Forty that wait for one another, in one worker with five threads; then those that find them there."""
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda n: service.get(f"/lab/nap?n={n}"), range(80)))
    assert [answer.json() for answer in answers] == list(range(80))


def test_the_service_tells_the_time_limit_and_the_refusal(service: Any) -> None:
    """As problems."""
    late = service.get("/lab/sleep?seconds=30")
    assert (late.status_code, late.json()["type"]) == (504, "/-/problems/time-limit")
    plain = service.get("/lab/plain?n=1")
    assert (plain.status_code, plain.json()["type"]) == (500, "/-/problems/operation-failed")
    assert "async def" in plain.json()["detail"]

"""Code of others costs its caller, and nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rave_core.errors import TimeLimitError
from rave_http.executors import BusyError
from rave_http.executors.foreign_code import ContainedThreads, ForeignCode, LeftError, TimedCalls

ENDINGS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), StopIteration()]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What never ends waits for it; it opens at the test's end."""
    event = threading.Event()
    yield event
    event.set()


def leave(error: BaseException) -> None:
    """Raises it."""
    raise error


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda error: type(error).__name__)
def test_an_exception_for_the_whole_program_ends_the_call_alone(ending: BaseException) -> None:
    """The loop goes on, and the caller gets an ordinary exception, from both kinds of threads."""

    async def ask() -> None:
        loop, foreign = asyncio.get_running_loop(), ForeignCode()
        loop.set_default_executor(ContainedThreads(1))
        for call in (asyncio.to_thread(leave, ending), foreign.call("lab/x", leave, ending)):
            with pytest.raises(LeftError, match=type(ending).__name__):
                await asyncio.wait_for(call, 5)
        assert await foreign.call("lab/x", str, 1) == "1"
        foreign.close()

    asyncio.run(ask())


def test_an_ordinary_exception_is_the_callers() -> None:
    """It comes unchanged."""

    async def ask() -> None:
        with pytest.raises(ValueError, match="no"):
            await ForeignCode().call("lab/x", leave, ValueError("no"))

    asyncio.run(ask())


def test_code_that_never_ends_costs_its_owner_a_few_threads(gate: threading.Event) -> None:
    """Each call ends at the limit; from the ninth on the owner is refused at once, others are served."""

    async def ask() -> None:
        foreign = ForeignCode(seconds=0.05)
        found = await asyncio.gather(*(foreign.call("lab/stuck", gate.wait) for _ in range(8)), return_exceptions=True)
        assert {type(each) for each in found} == {TimeLimitError}
        with pytest.raises(BusyError, match="lab/stuck"):
            await foreign.call("lab/stuck", str, 1)
        assert await foreign.call("lab/other", str, 1) == "1"
        gate.set()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await foreign.call("lab/stuck", str, 2) == "2"
                    break
                except BusyError:
                    await asyncio.sleep(0.01)

    asyncio.run(ask())


def test_a_cell_that_never_ends_costs_its_time_once(gate: threading.Event) -> None:
    """It is not called again before it has ended; the other cells have their values."""
    calls: list[Any] = []

    def stuck(scope: Any) -> None:
        calls.append(scope)
        gate.wait()

    timed = TimedCalls(seconds=0.05)
    for _ in range(3):
        with pytest.raises(TimeLimitError):
            timed(stuck, {})
        assert timed(len, "abc") == 3
    assert len(calls) == 1

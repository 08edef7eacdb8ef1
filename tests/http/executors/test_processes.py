"""The executor ``processes``: bodies in child processes, which can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from rave_core.errors import TimeLimitError, UnstorableError
from rave_core.model import Progress
from rave_http.executors import WorkerLostError
from rave_http.executors.processes import ProcessExecutor
from tests.http.executors.process_bodies import Ask, children, is_running, noted, reached


def test_a_body_runs_in_a_child_that_the_next_one_finds_ready(play: Callable[..., Any], bodies: Any) -> None:
    """It is not this process, it is the same each time, and its result is kept as usual."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        assert children() == []
        pids = {(await ask(bodies.pid)).value for _ in range(5)}
        assert len(pids) == 1
        assert os.getpid() not in pids
        assert (await ask(bodies.count, 3)).value == 3
        assert bodies.count(3, rave_dry_run=True) == 3

    play(scenario)


def test_twenty_jobs_share_two_children(play: Callable[..., Any], bodies: Any) -> None:
    """Whoever asks takes a place first, so there are never more children than slots."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        places = asyncio.Semaphore(executor.slots)

        async def one(number: int) -> int:
            async with places:
                return int((await ask(bodies.nap, number)).value)

        pids = await asyncio.gather(*map(one, range(20)))
        assert len(set(pids)) == 2
        assert len(children()) == 2

    play(scenario)


def test_a_body_at_its_time_limit_is_killed(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Its process is gone, and with it what it had started; the start of a child does not count."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for body in (bodies.spin, bodies.spin_with_a_helper):
            place = tmp_path / body.__name__
            with pytest.raises(TimeLimitError, match=r"was ended at its time limit of 0\.3 s"):
                await ask(body, str(place), time_limit=0.3)
            pids = [await noted(place)]
            if body is bodies.spin_with_a_helper:
                pids.append(int(Path(f"{place}.helper").read_text()))
            await reached(lambda pids=pids: not any(map(is_running, pids)), "the end of the processes")

    play(scenario)


def test_cancelling_whoever_waits_kills_the_body(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """The cancellation passes on, and the executor goes on."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        asked = asyncio.create_task(ask(bodies.spin, str(tmp_path / "spin")))
        pid = await noted(tmp_path / "spin")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await reached(lambda: not is_running(pid), "the end of the process")
        at_once = asyncio.create_task(ask(bodies.pid))
        await asyncio.sleep(0)
        at_once.cancel()
        await asyncio.wait({at_once})
        assert (await ask(bodies.pid)).value not in (pid, os.getpid())

    play(scenario)


def test_a_child_that_dies_is_told_and_replaced(play: Callable[..., Any], bodies: Any) -> None:
    """The error names the operation and how its process ended, even if that was by a silent exit."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for how, told in (
            (0, "ended with exit code 0"),
            (3, "ended with exit code 3"),
            ("kill", "was killed by SIGKILL"),
        ):
            with pytest.raises(WorkerLostError, match=rf"process_bodies:end did not come to its end: .* {told}$"):
                await ask(bodies.end, how)
        assert (await ask(bodies.count, 2)).value == 2

    play(scenario)


def test_an_idle_child_that_was_killed_is_replaced(play: Callable[..., Any], bodies: Any) -> None:
    """By the kernel for want of memory, say."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        pid = (await ask(bodies.pid)).value
        os.kill(pid, signal.SIGKILL)
        await reached(lambda: not psutil.pid_exists(pid), "that its end is noticed")
        await reached(lambda: not executor._idle[0].is_idle, "that its end is known")
        assert (await ask(bodies.pid)).value != pid

    play(scenario)


def test_exceptions_keep_their_class_and_text(play: Callable[..., Any], bodies: Any) -> None:
    """Whatever their class wants to be called with; one that only the child knows is named in a RuntimeError."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        with pytest.raises(KeyError, match="plain") as plain:
            await ask(bodies.plain_error)
        assert "raise KeyError" in str(plain.value.__cause__)
        with pytest.raises(bodies.OddError, match="7: of its own") as odd:
            await ask(bodies.odd_error)
        assert odd.value.code == 7
        with pytest.raises(RuntimeError, match=r"^HiddenError: from within$"):
            await ask(bodies.hidden_error)
        with pytest.raises(RuntimeError, match="was left by SystemExit: 3"):
            await ask(bodies.leave)
        assert len(children()) == 1

    play(scenario)


def test_a_value_that_can_not_leave_its_process_is_an_error_that_says_so(play: Callable[..., Any], bodies: Any) -> None:
    """It names the operation, the type, and what to do."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        with pytest.raises(UnstorableError, match=r"process_bodies:odd_value returned lock, .* 'threads'"):
            await ask(bodies.odd_value)

    play(scenario)


def test_progress_arrives_and_the_last_report_always(play: Callable[..., Any], bodies: Any) -> None:
    """A thousand reports at once become a few, of which the last is the body's last."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for steps in (1000, 1):
            heard: list[tuple[str, Progress]] = []
            await ask(bodies.count, steps, listener=lambda *report, heard=heard: heard.append(report))
            assert heard[-1] == ("process_bodies:count", Progress(steps, steps, f"step {steps}"))
            assert len(heard) < 20

    play(scenario)


def test_progress_arrives_while_the_body_runs(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Reports in quick succession are not lost where none follows for a long time."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Progress] = []
        listener = lambda _operation, report: heard.append(report)  # noqa: E731  # it is handed over
        asked = asyncio.create_task(ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=listener))
        await reached(lambda: heard and heard[-1] == Progress(2, 3), "the last report")
        (tmp_path / "go").touch()
        await asked

    play(scenario)

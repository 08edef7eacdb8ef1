"""The board that workers share, and how they ask each other; `observed/` has the same with real workers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rave_core.errors import UnknownNameError
from rave_http.workers.peers import MAX_BYTES, WorkerRPC
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.statistics_report import StatisticsReport


def with_peers(
    run_directory: RunDirectory, names: list[str], test: Callable[[list[WorkerRPC]], Awaitable[None]]
) -> None:
    """Runs ``test`` with open peers of these names."""

    async def run() -> None:
        rpc = [WorkerRPC(run_directory, name) for name in names]
        for each in rpc:
            await each.open()
        try:
            await test(rpc)
        finally:
            for each in rpc:
                await each.close()

    asyncio.run(run())


def test_every_worker_answers(run_directory: RunDirectory) -> None:
    """Whoever asks hears all, itself included, with the facts of the question."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        for each in rpc:
            each.answer("double", lambda facts, name=each.name: {"by": name, "is": facts["number"] * 2})
        answers = await rpc[1].ask("double", number=21)
        assert list(answers) == ["worker-1", "worker-2", "worker-3"]
        assert all(answer == {"by": name, "is": 42} for name, answer in answers.items())
        assert answers.silent == {}

    with_peers(run_directory, ["worker-1", "worker-2", "worker-3"], ask)


def test_answers_have_one_form_whoever_gives_them(run_directory: RunDirectory) -> None:
    """What a worker answers itself looks as if another had."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        for each in rpc:
            each.answer("form", lambda _facts: {1: (2, 3), "path": {"a": None}})
        answers = await rpc[0].ask("form")
        assert answers["worker-1"] == answers["worker-2"] == {"1": [2, 3], "path": {"a": None}}

    with_peers(run_directory, ["worker-1", "worker-2"], ask)


def test_a_worker_without_a_board_asks_itself() -> None:
    """It answers at once, and has nobody to be silent."""

    async def ask() -> None:
        alone = WorkerRPC(None, "worker-1")
        await alone.open()
        alone.answer("name", lambda _facts: "me")
        assert await alone.ask("name") == {"worker-1": "me"}
        await alone.close()

    asyncio.run(ask())


def test_who_can_not_answer_is_told_of_with_the_reason(run_directory: RunDirectory) -> None:
    """One that fails, one that does not know the question, and one that is slow do not keep the rest from answering."""

    async def never(_facts: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async def ask(rpc: list[WorkerRPC]) -> None:
        rpc[0].answer("x", lambda _facts: 1)
        rpc[1].answer("x", lambda _facts: 1 // 0)
        rpc[2].answer("y", lambda _facts: 1)
        rpc[3].answer("x", never)
        answers = await rpc[0].ask("x", timeout=0.3)
        assert answers == {"worker-1": 1}
        assert answers.silent == {
            "worker-2": "ZeroDivisionError: integer division or modulo by zero",
            "worker-3": "UnknownNameError: no question 'x': known: y",
            "worker-4": "no answer within 0.3 s",
        }

    with_peers(run_directory, ["worker-1", "worker-2", "worker-3", "worker-4"], ask)


def test_a_slow_answer_of_its_own_does_not_hold_a_worker_up(run_directory: RunDirectory) -> None:
    """The time limit is for all alike."""

    async def never(_facts: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async def ask(rpc: list[WorkerRPC]) -> None:
        rpc[0].answer("x", never)
        assert (await rpc[0].ask("x", timeout=0.1)).silent == {"worker-1": "no answer within 0.1 s"}

    with_peers(run_directory, ["worker-1"], ask)


def test_sockets_of_dead_workers_are_removed(run_directory: RunDirectory) -> None:
    """A worker that was killed is neither heard of nor silent; one that closed leaves nothing behind."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(run_directory.socket("worker-9")))

    async def ask(rpc: list[WorkerRPC]) -> None:
        rpc[0].answer("x", lambda _facts: 1)
        await rpc[1].close()
        await rpc[1].close()
        answers = await rpc[0].ask("x")
        assert (answers, answers.silent) == ({"worker-1": 1}, {})
        assert run_directory.workers() == ["worker-1"]

    with_peers(run_directory, ["worker-1", "worker-2"], ask)


def test_a_worker_takes_the_place_of_a_dead_one_with_its_id(run_directory: RunDirectory) -> None:
    """Left-over sockets are no obstacle."""
    for name in ("worker-1.socket", "worker-1.socket.new"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(run_directory.directory / name))

    async def ask(rpc: list[WorkerRPC]) -> None:
        rpc[0].answer("x", lambda _facts: 1)
        assert await rpc[1].ask("x") == {"worker-1": 1}

    with_peers(run_directory, ["worker-1", "worker-2"], ask)


def test_answers_may_be_large_within_a_limit(run_directory: RunDirectory) -> None:
    """Nine megabytes come through; what is larger than the limit is told as such, and harms nobody."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        for each in rpc:
            each.answer("large", lambda facts: "x" * facts["size"])
        answers = await rpc[0].ask("large", timeout=10, size=9_000_000)
        assert [len(answer) for answer in answers.values()] == [9_000_000, 9_000_000]
        answers = await rpc[0].ask("large", timeout=10, size=MAX_BYTES)
        assert list(answers.silent) == ["worker-1", "worker-2"]
        assert f"workers tell each other {MAX_BYTES} bytes at most, not " in answers.silent["worker-2"]
        with pytest.raises(ValueError, match="workers tell each other"):
            await rpc[0].ask("large", filling="x" * MAX_BYTES)

    with_peers(run_directory, ["worker-1", "worker-2"], ask)


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"\xff\xfe\n", b'{"question": "x"}\n', b"x" * 100_000])
def test_nonsense_from_a_peer_harms_nobody(run_directory: RunDirectory, line: bytes) -> None:
    """It is answered with an error, if at all, and the next question is answered as ever."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        rpc[0].answer("x", lambda _facts: 1)
        reader, writer = await asyncio.open_unix_connection(run_directory.socket("worker-1"))
        writer.write(line)
        writer.write_eof()
        assert "error" in json.loads(await reader.readline())
        writer.close()
        assert await rpc[1].ask("x") == {"worker-1": 1}

    with_peers(run_directory, ["worker-1", "worker-2"], ask)


def test_peers_work_under_either_event_loop(run_directory: RunDirectory) -> None:
    """uvloop, which the server takes where it is installed, treats sockets a little differently."""
    uvloop = pytest.importorskip("uvloop", reason="needs uvloop: pip install uvloop")

    async def ask() -> None:
        rpc = [WorkerRPC(run_directory, "worker-1"), WorkerRPC(run_directory, "worker-2")]
        for each in rpc:
            await each.open()
            each.answer("x", lambda _facts: 1)
        assert await rpc[0].ask("x") == {"worker-1": 1, "worker-2": 1}
        for each in rpc:
            await each.close()
        assert run_directory.workers() == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask())


def test_a_pause_that_nobody_knows_leaves_nothing_behind(run_directory: RunDirectory) -> None:
    """A namespace of that name that comes later is not paused."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        report = StatisticsReport(rpc[0], run_directory)
        with pytest.raises(UnknownNameError, match="no statistics 'Nowhere' that can be paused"):
            await report.pause("Nowhere")
        assert run_directory.read("paused-statistics") == []

    with_peers(run_directory, ["worker-1"], ask)

"""The board that workers share, and how they ask each other; `observed/` has the same with real workers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core.errors import ConfigurationError, UnknownNameError
from rave_core.telemetry.statistics import Statistics, extrapolate
from rave_http.workers.peers import MAX_BYTES, WorkerRPC
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.statistics_report import StatisticsReport, merge_statistics


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where boards are made; of a short path."""
    with tempfile.TemporaryDirectory(prefix="rave-test-", dir="/tmp") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
        yield Path(name)


@pytest.fixture
def run_directory(parent: Path) -> Iterator[RunDirectory]:
    """A board of this process."""
    made = RunDirectory.create()
    yield made
    made.remove()


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


def test_a_board_is_for_its_owner_alone(run_directory: RunDirectory) -> None:
    """Nobody else may look into it."""
    assert stat.S_IMODE(run_directory.directory.stat().st_mode) == 0o700


def test_only_its_maker_removes_a_board(run_directory: RunDirectory) -> None:
    """A worker that was forked can't take it away from the others."""
    child = os.fork()
    if not child:
        run_directory.remove()
        os._exit(0)
    os.waitpid(child, 0)
    RunDirectory(run_directory.directory).remove()
    assert run_directory.directory.is_dir()
    run_directory.remove()
    run_directory.remove()
    assert not run_directory.directory.exists()


def test_left_overs_of_dead_services_are_removed(parent: Path, run_directory: RunDirectory) -> None:
    """A board that nobody holds goes when the next one is made; one in use, or just being made, stays."""
    dead, young = parent / "rave-board-dead", parent / "rave-board-young"
    for directory in (dead, young):
        directory.mkdir()
        (directory / "worker-1.socket").touch()
    for directory in (dead, run_directory.directory):
        os.utime(directory, (0, 0))
    RunDirectory.create().remove()
    assert (dead.exists(), young.exists(), run_directory.directory.exists()) == (False, True, True)


def test_a_board_needs_a_short_path(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the temporary directory is too deep for sockets another is taken; where there is none, that is told."""
    deep = parent / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    run_directory = RunDirectory.create()
    assert not run_directory.directory.is_relative_to(deep)
    run_directory.remove()
    monkeypatch.setattr(os, "access", lambda place, _mode: place != "/tmp")
    with pytest.raises(ConfigurationError, match="set TMPDIR to a shorter one than"):
        RunDirectory.create()


def test_facts_are_read_as_they_were_written(run_directory: RunDirectory) -> None:
    """Another process sees them too; what was never written is ``None``."""
    assert run_directory.read("paused") is None
    run_directory.write("paused", ["RAVE", {"ü": 1}])
    assert RunDirectory(run_directory.directory).read("paused") == ["RAVE", {"ü": 1}]
    assert sorted(path.name for path in run_directory.directory.iterdir()) == ["metrics", "paused.json"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "a\n"])
def test_names_of_facts_are_checked(run_directory: RunDirectory, name: str) -> None:
    """Nothing outside of the board can be reached."""
    with pytest.raises(ValueError, match="a fact in the run directory is named with small letters"):
        run_directory.write(name, 1)
    with pytest.raises(ValueError, match="a fact in the run directory is named with small letters"):
        run_directory.read(name)


def test_no_change_of_a_fact_is_lost(run_directory: RunDirectory) -> None:
    """Eight threads that each add to one fact add everything."""

    def add() -> None:
        for _ in range(20):
            run_directory.update("count", lambda old: (old or 0) + 1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run_directory.read("count") == 160


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
        started = time.monotonic()
        answers = await rpc[0].ask("x", timeout=0.3)
        assert time.monotonic() - started < 2
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


def _worker(hits: dict[str, int], **cells: Any) -> dict[str, Any]:
    """What a worker would report."""
    statistics = Statistics()
    for name, number in hits.items():
        statistics.record(name).update({"Hits": number, "Misses": 1, "Seconds Computing": 0.5})
    statistics.namespace.update(cells)
    return {"RAVE": extrapolate(statistics.namespace), "Other": {"Requests": 7}}


def test_merged_statistics_are_sums_with_ratios_of_the_sums() -> None:
    """A ratio is not added up, nor is a time of start; what only one worker has is there too."""
    workers = {
        "worker-1": _worker({"a": 3, "b": 1}, **{"Start Time": 100.0, "Stored Bytes": 10}),
        "worker-2": _worker({"a": 5}, **{"Start Time": 90.0, "Stored Bytes": 5, "Curious": 2}),
    }
    merged = merge_statistics(workers)
    rave = merged["RAVE"]
    assert rave["Operations"]["a"]["Hits"] == 8
    assert rave["Operations"]["a"]["Seconds Computing"] == 1.0
    assert rave["Operations"]["a"]["Hit Ratio"] == 8 / 10
    assert rave["Operations"]["b"]["Hit Ratio"] == 1 / 2
    assert (rave["Hits"], rave["Misses"], rave["Hit Ratio"]) == (9, 3, 9 / 12)
    assert (rave["Stored Bytes"], rave["Curious"], rave["Start Time"], rave["Enabled"]) == (15, 2, 90.0, True)
    assert rave["Uptime"] == pytest.approx(time.time() - 90.0, abs=5)
    assert merged["workers"] == workers
    assert set(merged) == {"RAVE", "workers"}


def test_merging_changes_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of this process nor those that are merged."""
    installed = Statistics.install()
    before = extrapolate(installed.namespace)["Operations"]
    document = _worker({"a": 1})
    merge_statistics({"worker-1": document, "worker-2": document})
    assert document["RAVE"]["Operations"]["a"]["Hits"] == 1
    assert extrapolate(installed.namespace)["Operations"] == before


def test_spoilt_cells_spoil_nothing_else() -> None:
    """What is no number is left out of the sums, whatever stands where."""
    spoilt = _worker({"a": 2}, **{"Stored Bytes": "error: x", "Enabled": False})
    spoilt["RAVE"]["Operations"]["b"] = "gone"
    spoilt["RAVE"]["Operations"]["a"]["Misses"] = None
    merged = merge_statistics({"worker-1": spoilt, "worker-2": _worker({"a": 1}), "worker-3": {"RAVE": 3}})
    assert merged["RAVE"]["Operations"]["a"]["Hits"] == 3
    assert (merged["RAVE"]["Stored Bytes"], merged["RAVE"]["Enabled"]) == (0, False)
    assert merge_statistics({})["RAVE"]["Hit Ratio"] is None


def test_a_pause_that_nobody_knows_leaves_nothing_behind(run_directory: RunDirectory) -> None:
    """A namespace of that name that comes later is not paused."""

    async def ask(rpc: list[WorkerRPC]) -> None:
        report = StatisticsReport(rpc[0], run_directory)
        with pytest.raises(UnknownNameError, match="no statistics 'Nowhere' that can be paused"):
            await report.pause("Nowhere")
        assert run_directory.read("paused-statistics") == []

    with_peers(run_directory, ["worker-1"], ask)


def test_the_plain_parts_import_next_to_nothing() -> None:
    """The process that starts the workers needs the board, but neither falcon nor asyncio for it."""
    code = "import rave_http.workers.run_directory, sys; "
    code += "print({'falcon', 'asyncio', 'prometheus_client'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""What a body sees and leaves in another process: caches, traces, logs, counts, signals."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Options, op
from rave_http.executors.processes import ProcessExecutor
from rave_http.protocol.tracing import current_trace
from tests.http.executors.process_bodies import Ask, children, reached

LATE = """
from pathlib import Path
from rave_core import op

@op
def size(n):
    place, text = Path(__file__).with_name("imported_late.py"), "SIZE = 20\\n"
    if place.read_text() != text:
        place.write_text(text)
    import imported_late
    return imported_late.SIZE + n
"""


def test_operations_within_are_cached_there_and_counted_as_children(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """Two bodies that need one result at once make it once, and each knows what it was made from."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[str] = []
        listen = lambda operation, _report: heard.append(operation)  # noqa: E731  # it is handed over
        one, two = await asyncio.gather(
            ask(bodies.above, 1, log, 1, listener=listen), ask(bodies.above, 1, log, 2, listener=listen)
        )
        assert (one.value, two.value) == (2, 2)
        (pid,) = Path(log).read_text().split()
        assert int(pid) != os.getpid()
        for outcome in (one, two):
            assert outcome.entry is not None
            assert outcome.entry.children == (bodies.base.key(1, log).text,)
        assert bodies.base(1, log, rave_dry_run=True) == 1
        assert "process_bodies:above" in heard

    play(scenario)


def test_a_deep_refresh_goes_through_processes(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """What is called within is made anew, once."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        await ask(bodies.above, 1, log)
        await ask(bodies.above, 1, log, options=Options(refresh=True))
        assert len(Path(log).read_text().split()) == 1
        outcome = await ask(bodies.above, 1, log, options=Options(deep_refresh=True))
        assert outcome.status == "refreshed"
        assert len(Path(log).read_text().split()) == 2

    play(scenario)


def test_what_a_child_imports_after_an_edit_is_not_kept_as_what_it_was(
    play: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker found the version before; the next call has another one."""
    (tmp_path / "imported_late.py").write_text("SIZE = 1\n")
    (tmp_path / "late_bodies.py").write_text(LATE)
    monkeypatch.syspath_prepend(tmp_path)

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        size = importlib.import_module("late_bodies").size
        return [await ask(size, n) for n in (0, 0, 0, 1)]

    found = play(scenario, slots=1)
    assert [(each.value, str(each.status)) for each in found] == [
        (20, "uncached"),
        (20, "miss"),
        (20, "hit"),
        (21, "miss"),
    ]
    assert found[0].key.version != found[1].key.version


def test_a_file_operation_writes_where_its_path_is(play: Callable[..., Any], bodies: Any) -> None:
    """The path that it was given here is one there."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        outcome = await ask(bodies.page, "made by")
        words, pid = Path(outcome.value).read_text().rsplit(" ", 1)
        assert words == "made by"
        assert int(pid) != os.getpid()
        assert bodies.page("made by") == outcome.value

    play(scenario)


def test_a_coroutine_function_runs_there_too(play: Callable[..., Any], bodies: Any) -> None:
    """In a loop of its own."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        number, pid = (await ask(bodies.patient, 4)).value
        assert number == 4
        assert pid != os.getpid()

    play(scenario)


def test_a_body_sees_the_trace_of_its_request(play: Callable[..., Any], bodies: Any) -> None:
    """Of the request that it runs for, not of the one before."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for trace in ("00-one", "00-two"):
            current_trace.set(trace)
            assert (await ask(bodies.trace)).value == trace

    play(scenario)


def test_what_a_body_logs_is_in_the_log_of_its_worker(
    play: Callable[..., Any], bodies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """At the levels that are set here, and with the process that it comes from; warnings too."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        pid = (await ask(bodies.talk, 3)).value
        said = lambda: [each for each in caplog.records if each.process == pid]  # noqa: E731  # asked for again
        first, second = await reached(lambda: len(said()) > 1 and said(), "what was logged")
        assert (first.name, first.levelname, first.getMessage()) == ("bodies", "INFO", "said 3 in words")
        assert (second.name, second.levelname) == ("py.warnings", "WARNING")
        assert "of something" in second.getMessage()

    with caplog.at_level(logging.INFO, "bodies"):
        play(scenario)


def test_what_is_counted_in_a_child_counts_here(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Once, whatever else the child did before."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        counted = bodies.base.resolved().record
        before = {name: counted[name] for name in ("Misses", "Hits")}
        for salt in range(3):
            await ask(bodies.above, 5, log, salt)
        assert {name: counted[name] - before[name] for name in before} == {"Misses": 1, "Hits": 2}
        assert counted["Seconds Computing"] >= 0.2

    play(scenario)


def test_a_signal_to_all_processes_does_not_cut_a_body_short(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """The worker decides when a child ends; what a body forks ends as usual."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Any] = []
        asked = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        for number in (signal.SIGTERM, signal.SIGINT):
            children()[0].send_signal(number)
        (tmp_path / "go").touch()
        assert (await asked).value is None
        assert (await ask(bodies.fork_helpers, 2, time_limit=10)).value == [2, 2]

    play(scenario)


class Rooted:
    """A value that can't be pickled, but can be part of a key."""

    def __rave_key__(self) -> str:
        return "rooted"

    def __reduce__(self) -> Any:
        raise TypeError("it stays where it is")


def test_what_another_process_can_not_find_runs_in_a_thread(
    play: Callable[..., Any], bodies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A local function, and arguments that can't be pickled; each is told of once."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        @op(name="tests/local")
        def local(n: int) -> int:
            return os.getpid()

        for _ in range(2):
            assert (await ask(local, 1, options=Options(refresh=True))).value == os.getpid()
            assert (await ask(bodies.identity, Rooted(), options=Options(refresh=True))).value == os.getpid()
        assert children() == []

    with caplog.at_level(logging.WARNING, "rave.http"):
        play(scenario)
    first, second = (record.getMessage() for record in caplog.records if record.name == "rave.http")
    assert first.startswith("tests/local runs in a thread")
    assert "TypeError: it stays where it is" in second

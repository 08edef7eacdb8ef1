"""The executor ``dask``, with a real scheduler and real workers."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from rave_core import op
from rave_core.errors import TimeLimitError, UnstorableError
from rave_core.model import Progress
from rave_http.executors import BusyError, RunBody, UnfitWorkerError, WorkerLostError


def test_a_body_runs_in_the_cluster(bench: Any, lab: Any) -> None:
    """Its value comes back, its nested calls are computed once each, and the caller knows them as its children."""
    step = bench.step(lab.quadruple, 3)
    assert bench.play(bench.executor.run(step, time_limit=None)) == (12, None)
    assert list(step.context.children) == [lab.double.key(3).text, lab.double.key(6).text]
    bench.reached(lambda: bench.executor.check() is None, "a cluster without trouble")


def test_an_exception_comes_back_with_its_traceback(bench: Any, lab: Any) -> None:
    """It is of its own class, and its cause says where it was raised."""
    value, error = bench.run(lab.broken, "a name")
    assert (value, type(error), error.args) == (None, KeyError, ("a name",))
    assert "raise KeyError(what)" in str(error.__cause__)


def test_a_body_that_failed_runs_again_if_its_operation_has_retries(bench: Any, lab: Any, tmp_path: Path) -> None:
    """Two retries are three runs; an operation without retries runs once."""
    assert bench.run(lab.brittle, str(tmp_path / "twice"), 2) == (3, None)
    _, error = bench.run(lab.brittle, str(tmp_path / "thrice"), 3)
    assert isinstance(error, OSError)
    assert (tmp_path / "thrice").read_text() == "xxx"


def test_progress_arrives_in_order(bench: Any, lab: Any) -> None:
    """The last report arrives before the value; the body runs where its resources are."""
    heard: list[Any] = []
    assert bench.run(lab.counting, 20, listener=lambda who, progress: heard.append((who, progress))) == (20, None)
    assert heard[-1] == ("lab/counting", Progress(20, 20, "counting"))
    assert [report.done for _, report in heard] == sorted(report.done for _, report in heard)


def test_a_body_is_killed_at_its_time_limit(bench: Any, lab: Any, tmp_path: Path) -> None:
    """Its process is gone at once."""

    async def scenario() -> None:
        step = bench.step(lab.sleepy, str(tmp_path / "note"))
        _, error = await bench.executor.run(step, time_limit=0.5)
        assert isinstance(error, TimeLimitError)
        assert "lab/sleepy was ended at its time limit of 0.5 s" in str(error)
        own, worker = await bench.noted(tmp_path / "note")
        assert await bench.ended(own) < 2
        assert own != worker

    bench.play(scenario())


def test_a_body_whose_caller_is_gone_ends_within_two_seconds(bench: Any, lab: Any, tmp_path: Path) -> None:
    """Cancelling the run kills its process, wherever that is."""

    async def scenario() -> None:
        running = asyncio.create_task(
            bench.executor.run(bench.step(lab.sleepy, str(tmp_path / "note")), time_limit=None)
        )
        own, _ = await bench.noted(tmp_path / "note")
        running.cancel()
        assert await bench.ended(own) < 2
        assert running.cancelled()

    bench.play(scenario())


def test_a_body_whose_worker_is_lost_runs_once_more(bench: Any, lab: Any, tmp_path: Path) -> None:
    """After ``kill -9`` of the worker another one gives the one result, and the body of the first does not run on."""

    async def scenario() -> None:
        note = tmp_path / "note"
        running = asyncio.create_task(bench.executor.run(bench.step(lab.once_lost, str(note)), time_limit=None))
        own, worker = await bench.noted(note)
        os.kill(worker, signal.SIGKILL)
        assert await running == ("again", None)
        await bench.ended(own)

    bench.play(scenario())


def test_a_body_that_loses_two_workers_does_not_run_again(bench: Any, lab: Any, tmp_path: Path) -> None:
    """The error says how often, and where."""

    async def scenario() -> None:
        note, before = tmp_path / "note", bench.starts()
        running = asyncio.create_task(bench.executor.run(bench.step(lab.sleepy, str(note)), time_limit=None))
        for start in (1, 2):
            _, worker = await bench.noted(note)
            await bench.counted(before + start)
            note.unlink()
            os.kill(worker, signal.SIGKILL)
        value, error = await running
        assert value is None
        assert isinstance(error, WorkerLostError)
        assert "lab/sleepy was lost with its worker twice, the last time at tcp://" in str(error)

    bench.play(scenario())


def test_a_body_that_ends_its_process_costs_no_worker(bench: Any, lab: Any) -> None:
    """It does not run again, as with the executor ``processes``."""
    _, error = bench.run(lab.deadly)
    assert isinstance(error, WorkerLostError)
    assert "lab/deadly did not come to its end: its process ended with exit code 3" in str(error)


def test_what_can_not_travel_is_refused_by_name(bench: Any, lab: Any) -> None:
    """An operation that no other process finds, an argument, a value: each error names it."""

    @op(name="tests/inner", version=1)
    def inner() -> int:
        return 1

    _, error = bench.run(inner)
    assert isinstance(error, UnfitWorkerError)
    assert "lab/inner can't run on another machine: it can't be found" in str(error)
    _, error = bench.run(lab.double, lambda: None)
    assert isinstance(error, UnfitWorkerError)
    assert "its arguments can't be sent there" in str(error)
    _, error = bench.run(lab.unkeepable)
    assert isinstance(error, UnstorableError)
    assert "lab/unkeepable returned function, which can't leave the process" in str(error)


def test_a_worker_with_other_code_refuses_the_body(bench: Any, path: Path) -> None:
    """It never computes with code that the caller does not have; the error names the worker."""
    code = "from rave_core import op\n\n\n@op\ndef rate():\n    return {}\n"
    (path / "dask_rates.py").write_text(code.format(1))
    rates = importlib.import_module("dask_rates")
    step = bench.step(rates.rate)
    (path / "dask_rates.py").write_text(code.format(100))
    value, error = bench.play(bench.executor.run(step, time_limit=None))
    assert value is None
    assert isinstance(error, UnfitWorkerError)
    assert "the worker tcp://127.0.0.1:" in str(error)
    assert "can't run lab/rate: its code in dask_rates is no longer, or not yet" in str(error)


def test_a_worker_that_sees_another_cache_refuses_the_body(
    cluster: Any, open_bench: Callable[..., Any], lab: Any
) -> None:
    """A cache in memory is another one in each process: what a body calls would be computed again, in silence."""
    _, error = open_bench("memory://", scheduler=cluster.address, patience=60).run(lab.double, 1)
    assert isinstance(error, UnfitWorkerError)
    assert "can't run lab/double: it does not see what is stored in memory://" in str(error)


def test_a_worker_has_secrets_from_its_own_settings(
    cluster: Any, bench: Any, open_bench: Callable[..., Any], lab: Any
) -> None:
    """They do not travel; one that has the setting for something else refuses the body."""
    assert bench.runtime.settings.documents == "postgresql://me:unlike@db/rave"
    assert bench.run(lab.documents) == ("postgresql://me:hunter2@db/rave", None)
    bench = open_bench(documents="postgresql://me:unlike@other/rave", scheduler=cluster.address, patience=60)
    _, error = bench.run(lab.documents)
    assert isinstance(error, UnfitWorkerError)
    assert "the setting 'documents' has one: give the worker the same 'documents' in settings of its own" in str(error)


def test_a_worker_that_sees_other_products_refuses_to_make_a_file(bench: Any, lab: Any) -> None:
    """``/proc/self/cwd`` is another directory in each process, as one path may be on two machines."""
    step = bench.step(lab.sheet, 3)
    step = RunBody(step.call, step.function, ("/proc/self/cwd/sheet.csv", 3), {}, step.context)
    _, error = bench.play(bench.executor.run(step, time_limit=None))
    assert isinstance(error, UnfitWorkerError)
    assert "can't run lab/sheet: /proc/self/cwd, where it makes its file, is another directory there" in str(error)


def test_a_worker_with_another_release_refuses_the_body(
    cluster: Any, open_bench: Callable[..., Any], lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names both releases."""
    own = version("rave-framework")
    monkeypatch.setattr("rave_http.executors.remote.sender.version", lambda _: "1.9")
    _, error = open_bench(scheduler=cluster.address, patience=60).run(lab.double, 1)
    assert isinstance(error, UnfitWorkerError)
    assert f"can't run lab/double: it has RAVE {own}, and the sender has 1.9" in str(error)


def test_a_body_under_way_finishes_while_the_service_stops(
    cluster: Any, open_bench: Callable[..., Any], lab: Any, tmp_path: Path
) -> None:
    """Within the grace time; after that it is ended."""

    async def scenario(bench: Any) -> None:
        note, late, go = tmp_path / "note", tmp_path / "late", tmp_path / "go"
        run = partial(bench.executor.run, time_limit=None)
        finishing = asyncio.create_task(run(bench.step(lab.patient, str(note), str(go))))
        await bench.noted(note)
        endless = asyncio.create_task(run(bench.step(lab.sleepy, str(late))))
        own, _ = await bench.noted(late)
        closing = asyncio.create_task(bench.executor.close(1))
        go.touch()
        assert await finishing == ("done", None)
        assert not endless.done()
        await closing
        _, error = await endless
        assert isinstance(error, WorkerLostError)
        assert "lab/sleepy was ended, since this worker of the service stops" in str(error)
        assert await bench.ended(own) < 2

    bench = open_bench(scheduler=cluster.address, patience=60)
    bench.play(scenario(bench))


def test_a_body_that_no_worker_can_run_is_refused_after_a_while(
    cluster: Any, open_bench: Callable[..., Any], lab: Any
) -> None:
    """The error names the resources that no worker has."""
    own = {"lab/*": {"resources": {"GPU": 1}}}
    _, error = open_bench(scheduler=cluster.address, patience=0.3, operations=own).run(lab.double, 1)
    assert isinstance(error, BusyError)
    assert "has the resources {'GPU': 1.0}" in str(error)


def test_no_scheduler_is_said_with_its_address(open_bench: Callable[..., Any], lab: Any) -> None:
    """To ``/-/readyz`` at once, to a body after its patience."""
    bench = open_bench(scheduler="tcp://127.0.0.1:1", patience=0.3)
    _, error = bench.run(lab.double, 1)
    assert isinstance(error, BusyError)
    assert "no scheduler at tcp://127.0.0.1:1 answers: " in str(error)
    assert "no scheduler at tcp://127.0.0.1:1 answers: " in bench.executor.check()


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({}, "write either scheduler = 'tcp://HOST:8786'"),
        ({"scheduler": "tcp://x:1", "local": 2}, "write either scheduler"),
        ({"scheduler": "x:8786"}, "write its address with the scheme, as 'tcp://HOST:8786'"),
        ({"scheduler": "tcp://x"}, "write its host and its port, as 'tcp://HOST:8786'"),
        ({"scheduler": "tcp://x:port"}, "write its host and its port"),
        ({"scheduler": "tcp://[::1:8786"}, "write its host and its port"),
        ({"scheduler": "tcp://x:99999"}, "write its host and its port"),
        ({"shceduler": "x"}, "unknown setting 'shceduler': did you mean 'scheduler'?"),
        ({"local": 1, "operations": {"lab/*": {"prio": 1}}}, "'lab/*': unknown setting 'prio'"),
        ({"local": 1, "operations": {"lab/*": {"retries": -1}}}, "write how often a failed body runs again"),
        ({"local": 1, "operations": {"lab/*": {"resources": {"GPU": "1"}}}}, "write amounts by name, as {GPU = 1}"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(open_bench: Callable[..., Any], own: dict[str, Any], says: str) -> None:
    """Before anything is started."""
    with pytest.raises(ValueError, match=r"\[plugins\.dask\]") as refused:
        open_bench(**own)
    assert says in str(refused.value)

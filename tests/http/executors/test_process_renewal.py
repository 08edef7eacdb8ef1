"""Processes are renewed with the code, closed with the executor, and outlive nobody."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.operations.catalog import Catalog
from rave_core.plugins import discovery
from rave_http.executors import WorkerLostError
from rave_http.executors.processes import ProcessExecutor
from tests.http.executors.process_bodies import Ask, children, is_running, noted, reached

NAMESPACE = """
import os
from rave_core import nocache, op
@op(expires=nocache)
def word():
    return "{}", os.getpid()
__export__ = {{"word": word}}
"""


def test_a_renewed_executor_runs_the_new_code_of_a_directory(play: Callable[..., Any], tmp_path: Path) -> None:
    """Until the service has loaded it, the old code runs, wherever that is: no result goes under a wrong key."""
    place = tmp_path / "words"
    place.mkdir()
    (place / "__init__.py").write_text(NAMESPACE.format("old"))
    directories = {"renewed": str(place)}

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        old = Catalog.installed(directories).find("renewed/word")
        word, pid = (await ask(old)).value
        assert word == "old"
        assert pid != os.getpid()
        (place / "__init__.py").write_text(NAMESPACE.format("renewed"))
        executor.renew()
        await reached(lambda: not is_running(pid), "the end of the idle child")
        assert (await ask(old)).value == ("old", os.getpid())
        new = Catalog.installed(directories).find("renewed/word")
        executor.renew()
        word, pid = (await ask(new)).value
        assert word == "renewed"
        assert pid != os.getpid()

    play(scenario, directories=directories)


def test_renewing_lets_a_running_body_finish(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Its child ends afterwards."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Any] = []
        asked = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        (old,) = children()
        executor.renew()
        assert (await ask(bodies.pid)).value != old.pid
        (tmp_path / "go").touch()
        await asked
        await reached(lambda: not is_running(old.pid), "the end of the old child")

    play(scenario)


PLUGIN = """
import os
from rave_core.hookspecs import hookimpl
@hookimpl
def rave_compute(call):
    if call.spec.name == "process_bodies:identity":
        return ("computed", dict(call.named), call.key.operation, os.getpid()),
"""


def test_a_plugin_that_computes_is_asked_in_the_child(
    play: Callable[..., Any], bodies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the call as it is here."""
    (tmp_path / "computing.py").write_text(PLUGIN)
    (tmp_path / "computing-1.dist-info").mkdir()
    (tmp_path / "computing-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: computing\nVersion: 1\n")
    (tmp_path / "computing-1.dist-info/entry_points.txt").write_text("[rave.plugins]\ncomputing = computing\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        word, named, operation, pid = (await ask(bodies.identity, 5)).value
        assert (word, named, operation) == ("computed", {"thing": 5}, "process_bodies:identity")
        assert pid != os.getpid()
        assert (await ask(bodies.count, 2)).value == 2

    try:
        play(scenario)
    finally:
        discovery._installed.cache_clear()  # it may have found the plugin, which is gone now


def test_closing_lets_bodies_finish_and_kills_those_that_do_not(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """Whoever waits for one of these hears of it."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        spinning = asyncio.create_task(ask(bodies.spin, str(tmp_path / "spin")))
        pid = await noted(tmp_path / "spin")
        heard: list[Any] = []
        finishing = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        closing = asyncio.create_task(executor.close(1.5))
        (tmp_path / "go").touch()
        assert (await finishing).value is None
        await closing
        assert not is_running(pid)
        with pytest.raises(WorkerLostError, match="since its worker stops"):
            await spinning

    play(scenario)


PARENT = '''
import asyncio, os, re, sys, time
from pathlib import Path
from rave_core import Runtime, Settings, op, using
from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_http.executors.processes import ProcessExecutor

def note(place):
    Path(place).write_text(str(os.getpid()))

@op
def spin(place):
    note(place)
    while True:
        time.sleep(0.01)

@op
def hold(place):
    """Lets no other thread of Python run."""
    note(place)
    re.match(r"(a+)+$", "a" * 60 + "b")

@op
def rest(place):
    note(place)

async def main(places):
    runtime = Runtime(Settings(cache=[f"file://{places[0]}-data"], products=[f"file://{places[0]}-products"]))
    executor = ProcessExecutor(3, runtime.settings, {})
    def start(operation, place):
        context = ExecutionContext(runtime, parent=runtime.context, operation=operation.__name__)
        return executor.run(RunBody(operation.bind(place), operation.function, (place,), {}, context), time_limit=None)
    with using(runtime):
        await asyncio.gather(*map(start, (spin, hold, rest), places))
'''


def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    """Neither a busy one, nor one whose body lets no other thread run, nor an idle one."""
    (tmp_path / "orphans.py").write_text(PARENT)
    places = [tmp_path / name for name in ("spin", "hold", "rest")]
    program = f"import asyncio, orphans; asyncio.run(orphans.main({list(map(str, places))!r}))"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL)

    async def scenario() -> None:
        pids = [await noted(place) for place in places]
        assert all(map(is_running, pids))
        parent.kill()
        parent.wait()
        await reached(lambda: not any(map(is_running, pids)), "the end of the orphans", 3)

    try:
        asyncio.run(scenario())
    finally:
        parent.kill()
        parent.wait()


def test_settings_go_along_to_the_child(make_runtime: Callable[..., Runtime]) -> None:
    """They can be pickled, so that a child opens the same caches."""
    settings = make_runtime().settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert isinstance(settings, Settings)


def test_a_worker_that_forgets_its_children_ends_nevertheless(tmp_path: Path) -> None:
    """Nobody waits for a child at the end of the interpreter, not even for a busy one."""
    (tmp_path / "orphans.py").write_text(PARENT)
    place = tmp_path / "spin"
    program = (
        "import orphans, threading\n"
        "from rave_core import Settings\n"
        "from rave_http.executors.child_process import ChildProcess\n"
        "from rave_http.executors.child_jobs import ChildConfig\n"
        "child = ChildProcess(ChildConfig(Settings(), {}, {}), 0)\n"
        f"threading.Thread(target=child.ask, args=(None, orphans.note, {str(place)!r}), daemon=True).start()\n"
        "child.hearing, child._reaper.join(0.1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

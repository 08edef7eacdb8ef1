"""A real scheduler and real workers, and operations that they can import."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from rave_dask.executor import DaskExecutor

from rave_core import Runtime, Settings, using
from rave_core.testing import free_port
from rave_http.executors import ExecutionContext, ExecutorContext, Result, RunBody
from rave_http.settings import ServiceSettings

DOCUMENTS = "postgresql://me:hunter2@db/rave"  # of the workers; nothing opens it
BIN = Path(sys.executable).parent


@dataclass
class Cluster:
    """A scheduler and workers, as processes."""

    place: Path
    path: Path
    address: str = ""
    security: tuple[str, ...] = ()
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts ``dask scheduler`` or ``dask worker``."""
        own = {"PYTHONPATH": str(self.path), "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False"}
        environ = {**os.environ, **own, "RAVE_DOCUMENTS": DOCUMENTS}
        with open(self.place / f"{name}.log", "ab") as log:
            command = [str(BIN / "dask"), name, "--no-dashboard", *self.security, *arguments]
            process = subprocess.Popen(command, env=environ, cwd=self.place, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def start_scheduler(self, port: int | None = None) -> subprocess.Popen[bytes]:
        """Starts the scheduler on a free port, or on the one that it had."""
        found = self.place / "scheduler.json"
        found.unlink(missing_ok=True)
        port = port or free_port()
        process = self.start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--scheduler-file", str(found))
        wait_for(lambda: found.exists() and _is_json(found), "the scheduler", 60)
        self.address = json.loads(found.read_text())["address"]
        return process

    def start_workers(self, number: int, *, nanny: bool = True) -> subprocess.Popen[bytes]:
        """Starts workers, each with one thread and one ``PLACE``; a nanny starts a lost one again."""
        shape = ["--nworkers", str(number), "--nthreads", "1", "--resources", "PLACE=1"]
        shape += [] if nanny else ["--no-nanny"]
        return self.start("worker", self.address, *shape, "--local-directory", str(self.place))

    def task_counts(self) -> dict[str, int]:
        """How many tasks its one worker has in each state."""
        with Client(self.address, set_as_default=False) as client:
            (worker,) = client.scheduler_info()["workers"].values()
        return {state: number for state, number in worker["metrics"]["task_counts"].items() if number}

    def below(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """A process, and all that it started."""
        top = psutil.Process(process.pid)
        return [top, *top.children(recursive=True)]

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kills a process at once, with all that it started."""
        if process.poll() is None:
            for each in self.below(process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        process.wait()

    def stop(self) -> None:
        """Ends all of it."""
        for each in self.started:
            self.end(each)

    def is_running(self, process: int) -> bool:
        """Whether a process does anything yet; a zombie does not."""
        try:
            return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


def _is_json(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text()))
    except ValueError:
        return False


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Waits until a condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return found


@dataclass
class Bench:
    """An executor, and the runtime that its bodies' callers have."""

    runtime: Runtime
    executor: DaskExecutor
    is_running: Callable[[int], bool]

    def step(self, operation: Any, *args: Any, listener: Any = None) -> RunBody:
        """The step that runs the body of an operation."""
        call = operation.bind(*args)
        context = ExecutionContext(
            self.runtime, parent=self.runtime.context, operation=f"lab/{operation.function.__name__}", listener=listener
        )
        return RunBody(call, operation.function, call.args, call.kwargs, context)

    def run(self, operation: Any, *args: Any, time_limit: float | None = None, listener: Any = None) -> Result:
        """What a body gives."""
        step = self.step(operation, *args, listener=listener)
        return self.play(self.executor.run(step, time_limit=time_limit))

    async def noted(self, place: Path) -> tuple[int, int]:
        """The processes that a body noted: its own, and that of its worker."""
        await asyncio.to_thread(wait_for, lambda: place.exists() and " " in place.read_text(), place.name, 60)
        own, worker = place.read_text().split()
        return int(own), int(worker)

    def starts(self) -> int:
        """How many starts of bodies this process knows of."""
        figures = self.executor.figures()
        return figures.started + figures.repeated

    async def counted(self, starts: int) -> None:
        """Waits until this process knows of so many starts."""
        await asyncio.to_thread(wait_for, lambda: self.starts() >= starts, "the message of a start")

    async def ended(self, process: int, seconds: float = 20) -> float:
        """Waits until a process does nothing any more; gives the seconds that this took."""
        started = time.monotonic()
        await asyncio.to_thread(wait_for, lambda: not self.is_running(process), f"the end of {process}", seconds)
        return time.monotonic() - started

    def reached(self, condition: Callable[[], Any], what: str) -> None:
        """Waits until a condition holds."""
        wait_for(condition, what)

    def play(self, scenario: Awaitable[Any]) -> Any:
        """Runs a coroutine, within the runtime."""

        async def run() -> Any:
            return await scenario

        with using(self.runtime):
            return asyncio.run(run())


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the modules are that both sides import."""
    place = tmp_path_factory.mktemp("modules")
    shutil.copy(Path(__file__).with_name("lab") / "dask_lab.py", place)
    sys.path.insert(0, str(place))
    yield place
    sys.path.remove(str(place))


@pytest.fixture(scope="session")
def lab(path: Path) -> Any:
    """The operations."""
    return importlib.import_module("dask_lab")


@pytest.fixture(scope="session")
def make_cluster(tmp_path_factory: pytest.TempPathFactory, path: Path) -> Iterator[Callable[[], Cluster]]:
    """Makes clusters of which nothing runs yet."""
    made: list[Cluster] = []

    def make() -> Cluster:
        made.append(Cluster(tmp_path_factory.mktemp("cluster"), path))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(scope="session")
def cluster(make_cluster: Callable[[], Cluster]) -> Cluster:
    """A scheduler with two workers, which tests may lose: their nanny starts them again."""
    running = make_cluster()
    running.start_scheduler()
    running.start_workers(2)
    return running


@pytest.fixture(scope="session")
def open_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Bench]]:
    """Makes executors, with ``[plugins.dask]`` as given."""
    opened: list[Bench] = []

    def make(cache: str = "", documents: str = "", **own: Any) -> Bench:
        settings = Settings(cache=cache or f"file://{tmp_path_factory.mktemp('data')}", plugins={"dask": own})
        settings = replace(settings, documents=documents) if documents else settings
        runtime = Runtime(settings)
        executor = DaskExecutor(ExecutorContext(settings, ServiceSettings(), {}))
        opened.append(Bench(runtime, executor, Cluster(Path(), Path()).is_running))
        return opened[-1]

    yield make
    for each in opened:
        asyncio.run(each.executor.close(0))
        each.runtime.close()


@pytest.fixture(scope="session")
def bench(cluster: Cluster, open_bench: Callable[..., Bench]) -> Bench:
    """An executor for the tests that change nothing in it."""
    operations = {"lab/brittle": {"retries": 2}, "lab/counting": {"priority": 5, "resources": {"PLACE": 1}}}
    documents = DOCUMENTS.replace("hunter2", "unlike")
    return open_bench(scheduler=cluster.address, documents=documents, operations=operations, patience=60)

"""A Dask cluster: what rave-dask costs beside bare calls of ``distributed``, and a day of flow on 1, 2 and 4 workers.

python benchmarks/dask_cluster.py                     a scheduler and two workers of this machine, then the days
python benchmarks/dask_cluster.py --calls 1000        quickly
python benchmarks/dask_cluster.py --only day          the days alone

Round trips are taken in turn, so that the same noise is under all of them. Each day begins with empty caches: its hours
are read from generated logs, and each waits for ``--latency``, as for a slow store, so that more workers help on few
cores. It fails if a result differs, a worker got no hour, or anything was computed twice.

The name is not ``dask.py``: a script's own directory comes first when Python looks for the package ``dask``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from importlib import import_module
from itertools import repeat
from pathlib import Path
from typing import Any

from distributed import Client
from rave_dask.executor import DaskExecutor
from rave_flow.generate import Scenario, write_day
from running import wait_until

import rave_core
from rave_core import Runtime, Settings, using
from rave_http.executors import ExecutionContext, Executor, ExecutorContext, RunBody
from rave_http.executors.processes import ProcessExecutor
from rave_http.settings import ServiceSettings

DAY = "2024-05-14"
CODE = '''
"""What both sides import."""

import os
import time

from rave_flow.operations import hourly

from rave_core import op


def bare(n):
    return n


@op(version=1)
def nothing(n):
    return n


@op(version=1)
def report(hour, latency, notes):
    with open(notes, "a") as noted:
        noted.write(f"{os.getppid()}\\n")
    time.sleep(latency)
    return hourly(hour)
'''


@contextlib.contextmanager
def cluster(place: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with workers of one thread each; ends with the block."""
    found, dask = place / f"scheduler-{workers}.json", str(Path(sys.executable).with_name("dask"))
    shape = ["--nworkers", str(workers), "--nthreads", "1", "--no-nanny" if workers == 1 else "--nanny"]
    commands = [
        [dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(found)],
        [dask, "worker", "--scheduler-file", str(found), "--no-dashboard", "--local-directory", str(place), *shape],
    ]
    environ = {**os.environ, "PYTHONPATH": str(place)}
    with contextlib.ExitStack() as stack, open(place / "log", "wb") as log:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log))
            stack.callback(process.terminate)
            wait_until(lambda: found.exists() and found.read_text().endswith("}"), what="the scheduler")
        yield str(json.loads(found.read_text())["address"])


def milliseconds(act: Callable[[], object]) -> float:
    """The milliseconds that a call takes."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


def round_trips(runtime: Runtime, client: Client, lab: Any, rounds: int) -> dict[str, float]:
    """An empty body by ``client.submit``, by the executor, and by a child process of this one, in turn; medians."""
    loop = asyncio.new_event_loop()
    executor: Executor = DaskExecutor(ExecutorContext(runtime.settings, ServiceSettings(), {}))
    children = ProcessExecutor(1, runtime.settings, {})
    numbers = iter(range(1_000_000))

    def bare() -> None:
        client.submit(lab.bare, next(numbers), pure=False).result()

    def ours(executor: Executor = executor) -> None:
        call = lab.nothing.bind(next(numbers))
        context = ExecutionContext(runtime, parent=runtime.context, operation="lab/nothing")
        step = RunBody(call, lab.nothing.function, call.args, call.kwargs, context)
        _, error = loop.run_until_complete(executor.run(step, time_limit=None))
        assert error is None, error

    child = partial(ours, children)
    try:
        for _ in range(8):  # until both workers have their children
            bare(), ours(), child()
        taken = [(milliseconds(bare), milliseconds(ours), milliseconds(child)) for _ in range(rounds)]
    finally:
        for each in (executor, children):
            loop.run_until_complete(each.close(0))
        loop.close()
    beside, own, alone = (statistics.median(each) for each in zip(*taken, strict=True))
    return {"client.submit": beside, "executor": own, "child alone": alone, "ratio": own / beside}


def mapped(client: Client, lab: Any, calls: int) -> dict[str, float]:
    """Many small calls by ``client.map``, and by the pool; calls in a second."""
    with rave_core.open_pool("dask") as pool:
        list(rave_core.map(lab.nothing, range(-200, 0), executor=pool))  # until the workers have their children
        beside = milliseconds(lambda: client.gather(client.map(lab.bare, range(calls), pure=False)))
        first = milliseconds(lambda: list(rave_core.map(lab.nothing, range(calls), executor=pool)))
        again = milliseconds(lambda: list(rave_core.map(lab.nothing, range(calls), executor=pool)))
    rates = {"client.map": beside, "rave_core.map": first, "rave_core.map, all kept": again}
    return {name: calls / taken * 1e3 for name, taken in rates.items()} | {"ratio": beside / first}


def calls(place: Path, lab: Any, asked: argparse.Namespace) -> None:
    """Prints what calls cost."""
    with cluster(place, asked.workers) as address, Client(address) as client:
        client.wait_for_workers(asked.workers)
        settings = Settings(cache=f"file://{place}/data", plugins={"dask": {"scheduler": address}})
        with Runtime(settings) as runtime, using(runtime):
            trips = round_trips(runtime, client, lab, asked.rounds)
            rates = mapped(client, lab, asked.calls)
    print("round trip of an empty body, ms: ", {name: round(value, 2) for name, value in trips.items()})
    print("small calls, in a second:        ", {name: round(value, 2) for name, value in rates.items()})


def computed() -> int:
    """How many bodies ran so far, here or for this process in the cluster."""
    operations = logging.statistics["RAVE"]["Operations"]  # type: ignore[attr-defined]  # a convention of CherryPy
    return sum(record["Misses"] for record in operations.values())


def day(place: Path, lab: Any, workers: int, latency: float) -> tuple[float, Counter[str], int, list[Any]]:
    """A day's hours on so many workers, over empty caches.

    Returns:
        tuple[float, Counter[str], int, list[Any]]: the seconds, the number of hours of each worker, how many bodies ran
        in all, and the results.
    """
    own = place / f"day-{workers}"
    own.mkdir()
    notes, hours = own / "notes", [f"{DAY}T{hour:02}:00" for hour in range(24)]
    with cluster(place, workers) as address, Client(address) as client:
        client.wait_for_workers(workers)
        plugins = {"dask": {"scheduler": address, "slots": 2 * workers}, "flow": {"directory": str(place / "flows")}}
        settings = Settings(cache=f"file://{own}/data", products=f"file://{own}/products", plugins=plugins)
        with Runtime(settings) as runtime, using(runtime), rave_core.open_pool("dask") as pool:
            list(
                rave_core.map(lab.nothing, range(50 * workers), executor=pool)
            )  # until the workers have their children
            before, began = computed(), time.perf_counter()
            mapped = rave_core.map(lab.report, hours, repeat(latency), repeat(str(notes)), executor=pool)
            results = [table.to_pylist() for table in mapped]
            taken = time.perf_counter() - began
            return taken, Counter(notes.read_text().split()), computed() - before, results


def days(place: Path, lab: Any, flows: int, latency: float) -> None:
    """Prints a line for each number of workers.

    Raises:
        SystemExit: a result differs, a worker got no hour, or something was computed twice.
    """
    write_day(place / "flows", Scenario(date.fromisoformat(DAY), flows))
    measured = {workers: day(place, lab, workers, latency) for workers in (1, 2, 4)}
    alone = measured[1]
    for workers, (taken, spread, bodies, results) in measured.items():
        shares = sorted(spread.values(), reverse=True)
        print(f"a day on {workers} workers: {taken:6.2f} s, hours of each {shares}, {bodies} bodies ran")
        if results != alone[3]:
            raise SystemExit("the results differ")
        if spread.total() != 24 or bodies != alone[2]:
            raise SystemExit("something was computed twice")
        if len(spread) != workers:
            raise SystemExit("a worker got no hour")


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--flows", type=int, default=20_000, help="of the day")
    parser.add_argument("--latency", type=float, default=2.0, help="seconds that each hour of the day waits")
    parser.add_argument("--only", choices=("calls", "day"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "dask_bench_lab.py").write_text(CODE)
        sys.path.append(directory)
        lab = import_module("dask_bench_lab")
        if asked.only != "day":
            calls(place, lab, asked)
        if asked.only != "calls":
            days(place, lab, asked.flows, asked.latency)


if __name__ == "__main__":
    main()

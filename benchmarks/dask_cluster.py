"""A Dask cluster: what the executor and the pool of rave-dask cost beside bare calls of ``distributed``.

python benchmarks/dask_cluster.py                     a scheduler and two workers of this machine
python benchmarks/dask_cluster.py --calls 1000        quickly

Round trips are taken in turn, so that the same noise is under all of them. The name is not ``dask.py``: a script's own
directory comes first when Python looks for the package ``dask``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from distributed import Client
from rave_dask.executor import DaskExecutor
from running import wait_until

import rave_core
from rave_core import Runtime, Settings, using
from rave_http.executors import ExecutionContext, ExecutorContext, RunBody
from rave_http.settings import ServiceSettings

CODE = '''
"""What both sides import."""

from rave_core import op


def bare(n):
    return n


@op(version=1)
def nothing(n):
    return n
'''


@contextlib.contextmanager
def cluster(place: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with workers of one thread each; ends with the block."""
    found, dask = place / "scheduler.json", str(Path(sys.executable).with_name("dask"))
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
    """An empty body by ``client.submit``, and one by the executor, in turn; medians."""
    loop = asyncio.new_event_loop()
    executor = DaskExecutor(ExecutorContext(runtime.settings, ServiceSettings(), {}))
    numbers = iter(range(1_000_000))

    def bare() -> None:
        client.submit(lab.bare, next(numbers), pure=False).result()

    def ours() -> None:
        call = lab.nothing.bind(next(numbers))
        context = ExecutionContext(runtime, parent=runtime.context, operation="lab/nothing")
        step = RunBody(call, lab.nothing.function, call.args, call.kwargs, context)
        _, error = loop.run_until_complete(executor.run(step, time_limit=None))
        assert error is None, error

    try:
        for _ in range(8):  # until both workers have their children
            bare(), ours()
        taken = [(milliseconds(bare), milliseconds(ours)) for _ in range(rounds)]
    finally:
        loop.run_until_complete(executor.close(0))
        loop.close()
    beside, own = (statistics.median(each) for each in zip(*taken, strict=True))
    return {"client.submit": beside, "executor": own, "ratio": own / beside}


def mapped(client: Client, lab: Any, calls: int) -> dict[str, float]:
    """Many small calls by ``client.map``, and by the pool; calls in a second."""
    with rave_core.open_pool("dask") as pool:
        list(rave_core.map(lab.nothing, range(-200, 0), executor=pool))  # until the workers have their children
        beside = milliseconds(lambda: client.gather(client.map(lab.bare, range(calls), pure=False)))
        first = milliseconds(lambda: list(rave_core.map(lab.nothing, range(calls), executor=pool)))
        again = milliseconds(lambda: list(rave_core.map(lab.nothing, range(calls), executor=pool)))
    rates = {"client.map": beside, "rave_core.map": first, "rave_core.map, all kept": again}
    return {name: calls / taken * 1e3 for name, taken in rates.items()} | {"ratio": beside / first}


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "dask_bench_lab.py").write_text(CODE)
        sys.path.append(directory)
        lab = import_module("dask_bench_lab")
        with cluster(place, asked.workers) as address, Client(address) as client:
            client.wait_for_workers(asked.workers)
            settings = Settings(cache=f"file://{place}/data", plugins={"dask": {"scheduler": address}})
            with Runtime(settings) as runtime, using(runtime):
                trips = round_trips(runtime, client, lab, asked.rounds)
                rates = mapped(client, lab, asked.calls)
    print("round trip of an empty body, ms: ", {name: round(value, 2) for name, value in trips.items()})
    print("small calls, in a second:        ", {name: round(value, 2) for name, value in rates.items()})


if __name__ == "__main__":
    main()

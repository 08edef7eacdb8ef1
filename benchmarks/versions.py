"""How long finding versions by source takes, for a program of many functions: ``python benchmarks/versions.py``.

Processor time of this thread, so that other work on the machine counts little. The first of each line is without facts
on disk. The last lines are about new processes that have them: what the first call does up to its version, for a small
program and for rave-flow, if that is installed.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rave_core.versions.source.closure import ClosureRequest, closure_of
from rave_core.versions.source.loaded_source import keep_facts_in, sources

LIMITS = {10: 1.0, 200: 10.0, 600: 30.0}
"""From numbers of nodes to milliseconds, warm."""
SMALL, SMALL_LIMIT = 20, 10.0
"""How many nodes a typical operation reaches, and the maximum of milliseconds in a new process."""
FLOW = ("rave_flow.operations.tables:top", "rave_flow.operations.tables:count")
NEW_PROCESS = """
import importlib, sys, time
from rave_core import Runtime, Settings, op, using
modules = [importlib.import_module(each.partition(":")[0]) for each in sys.argv[1:]]
found = [getattr(module, each.partition(":")[2]) for module, each in zip(modules, sys.argv[1:])]
operations = [each if hasattr(each, "resolved") else op(each) for each in found]
with using(Runtime(Settings(cache=["memory://"]))):
    for each in operations:
        started = time.thread_time()
        nodes = len(each.resolved().version.nodes)
        print(f"{(time.thread_time() - started) * 1000:.1f} {nodes}", end=" ")
"""


def program(count: int) -> str:
    """A module of ``count`` functions, each with a constant, that call each other in a row."""
    lines = ["def f0(x):\n    return x\n"]
    for number in range(1, count // 2 + 1):
        lines.append(f"LIMIT_{number} = {number}\n")
        lines.append(f"def f{number}(x):\n    return f{number - 1}(x) + LIMIT_{number}\n")
    return "\n".join(lines)


def measure(count: int, directory: Path) -> tuple[float, float, int]:
    """Milliseconds of the first time, and of the best of ten more; how many nodes there are."""
    name = f"versions_of_{count}"
    (directory / f"{name}.py").write_text(program(count))
    module = importlib.import_module(name)
    request = ClosureRequest((getattr(module, f"f{count // 2}"),))
    taken = []
    nodes = 0
    for _ in range(11):
        started = time.thread_time()
        nodes = len(closure_of(request).nodes)
        taken.append((time.thread_time() - started) * 1000)
    return taken[0], min(taken[1:]), nodes


def in_new_process(directory: Path, *names: str) -> list[float]:
    """Milliseconds and nodes of each operation in turn, in the best of three processes; empty if one is missing."""
    environ = {**os.environ, "PYTHONPATH": str(directory), "XDG_CACHE_HOME": str(directory)}
    command = [sys.executable, "-c", NEW_PROCESS, *names]
    runs = []
    for _ in range(4):  # the first makes the facts
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        if done.returncode != 0:
            return []
        runs.append(list(map(float, done.stdout.split())))
    return min(runs[1:])


def main() -> int:
    """Prints a line for each size; 1 if one is over its limit."""
    is_over = False
    with tempfile.TemporaryDirectory() as directory:
        sys.path.insert(0, directory)
        keep_facts_in(Path(directory) / "facts")
        for count, limit in LIMITS.items():
            first, warm, nodes = measure(count, Path(directory))
            print(f"{nodes} nodes: first {first:.1f} ms, warm {warm:.2f} ms (limit {limit:g})")
            is_over = is_over or warm > limit
        sources.store = None
        (Path(directory) / "small.py").write_text(program(SMALL))
        small, nodes = in_new_process(Path(directory), f"small:f{SMALL // 2}")
        print(f"{nodes:.0f} nodes, new process: first {small:.1f} ms (limit {SMALL_LIMIT:g})")
        is_over = is_over or small > SMALL_LIMIT
        if flow := in_new_process(Path(directory), *FLOW):
            print(f"rave-flow, {flow[1]:.0f} nodes, new process: first {flow[0]:.1f} ms, the next one {flow[2]:.1f} ms")
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())

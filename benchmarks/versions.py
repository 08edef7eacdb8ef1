"""How long finding versions by source takes, for a program of many functions: ``python benchmarks/versions.py``.

Processor time of this thread, so that other work on the machine counts little. The first line is without facts on disk.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from pathlib import Path

from rave_core.versions.source.closure import ClosureRequest, closure_of
from rave_core.versions.source.loaded_source import keep_facts_in, sources

LIMITS = {10: 1.0, 200: 10.0, 600: 30.0}
"""From numbers of nodes to milliseconds, warm."""


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
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())

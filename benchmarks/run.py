"""How much RAVE costs, as ratios to its peers within one run: `make bench`.

    python benchmarks/run.py            prints the table, and writes benchmarks/results/latest.json
    python benchmarks/run.py --check    fails on a ratio far above the last accepted result
    python benchmarks/run.py --accept   measures three times, and makes the middle figures the accepted result

A ratio over its limit makes each of them fail, unless its row waits for a disk to write. The page "Speed" of the
documentation explains the method.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import large
import small
from pairs import Comparison, median_ratio

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".bench"
RESULTS = ROOT / "benchmarks" / "results"
LATEST, ACCEPTED = RESULTS / "latest.json", RESULTS / "accepted.json"

NOISE = 2.0
"""How many times the accepted ratio a ratio may be before it counts as a regression."""
TRIES = 3
"""How often a comparison that seems to be too slow is made before that is believed."""

Measure = Callable[[Path], Iterator[Comparison]]
MEASURES: tuple[Measure, ...] = (
    small.memory_hits,
    small.disk,
    large.arrays,
    large.tables,
    large.keys,
    small.recursion,
    small.crowd,
)


def imports(_: Path) -> Iterator[Comparison]:
    """A fresh interpreter that imports the package from bytecode, less one that imports nothing."""
    for package in ("rave_core", "rave_backends"):
        compileall.compile_dir(ROOT / package, quiet=2, workers=0)

    def seconds(statement: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - began

    taken = []
    for _turn in range(7):
        nothing, ours, theirs = (seconds(each) for each in ("pass", "import rave_core", "import joblib"))
        taken.append((max(ours - nothing, 1e-6), max(theirs - nothing, 1e-6)))
    yield median_ratio("import", "import joblib", taken, limit=0.8)


def measured(accepted: dict[str, float], *, carefully: bool) -> Iterator[Comparison]:
    """All comparisons, each in a store of its own.

    What seems too slow is measured again, and the best try counts: a machine that is busy for a while is no
    regression. With ``carefully``, everything is measured as often, and the middle try counts.
    """
    # Not in the system's temporary directory: after a test run has deleted thousands of files there, ext4 slows down
    # the next process that creates some, and only one of the two sides may create files.
    PLACE.mkdir(exist_ok=True)
    for measure in (*MEASURES, imports):
        tries: dict[str, list[Comparison]] = {}
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(prefix="run-", dir=PLACE) as directory:
                for each in measure(Path(directory)):
                    tries.setdefault(each.row, []).append(each)
            if not carefully and not any(_is_slow(_best(each), accepted) for each in tries.values()):
                break
        yield from (_middle(each) if carefully else _best(each) for each in tries.values())


def _best(tries: list[Comparison]) -> Comparison:
    return min(tries, key=lambda each: each.ratio)


def _middle(tries: list[Comparison]) -> Comparison:
    return sorted(tries, key=lambda each: each.ratio)[len(tries) // 2]


def _is_slow(each: Comparison, accepted: dict[str, float]) -> bool:
    return each.is_steady and each.ratio > min(each.limit, accepted.get(each.row, each.limit) * NOISE)


def show(results: list[Comparison], accepted: dict[str, float]) -> None:
    """Prints the table."""
    print(f"{'what':58}{'RAVE':>12}{'peer':>12}{'ratio':>8}{'before':>8}{'limit':>7}   against")
    for r in results:
        before = f"{accepted[r.row]:8.2f}" if r.row in accepted else f"{'':8}"
        print(f"{r.name:58}{r.rave_us:9.1f} µs{r.peer_us:9.1f} µs{r.ratio:8.2f}{before}{r.limit:7.1f}   {r.peer}")


def write(path: Path, results: list[Comparison]) -> None:
    """Writes the results as JSON, with what they were measured on."""
    path.parent.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    rows = [
        {key: value if isinstance(value, str) else round(value, 3) for key, value in asdict(r).items()} for r in results
    ]
    path.write_text(json.dumps({**machine, "results": rows}, indent=2) + "\n")


def main() -> int:
    """Measures; 1 if a ratio is over its limit or, with ``--check``, far above the accepted one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail on a ratio far above the last accepted result")
    parser.add_argument("--accept", action="store_true", help="make this run the accepted result")
    options = parser.parse_args()
    known = json.loads(ACCEPTED.read_text())["results"] if ACCEPTED.exists() else []
    accepted = {f"{row['name']} / {row['peer']}": row["ratio"] for row in known}
    results = list(measured(accepted if options.check else {}, carefully=options.accept))
    show(results, accepted)
    write(LATEST, results)
    slow = [each.row for each in results if _is_slow(each, accepted if options.check else {})]
    if slow:
        print(f"too slow, in each of {TRIES} tries: {'; '.join(slow)}", file=sys.stderr)
    elif options.accept:
        write(ACCEPTED, results)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

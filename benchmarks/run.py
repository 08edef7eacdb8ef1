"""How much RAVE costs, as ratios to its peers within one run: `make bench`.

Every figure is the best of several rounds in which the two sides take turns, so that a noisy machine disturbs
both alike. A ratio over its limit makes the run fail.
"""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import diskcache

from rave_core import Runtime, Settings, op, using

ROUNDS = 15
PLACE = Path(__file__).resolve().parent.parent / ".bench"


@dataclass(frozen=True)
class Result:
    """One comparison: microseconds of both sides, and how many times the peer's RAVE may cost."""

    name: str
    peer: str
    rave_us: float
    peer_us: float
    limit: float

    @property
    def ratio(self) -> float:
        """How many times as much as its peer RAVE costs."""
        return self.rave_us / self.peer_us


@op(version="1")
def shout(text: str, times: int = 1) -> dict[str, object]:
    """A cheap body with a small result, so that only the cache is measured."""
    return {"text": text.upper(), "times": times, "values": [1.5, 2.5, 3.5]}


@op(version="1")
def add(a: int, b: int) -> int:
    """A result that a memory tier hands out as it is."""
    return a + b


def plain_add(a: int, b: int) -> int:
    """What `add` does."""
    return a + b


def compare(
    name: str, peer: str, ours: Callable[[], object], theirs: Callable[[], object], number: int, limit: float
) -> Result:
    """Times both sides in turns; the best round of each counts."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for side, function in enumerate((ours, theirs)):
            best[side] = min(best[side], timeit.timeit(function, number=number) / number * 1e6)
    return Result(name, peer, best[0], best[1], limit)


def memory_hit(directory: Path) -> Iterator[Result]:
    """A hit in the memory tier with scalar arguments, against a dict in C."""
    cached = functools.lru_cache(typed=True)(plain_add)
    with using(
        Runtime(Settings(cache=["memory://", f"file://{directory}/memory"], products=[f"file://{directory}/p"]))
    ):
        add(1, 2)
        cached(1, 2)
        space = {"add": add, "cached": cached}
        best = {"add": float("inf"), "cached": float("inf")}
        for _ in range(ROUNDS):
            for name in best:
                best[name] = min(best[name], timeit.timeit(f"{name}(1, 2)", globals=space, number=50_000) / 0.05)
    yield Result("memory hit", "functools.lru_cache(typed=True)", best["add"], best["cached"], 8.0)


def disk(directory: Path) -> Iterator[Result]:
    """A hit and a miss on disk, against diskcache."""
    peer = diskcache.Cache(str(directory / "diskcache"))
    theirs = peer.memoize()(shout.function)
    settings = Settings(cache=[f"file://{directory}/file"], products=[f"file://{directory}/p"])
    with using(Runtime(settings)):
        shout("a")
        theirs("a")
        yield compare("disk hit", "diskcache.memoize", lambda: shout("a"), lambda: theirs("a"), 500, 1.2)
        ours_new, theirs_new = itertools.count(), itertools.count()
        yield compare(
            "disk miss and store",
            "diskcache.memoize",
            lambda: shout("n", next(ours_new)),
            lambda: theirs("n", next(theirs_new)),
            200,
            1.5,
        )
    peer.close()


def imports(_: Path) -> Iterator[Result]:
    """A fresh interpreter that imports the package, less one that imports nothing."""

    def seconds(statement: str) -> float:
        return timeit.timeit(lambda: subprocess.run([sys.executable, "-c", statement], check=True), number=1)

    best = {"pass": float("inf"), "import rave_core": float("inf"), "import joblib": float("inf")}
    for _ in range(7):
        for statement in best:
            best[statement] = min(best[statement], seconds(statement))
    ours, theirs = (best[name] - best["pass"] for name in ("import rave_core", "import joblib"))
    yield Result("import", "import joblib", ours * 1e6, theirs * 1e6, 0.5)


def main() -> int:
    """Prints the table, or JSON with ``--json``; 1 if a limit is passed."""
    results = []
    # Not in the system's temporary directory: after a test run has deleted thousands of files there, ext4 slows down
    # the next process that creates some, and only one of the two sides here creates files.
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=PLACE) as directory:
        for measure in (memory_hit, disk, imports):
            results.extend(measure(Path(directory)))
    if "--json" in sys.argv:
        print(json.dumps([asdict(result) | {"ratio": result.ratio} for result in results], indent=2))
    else:
        print(f"{'what':22}{'RAVE':>12}{'peer':>12}{'ratio':>9}{'limit':>8}   against")
        for r in results:
            print(f"{r.name:22}{r.rave_us:9.2f} µs{r.peer_us:9.2f} µs{r.ratio:8.2f}×{r.limit:7.1f}×   {r.peer}")
    over = [result.name for result in results if result.ratio > result.limit]
    if over:
        print(f"over the limit: {', '.join(over)}", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())

"""What small values cost: hits in memory, hits and misses on a disk, recursion, and processes with many threads."""

from __future__ import annotations

import functools
import itertools
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cachetools
import diskcache
import joblib
from pairs import Comparison, compare, median_ratio

from rave_core import Runtime, Settings, carry, op, using


@op(version="1")
def shout(text: str, times: int = 1) -> dict[str, object]:
    """A cheap body with a small result, so that only the cache is measured."""
    return {"text": text.upper(), "times": times, "values": [1.5, 2.5, 3.5]}


@op(version="1")
def add(a: int, b: int) -> int:
    """A result that a memory tier returns as it is."""
    return a + b


@op(version="1")
def fib(n: int) -> int:
    """Calls itself twice: 51 misses and 48 hits for 50."""
    return n if n < 2 else fib(n - 2) + fib(n - 1)


@op(version="1")
def flat(n: int) -> int:
    """What `fib` stores, without the recursion."""
    return n


def runtime(place: Path, *layers: str, lease_from: float = 0.0) -> Runtime:
    """A runtime with a cache of its own below ``place``, under ``layers``."""
    cache = [*layers, f"file://{place}/cache"]
    return Runtime(Settings(cache=cache, products=[f"file://{place}/products"], lease_from=lease_from))


def memory_hits(place: Path) -> Iterator[Comparison]:
    """A hit with two integers in the memory tier, beside a dict in C and a plain one."""
    in_c = functools.lru_cache(typed=True)(add.function)
    plain = cachetools.cached(cachetools.LRUCache(128))(add.function)
    with using(runtime(place, "memory://")):
        for name, peer, limit in (("lru_cache(typed=True)", in_c, 9.0), ("cachetools.cached", plain, 2.0)):
            ours, theirs = functools.partial(add, 1, 2), functools.partial(peer, 1, 2)
            yield compare("memory hit, two integers", name, ours, theirs, limit=limit, number=20_000)


def disk(place: Path) -> Iterator[Comparison]:
    """Hits and misses of a small value on a disk."""
    ours, quick = runtime(place), runtime(place / "quick", lease_from=0.0005)
    with diskcache.Cache(str(place / "diskcache")) as peer, using(ours):
        theirs = peer.memoize()(shout.function)
        memory = joblib.Memory(str(place / "joblib"), verbose=0).cache(shout.function)
        yield compare(
            "disk hit, small", "diskcache", lambda: shout("a"), lambda: theirs("a"), limit=1.6, number=300, pairs=15
        )
        yield compare(
            "disk hit, small", "joblib", lambda: shout("a"), lambda: memory("a"), limit=0.5, number=100, pairs=15
        )
        one, other = itertools.count(), itertools.count()
        for name, runtime_of_ours in (("", ours), (", without a lease", quick)):
            with using(runtime_of_ours):
                yield compare(
                    f"disk miss and store, small{name}",
                    "diskcache",
                    lambda: shout("n", next(one)),
                    lambda: theirs("n", next(other)),
                    limit=4.0,
                    number=60,
                    pairs=15,
                    is_steady=False,
                )


def recursion(place: Path) -> Iterator[Comparison]:
    """fib(50) with nothing stored, beside the same number of misses and hits of a flat operation."""
    numbers = itertools.count()

    def nested() -> None:
        with using(runtime(place / str(next(numbers)), "memory://")):
            fib(50)

    def one_by_one() -> None:
        with using(runtime(place / str(next(numbers)), "memory://")):
            for n in (*range(51), *range(48)):
                flat(n)

    yield compare("fib(50) cold", "51 misses and 48 hits", nested, one_by_one, limit=1.6, pairs=7)


def crowd(place: Path) -> Iterator[Comparison]:
    """Two processes with eight threads each, whose keys follow Zipf's law, on one store."""
    taken = []
    for turn in range(3):
        sides = [
            _crowd_seconds(which, place / f"{which}{turn}") for which in ("rave", "diskcache")[:: 1 - turn % 2 * 2]
        ]
        taken.append(tuple(sides[:: 1 - turn % 2 * 2]))
    yield median_ratio("2 processes × 8 threads, Zipf", "diskcache", taken, limit=3.0, is_steady=False)


def _crowd_seconds(which: str, place: Path) -> float:
    """How long both processes took, from when both were ready."""
    command = [sys.executable, __file__, which, str(place)]
    started = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(2)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    began = time.perf_counter()
    for process in started:
        process.communicate("go\n")
    if any(process.returncode for process in started):
        raise RuntimeError(f"a process of the crowd for {which} failed")
    return time.perf_counter() - began


def _member(which: str, place: Path, seed: int) -> None:
    """One process of the crowd: 8 threads with 250 calls each."""
    weights = [1 / rank for rank in range(1, 2001)]
    keys = random.Random(seed).choices(range(2000), weights, k=2000)

    def call_all(call: Any) -> None:
        print("ready", flush=True)
        sys.stdin.readline()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(carry(lambda start: [call("z", key) for key in keys[start::8]]), range(8)))

    if which == "rave":
        with using(runtime(place)):
            call_all(shout)
    else:
        with diskcache.Cache(str(place), timeout=60) as peer:
            call_all(peer.memoize()(shout.function))


if __name__ == "__main__":
    _member(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

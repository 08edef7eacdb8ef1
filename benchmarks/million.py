"""A directory with a million entries: `python benchmarks/million.py [--entries N] [--directory DIR]`.

It compares two caches, one with a thousand entries and one with N. It times hits in the large one against hits in the
small one, in turns. Then N/10 entries expire, and a purge removes them while this process continues reading. It asks
for the statistics on the command line, as a user would, before and after adding entries. A figure over its limit makes
the run fail.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from rave_core import Runtime, Settings, op, using
from rave_core.backend import Backend
from rave_core.model import Key
from rave_core.storage.frame import pack, unpack

KNOWN = 1000
"""Entries that the hits read; the others only make up the number."""

ROUNDS = 4
RATIO, PURGE_SECONDS, STATS_SECONDS, LIST_SECONDS, PURGER_MB = 1.5, 60.0, 5.0, 10.0, 200.0
MEASURED = """
import resource, sys, time
started = time.perf_counter()
from rave_core.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - started, used, file=sys.stderr)
sys.exit(code)
"""


@op(version="1", name="bench/lookup")
def lookup(number: int) -> dict[str, int]:
    """A small answer."""
    return {"number": number, "square": number * number}


@dataclass(frozen=True)
class Told:
    """A command's output, its seconds including the interpreter's start, and its memory in MB."""

    document: dict[str, object]
    seconds: float
    megabytes: float


def rave(url: str, *arguments: str, places: bool = True) -> Told:
    """Runs ``rave cache … --json`` on the cache at ``url``."""
    environ = {**os.environ, "RAVE_CACHE": url}
    started = time.perf_counter()
    command = [sys.executable, "-c", MEASURED, "cache", *arguments, *(["--data"] if places else []), "--json"]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    took = time.perf_counter() - started
    return Told(json.loads(done.stdout), took, float(done.stderr.split()[-1]))


class Filler:
    """Creates entries like a given one under keys of their own, and puts them."""

    def __init__(self, backend: Backend, key: Key, seal: object) -> None:
        frame = backend.get(key.text)
        assert frame is not None
        self._backend = backend
        self._key = key
        self._seal = seal
        self._entry, self._segments = unpack(frame, key.text, seal)  # type: ignore[arg-type]  # the cache's own
        self._digits = "abcdefghijklmnopqrstuvwxyz234567"

    def put(self, number: int, *, expires_at: float) -> None:
        """Puts entry ``number``, of one of ten operations."""
        name = blake2b(str(number).encode(), digest_size=len(self._key.arguments)).digest()
        text = "".join(self._digits[byte % 32] for byte in name)
        operation = self._key.operation if number % 10 == 0 else f"bench/other{number % 10}"
        entry = replace(self._entry, key=Key(operation, self._key.version, text).text, expires_at=expires_at)
        self._backend.put(entry.key, pack(entry, self._segments, self._seal))  # type: ignore[arg-type]  # what hints would refuse


@contextmanager
def opened(url: str) -> Iterator[Runtime]:
    """A runtime whose only tier is the directory, with the known entries in it."""
    with Runtime(Settings(cache=[url], products=[f"{url.partition('?')[0]}-products"])) as runtime, using(runtime):
        for number in range(KNOWN):
            lookup(number)
    with Runtime(Settings(cache=[url], products=[f"{url.partition('?')[0]}-products"])) as runtime:
        yield runtime


def microseconds(runtime: Runtime, numbers: list[int]) -> list[float]:
    """How long each hit takes."""
    taken = []
    with using(runtime):
        for number in numbers:
            started = time.perf_counter()
            lookup(number)
            taken.append((time.perf_counter() - started) * 1e6)
    return taken


def hits(small: Runtime, large: Runtime) -> tuple[float, float]:
    """Median microseconds of a hit in each, taken in turns."""
    ours: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        numbers = random.sample(range(KNOWN), KNOWN)
        for which, runtime in enumerate((small, large)):
            ours[which] += microseconds(runtime, numbers)
    return statistics.median(ours[0]), statistics.median(ours[1])


def purge(url: str, reader: Runtime) -> tuple[Told, list[float]]:
    """Purges in a process of its own while this one continues with hits; returns their microseconds."""
    command = [sys.executable, "-c", MEASURED, "cache", "purge", "--data", "--json"]
    environ = {**os.environ, "RAVE_CACHE": url}
    started = time.perf_counter()
    taken: list[float] = []
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            taken += microseconds(reader, random.sample(range(KNOWN), 50))
            time.sleep(0.01)
        took = time.perf_counter() - started
        assert process.stdout is not None
        assert process.stderr is not None
        said, figures = process.stdout.read(), process.stderr.read()
    if process.returncode:
        raise SystemExit(figures)
    return Told(json.loads(said), took, float(figures.split()[-1])), taken


class Report:
    """Prints each figure beside its limit, and remembers whether one is over it."""

    def __init__(self) -> None:
        self.is_over = False

    def line(self, what: str, figure: float, unit: str, limit: float | None = None) -> None:
        """One figure."""
        bound = "" if limit is None else f"   at most {limit:g}: {'yes' if figure <= limit else 'NO'}"
        self.is_over |= limit is not None and figure > limit
        print(f"{what:58} {figure:9.2f} {unit:4}{bound}", flush=True)


def entries_of(told: Told) -> int:
    """How many entries ``rave cache stats --json`` counted."""
    (found,) = told.document["caches"]  # type: ignore[misc]  # plain JSON
    return int(found["entries"])  # type: ignore[index]  # plain JSON


def measure(place: Path, number: int, report: Report, options: str) -> None:
    """The whole run."""
    small_url, url = f"file://{place}/small", f"file://{place}/large{options}"
    with opened(small_url) as small, opened(url) as large:
        with using(large):
            key = lookup.key(1)
        assert key is not None
        filler = Filler(large.cache.backend, key, large.cache.signer)
        started = time.perf_counter()
        now = time.time()
        for index in range(KNOWN, number):
            filler.put(index, expires_at=now if index % 10 == 3 else float("inf"))
        report.line(f"putting {number - KNOWN} entries", time.perf_counter() - started, "s")
        few, many = hits(small, large)
        report.line("a hit among a thousand, median", few, "µs")
        report.line(f"a hit among {number}, median", many, "µs")
        report.line("  the one by the other", many / few, "", RATIO)
        first = rave(url, "stats")
        report.line("rave cache stats, of what nobody counted before", first.seconds, "s")
        assert entries_of(first) == number, first.document
        quiet = microseconds(large, random.sample(range(KNOWN), KNOWN))
        purged, reading = purge(url, large)
        expected = sum(index % 10 == 3 for index in range(KNOWN, number))
        assert purged.document["entries"] == expected, purged.document
        report.line(f"rave cache purge, of {expected} expired entries", purged.seconds, "s", PURGE_SECONDS)
        report.line("  memory of the purger", purged.megabytes, "MB", PURGER_MB)
        report.line("  hits meanwhile, median", statistics.median(reading), "µs")
        report.line("  hits before, median", statistics.median(quiet), "µs")
        report.line("  the slowest of the hits meanwhile", max(reading) / 1000, "ms")
        told = rave(url, "stats")
        report.line("rave cache stats", told.seconds, "s", STATS_SECONDS)
        assert entries_of(told) == number - expected
        for index in range(number, number + KNOWN):
            filler.put(index, expires_at=float("inf"))
        told = rave(url, "stats")
        report.line(f"rave cache stats, after {KNOWN} more entries everywhere", told.seconds, "s", STATS_SECONDS)
        report.line("  its memory", told.megabytes, "MB", PURGER_MB)
        assert entries_of(told) == number - expected + KNOWN
        told = rave(url, "ls", "--limit", "20")
        report.line("rave cache ls --limit 20, the newest of all", told.seconds, "s", LIST_SECONDS)
        report.line("  its memory", told.megabytes, "MB", PURGER_MB)
        told = rave(url, "show", key.text, places=False)
        report.line("rave cache show, of one by its key", told.seconds, "s", STATS_SECONDS)


def main() -> None:
    """Measures, prints, and exits with 1 when a figure is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, help="where the caches are made; a temporary directory by default")
    parser.add_argument("--options", default="", help="of the cache's URL, as ?max_bytes=10GiB&policy=cost")
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="rave-million-", dir=arguments.directory))
    report = Report()
    try:
        measure(place, arguments.entries, report, arguments.options)
    finally:
        shutil.rmtree(place)
    sys.exit(int(report.is_over))


if __name__ == "__main__":
    main()

"""Pages about tables, against their targets: `python benchmarks/pages.py [--rows N]`.

A service with one worker keeps a table of N rows, ten million by default, and one of 250. Each figure is the best of
some requests, since a busy machine can only make one slower; where the second one costs less, there is only one. A
figure that misses its target makes the run fail. The targets are for a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from running import start_service

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TRIES = 3
LAB = '''
"""Tables to look at."""

import numpy as np
import pyarrow as pa

from rave_core import op, typemap


@op(time_range=("start", "end"))
@typemap(rows=int, start=str, end=str)
def table(rows: int = 250, start: str = "", end: str = ""):
    """Flows that nobody saw."""
    made = np.random.default_rng(7)
    return pa.table({
        "n": np.arange(rows), "bytes": made.integers(0, 10**9, rows), "port": made.integers(0, 1024, rows),
        "name": pa.array(["web", "mail", "name"]).take(pa.array(made.integers(0, 3, rows))),
    })


__export__ = {"table": table}
'''


@dataclass(frozen=True)
class Figure:
    """What was measured, in a unit, and the target: the most of it, or for speeds the least."""

    what: str
    value: float
    unit: str
    target: float
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is within its target."""
        return self.value >= self.target if self.is_least else self.value <= self.target

    def __str__(self) -> str:
        word = "at least" if self.is_least else "at most"
        return f"{'' if self.is_met else 'MISSED '}{self.what}: {self.value:.4g} {self.unit} ({word} {self.target:g})"


class Reader:
    """A client that looks at pages."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def page(self, path: str) -> str:
        """The text of a page."""
        found = self._session.get(f"{self._url}{path}", headers=BROWSER, timeout=120)
        found.raise_for_status()
        return found.text

    def result(self, rows: int) -> str:
        """The path of the page about a table of so many rows, which is made first."""
        path = f"{self._url}/lab/table?rows={rows}"
        found = self._session.get(
            path,
            headers={"Accept": "application/vnd.apache.arrow.stream", "Prefer": "wait=60"},
            timeout=300,
            stream=True,
        )
        found.raise_for_status()
        found.close()
        return f"/-/ui/r/{found.headers['Content-Location'].removeprefix('/-/products/')}"

    def milliseconds(self, path: str, *, tries: int = TRIES) -> float:
        """How long a page takes; the best of some tries."""
        return 1000 * min(_seconds(lambda: self.page(path)) for _ in range(tries))

    def download(self, path: str, worker: psutil.Process) -> tuple[float, float]:
        """How fast a download comes, in MB/s, and by how many MB it makes the worker grow at most."""
        before = _own_megabytes(worker)
        began, size, most = time.perf_counter(), 0, before
        with self._session.get(f"{self._url}{path}", timeout=300, stream=True) as found:
            found.raise_for_status()
            for count, piece in enumerate(found.iter_content(1 << 20)):
                size += len(piece)
                most = max(most, _own_megabytes(worker)) if count % 20 == 0 else most
        return size / 1e6 / (time.perf_counter() - began), most - before


def _own_megabytes(process: psutil.Process) -> float:
    """What a process has in memory beside mapped files, which the system can drop at any time."""
    found = process.memory_info()
    return float(found.rss - found.shared) / 1e6


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def weights(reader: Reader, path: str) -> Iterator[Figure]:
    """How heavy the page of 100 rows is."""
    text = reader.page(path)
    yield Figure("HTML of 100 rows", len(text.encode()) / 1000, "kB", 40)
    files = "".join(reader.page(url) for url in sorted(set(re.findall(r'"(/-/static/[^"]+)"', text))))
    inline = "".join(re.findall(r"<(?:style|script)[^>]*>(.*?)</(?:style|script)>", text, re.DOTALL))
    yield Figure("its style and script, gzip", len(gzip.compress((files + inline).encode())) / 1000, "kB", 60)


def figures(reader: Reader, rows: int, worker: psutil.Process) -> Iterator[Figure]:
    """All figures."""
    small, large = reader.result(250), reader.result(rows)
    product = f"/-/products/{large.removeprefix('/-/ui/r/')}"
    yield Figure("a stored page", reader.milliseconds(small, tries=10), "ms", 50)
    yield from weights(reader, small)
    reader.page(large)  # the worker maps the table
    yield Figure(f"a page of {rows:,} rows", reader.milliseconds(f"{large}?page=50000"), "ms", 150)
    speed, growth = reader.download(f"{product}/rows?rave.f=csv", worker)
    yield Figure("CSV", speed, "MB/s", 50, is_least=True)
    yield Figure("memory of the worker for it", growth, "MB", 20)
    yield Figure("first sort", reader.milliseconds(f"{large}?sort=-bytes", tries=1), "ms", 1500)
    deep = f"{large}?sort=-bytes&page={rows // 200}"
    yield Figure("a page in the middle of that order", reader.milliseconds(deep, tries=1), "ms", 1500)
    yield Figure("later page of the same order", reader.milliseconds(f"{large}?sort=-bytes&page=9"), "ms", 300)
    yield Figure("a condition", reader.milliseconds(f"{large}?where=port%3C80", tries=1), "ms", 1000)
    yield Figure("the values of a column", reader.milliseconds(f"{large}?facet=name", tries=1), "ms", 1000)


def main() -> int:
    """Prints every figure; returns 1 if one misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the large table")
    rows = parser.parse_args().rows
    missed = 0
    with tempfile.TemporaryDirectory() as place:
        own = {"workers": 1, "permissions": {"anonymous": ["view", "run"]}}
        with start_service(Path(place), {"lab": LAB}, own, memory="1GiB") as service:
            for figure in figures(Reader(service.url), rows, *service.workers()):
                print(figure, flush=True)
                missed += not figure.is_met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

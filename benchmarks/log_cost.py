"""What the access log and the metrics cost of the rate of cached hits: at most 15 %.

Two services with one worker each answer the same hit in turns: one as it is, with an access log in a file, and one
without a log whose requests are not counted either. What counts is the processor time of the worker for each request,
with all its threads: its inverse is the rate of a worker that has a processor to itself, whatever the machine does.
Each pair of turns gives a ratio, and their median counts. It needs wrk. Run it from a checkout:
``python benchmarks/log_cost.py``, with ``--pairs N`` for more pairs, and ``--json`` for machines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests
from running import Started, start_service
from service import LAB, requests_per_second

MOST: Final = 0.15
"""The share of the rate that both may cost together."""

SECONDS: Final = 2.0
"""For which wrk asks."""

BARE: Final = '''\
"""Takes the metrics out of the way of requests, when a worker imports the application."""

import importlib.abc
import sys


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "rave_http.app":
            sys.meta_path.remove(self)
            from rave_http.asgi import outer_middleware

            whole = outer_middleware.OuterMiddleware.__init__
            bare = lambda self, inner, **rest: whole(self, inner, **{**rest, "metrics": None})
            outer_middleware.OuterMiddleware.__init__ = bare
        return None


sys.meta_path.insert(0, Finder())
'''


@contextmanager
def service(place: Path, *, is_bare: bool) -> Iterator[Started]:
    """A service with one worker, with or without log and metrics."""
    place.mkdir()
    environ: Mapping[str, str] = {}
    settings: dict[str, object] = {"workers": 1}
    if is_bare:
        (place / "bare").mkdir()
        (place / "bare" / "sitecustomize.py").write_text(BARE, "utf-8")
        environ = {"PYTHONPATH": str(place / "bare")}
    else:
        settings["access_log"] = str(place / "access.log")
    with start_service(place, {"lab": LAB}, settings, environ=environ) as started:
        for _ in range(20):
            requests.get(f"{started.url}/lab/square?n=7", timeout=10)
        yield started


def is_counted(url: str) -> bool:
    """Whether the hits of a service are in its metrics."""
    text = requests.get(f"{url}/-/metrics", timeout=10).text
    return any("rave_requests_total" in line and '="operation"' in line for line in text.splitlines())


def microseconds(service: Started) -> float:
    """Processor time of the worker for one hit, while wrk asks for as many as it gives."""
    (worker,) = service.workers()
    before = sum(worker.cpu_times()[:2])
    rate = requests_per_second(f"{service.url}/lab/square?n=7")
    return (sum(worker.cpu_times()[:2]) - before) / (rate * SECONDS) * 1e6


def costs(pairs: int) -> list[tuple[float, float]]:
    """The microseconds of a hit with and without log and metrics, of each pair of turns."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="rave-log-cost-") as place,
        service(Path(place) / "whole", is_bare=False) as whole,
        service(Path(place) / "bare", is_bare=True) as bare,
    ):
        if not is_counted(whole.url) or is_counted(bare.url):
            raise SystemExit("the services are not what they should be: one has to count requests, the other must not")
        for number in range(pairs):
            sides = [whole, bare] if number % 2 else [bare, whole]
            took = {id(each): microseconds(each) for each in sides}
            found.append((took[id(whole)], took[id(bare)]))
    return found


def main() -> int:
    """Prints the times and the cost; 1 if it is too high."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=9, help="of turns, four seconds each")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    found = costs(given.pairs)
    cost = 1 - statistics.median(bare / whole for whole, bare in found)
    if given.json:
        print(json.dumps({"pairs": found, "cost": cost, "most": MOST}, indent=2))
    else:
        for whole, bare in found:
            print(f"with log and metrics {whole:6.1f} µs   without {bare:6.1f} µs   rate {bare / whole:.3f}")
        print(f"cost: {cost:.1%} of the rate (median), limit {MOST:.0%}: {'met' if cost <= MOST else 'MISSED'}")
    return 0 if cost <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())

"""What reading the newest version of a document costs: a rate of at least 0.7 of that of cached hits.

One worker answers both in turns. What counts is the processor time of the worker for each request, as in `log_cost`. It
needs wrk, and the packages of this checkout. Run it from a checkout: ``python benchmarks/journal.py``, with
``--pairs N`` for more pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests
from log_cost import SECONDS
from running import Started, start_service
from service import LAB, requests_per_second

LEAST: Final = 0.7
"""The rate of head reads, as a share of that of hits."""

HEAD: Final = "/-/journal/radar"
HIT: Final = "/lab/square?n=7"


@contextmanager
def service(place: Path) -> Iterator[Started]:
    """A service with one worker, a journal and a kept result."""
    settings = {"workers": 1, "anonymous": ["view", "run", "write"]}
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    with start_service(place, {"lab": LAB}, settings, environ=environ) as started:
        head = {"X-Rainer-Author": "ada"}
        payload = b'{"n":7,"square":49}'
        requests.post(f"{started.url}{HEAD}/1", data=payload, headers=head, timeout=10).raise_for_status()
        for _ in range(20):
            for path in (HEAD, HIT):
                answer = requests.get(f"{started.url}{path}", timeout=10)
                if answer.content != payload:
                    raise SystemExit(f"{path} gives {answer.status_code}: {answer.text}")
        yield started


def microseconds(started: Started, path: str) -> float:
    """Processor time of the worker for one request."""
    (worker,) = started.workers()
    before = sum(worker.cpu_times()[:2])
    rate = requests_per_second(f"{started.url}{path}")
    return (sum(worker.cpu_times()[:2]) - before) / (rate * SECONDS) * 1e6


def main() -> int:
    """Measures, and prints JSON; 1 if heads are read too slowly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory(prefix="rave-journal-") as place, service(Path(place)) as started:
        took = [(microseconds(started, HEAD), microseconds(started, HIT)) for _ in range(pairs)]
    share = statistics.median(hit / head for head, hit in took)
    head, hit = (statistics.median(each) for each in zip(*took, strict=True))
    print(json.dumps({"head_us": round(head, 1), "hit_us": round(hit, 1), "share": round(share, 3)}, indent=2))
    return int(share < LEAST)


if __name__ == "__main__":
    sys.exit(main())

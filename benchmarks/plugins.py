"""What plugins cost requests: the guest book of rave-example at most 5 % of the rate of hits, and events nothing.

Two services with one worker each answer the same hit in turns, one with the guest book and its service, one without.
What counts is the processor time of the worker for each request, as in `log_cost`. Then a worker publishes a hundred
thousand events a second while another one answers hits to a client that also follows the events: what that client gets
and what it is told it has lost must add up. It needs wrk, and the packages of this checkout. Run it from a checkout:
``python benchmarks/plugins.py``, with ``--pairs N`` for more pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from log_cost import microseconds
from running import Started, start_service
from service import LAB

from rave_http.client import Client

MOST: Final = 0.05
"""The share of the rate that the guest book may cost."""

RATE: Final = 100_000
"""Events a second."""

STORM: Final = '''\
"""Publishes events at a rate, in a thread."""

import os
import threading
import time

from rave_core import current_runtime, expires, mime_type, nocache, op, typemap


@op
@expires(nocache)
@typemap(int, int)
@mime_type("text/plain")
def storm(rate: int, seconds: int) -> str:
    """Begins the storm, and returns the process."""
    events = current_runtime().events

    def publish() -> None:
        began, number = time.monotonic(), 0
        while number < rate * seconds:
            due = min(int((time.monotonic() - began) * rate), rate * seconds)
            for number in range(number, due):
                events.publish("storm.n", {"namespace": "storm", "n": number})
            number = max(number, due)
            time.sleep(0.005)
        events.publish("storm.over", {"namespace": "storm"})

    threading.Thread(target=publish).start()
    return str(os.getpid())


__export__ = {"storm": storm}
'''


@contextmanager
def service(place: Path, *, has_guests: bool, workers: int = 1) -> Iterator[Started]:
    """A service that is warm, with or without the guest book."""
    place.mkdir()
    environ = {"RAVE_DISABLED_PLUGINS": "" if has_guests else "guestbook", "HOME": str(place)}
    with start_service(place, {"lab": LAB, "storm": STORM}, {"workers": workers}, environ=environ) as started:
        for _ in range(20):
            requests.get(f"{started.url}/lab/square?n=7", timeout=10)
        yield started


def costs(pairs: int, place: Path) -> list[tuple[float, float]]:
    """The microseconds of a hit with and without the guest book, of each pair of turns."""
    found = []
    with (
        service(place / "with", has_guests=True) as full,
        service(place / "without", has_guests=False) as bare,
    ):
        if not requests.get(f"{full.url}/-/guestbook", timeout=10).ok:
            raise SystemExit("the guest book is not installed: pip install ./plugins/rave-example")
        for number in range(pairs):
            sides = [full, bare] if number % 2 else [bare, full]
            took = {id(each): microseconds(each) for each in sides}
            found.append((took[id(full)], took[id(bare)]))
    return found


def latencies(url: str, seconds: float) -> list[float]:
    """Milliseconds of cached hits on one connection, one after the other."""
    found, end = [], time.monotonic() + seconds
    with requests.Session() as session:
        while time.monotonic() < end:
            began = time.perf_counter()
            session.get(f"{url}/lab/square?n=7", timeout=10).raise_for_status()
            found.append((time.perf_counter() - began) * 1e3)
    return found


class Follower(threading.Thread):
    """Counts the events of a storm, and what it is told it has lost."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.got = self.lost = 0
        self.is_open = threading.Event()
        self._client = Client(url)

    def run(self) -> None:
        """Follows until the storm is over."""
        for event in self._client.events("storm.*"):
            self.is_open.set()
            if event.topic == "storm.over":
                return
            self.got += event.topic == "storm.n"
            self.lost += int(event.data["count"] or 0) if event.topic == "events.lost" else 0


def storm(place: Path, seconds: int = 3) -> dict[str, Any]:
    """The latencies of hits before and during a storm, and what became of its events."""
    with service(place / "storm", has_guests=False, workers=2) as started:
        follower = Follower(started.url)
        follower.start()
        follower.is_open.wait(20)
        quiet = latencies(started.url, seconds)
        requests.get(f"{started.url}/storm/storm?rate={RATE}&seconds={seconds}", timeout=10).raise_for_status()
        stormy = latencies(started.url, seconds)
        follower.join(60)
    return {
        "quiet_ms": [statistics.median(quiet), statistics.quantiles(quiet, n=100)[98]],
        "stormy_ms": [statistics.median(stormy), statistics.quantiles(stormy, n=100)[98]],
        "published": RATE * seconds,
        "got": follower.got,
        "lost": follower.lost,
    }


def main() -> int:
    """Prints the figures as JSON; 1 if the guest book costs too much, or an event is missing without a word."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=9, help="of turns, four seconds each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rave-plugins-") as place:
        pairs = costs(given.pairs, Path(place))
        found = storm(Path(place))
    cost = 1 - statistics.median(bare / full for full, bare in pairs)
    print(json.dumps({"pairs_us": pairs, "cost": cost, "most": MOST, "storm": found}, indent=2))
    return 0 if cost <= MOST and found["got"] + found["lost"] >= found["published"] else 1


if __name__ == "__main__":
    sys.exit(main())

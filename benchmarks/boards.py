"""How long a browser needs for a dashboard: twelve stored panels drawn, and a brush over a chart to the redrawn page.

A service with one worker answers a headless Chromium over a loopback socket. Each run opens the dashboard in a fresh
browser cache; "drawn" is when all twelve frames hold their charts, tables and bars, which includes the page itself. A
brush drags over a chart; it ends when all frames of the chosen time are drawn, whose results are stored, too. Beside
them stands an empty page of the same service, which is what the browser itself costs.

Run it from a checkout: ``PYTHONPATH=. python benchmarks/boards.py``. With ``--check`` it fails if a median is over its
target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from running import start_service

from rave_core.clock import SystemClock
from rave_http.auth.api_keys import KeyStore
from tests.http.browser import Browser, opened

PANELS, RUNS = 12, 5
TARGETS = {"drawn": 1.5, "brush": 1.0}
"""Seconds at most, as medians."""
LAB = '''\
"""A namespace to measure."""

import datetime

from rave_core import op


@op(time_range=("start", "end", "bin"))
def load(start: str = "", end: str = "", bin: str = "900s", host: str = ""):
    """Bytes over time."""
    first, last = (datetime.datetime.fromisoformat(text) for text in (start, end))
    step = datetime.timedelta(seconds=float(bin.removesuffix("s")))
    count = int((last - first) / step)
    return [{"ts": first + at * step, "bytes": (at * 7919 + len(host)) % 5000, "flows": at} for at in range(count)]


__export__ = {"load": load}
'''
VIEWS: tuple[dict[str, Any], ...] = (
    {"mark": "area", "y": "bytes", "compare": "previous"},
    {"mark": "table", "sort": "-bytes", "rows": 10},
    {"mark": "bars", "y": "flows", "rows": 8},
)
BOARD = {
    "format": "rave.dashboard/1",
    "title": "Twelve panels",
    "shared": ["everyone"],
    "range": {"from": "2024-05-14", "to": "2024-05-15"},
    "panels": [
        {
            "id": f"p{at}",
            "title": f"Panel {at}",
            "call": {"operation": "lab/load", "arguments": {"host": f"h{at}"}},
            "range": True,
            "view": VIEWS[at % len(VIEWS)],
            "at": [at % 3 * 4, at // 3 * 3, 4, 3],
        }
        for at in range(PANELS)
    ],
}
DRAWN = f"""(() => {{
  const frames = [...document.querySelectorAll("iframe")];
  return frames.length === {PANELS} && frames.every(each =>
    each.contentDocument?.readyState === "complete" && each.contentDocument.querySelector("figure, tbody tr"));
}})()"""
DRAG = """(() => {
  const plot = document.querySelector("iframe").contentDocument.querySelector("svg[data-start]");
  const box = plot.getBoundingClientRect();
  for (const [kind, share] of [["down", 0.25], ["move", 0.5], ["up", 0.75]])
    plot.dispatchEvent(new plot.ownerDocument.defaultView.PointerEvent("pointer" + kind,
      {clientX: box.left + share * box.width, pointerId: 1, bubbles: true}));
})()"""


def save(url: str, key: str) -> None:
    """Saves the dashboard."""
    path = f"{url}/-/dashboards/ada/twelve"
    answer = requests.put(path, json=BOARD, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    answer.raise_for_status()


def drawn(browser: Browser, url: str) -> float:
    """Seconds until all panels of the dashboard are drawn."""
    begun = time.perf_counter()
    browser.call("Page.navigate", url=url)
    browser.until(f"location.href === {url!r} && {DRAWN}")
    return time.perf_counter() - begun


def brush(browser: Browser) -> float:
    """Seconds from the end of a brush to the panels of the chosen time."""
    before = browser.value("location.href")
    begun = time.perf_counter()
    browser.value(DRAG)
    browser.until(f"location.href !== {before!r} && {DRAWN}")
    return time.perf_counter() - begun


def measure(browser: Browser, url: str) -> dict[str, list[float]]:
    """The seconds of each run, by what was done."""
    browser.call("Network.setCacheDisabled", cacheDisabled=True)
    browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=1400, deviceScaleFactor=1, mobile=False)
    page = f"{url}/-/ui/d/ada/twelve"
    drawn(browser, page)
    brush(browser)  # now both times are stored
    found: dict[str, list[float]] = {"an empty page": [], "drawn": [], "brush": []}
    for _ in range(RUNS):
        begun = time.perf_counter()
        browser.open(f"{url}/-/kept")
        found["an empty page"].append(time.perf_counter() - begun)
        found["drawn"].append(drawn(browser, page))
        found["brush"].append(brush(browser))
    return found


def main() -> int:
    """Prints a line for each thing that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail if a median is over its target")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        key = KeyStore(place / "keys", SystemClock()).create("ada")
        own = {"workers": 1, "keys_file": str(place / "keys")}
        environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
        with start_service(place, {"lab": LAB}, own, environ=environ) as started, opened(place / "profile") as browser:
            save(started.url, key)
            found = measure(browser, started.url)
    missed = False
    print(f"{'':14} {'median':>8} {'least':>8} {'most':>8}   target, in seconds; load {os.getloadavg()[0]:.1f}")
    for name, seconds in found.items():
        target = TARGETS.get(name)
        median = statistics.median(seconds)
        missed = missed or (target is not None and median > target)
        print(f"{name:14} {median:8.2f} {min(seconds):8.2f} {max(seconds):8.2f}   {'' if target is None else target}")
    return 1 if check and missed else 0


if __name__ == "__main__":
    sys.exit(main())

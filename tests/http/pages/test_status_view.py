"""The page of the service's state: how it is, for whoever runs it."""

from __future__ import annotations

from typing import Any

from rave_http.pages.views import JobFacts, StatusFacts, WorkerFacts, status_page
from tests.http.page_reader import BASE, NOON, Page, State, read


def status(**facts: Any) -> Page:
    """The page of the service's state."""
    chosen = {"version": "1.0", "statistics": {}, "caches": {}} | facts
    return read(status_page(StatusFacts(**chosen), base=BASE, now=NOON), scripts=1 if facts.get("seconds") else 0)


def test_the_status_page_shows_the_whole_service() -> None:
    """Workers, what they make, how well the caches serve, and the namespaces."""
    record = {"Hits": 6, "Stale": 2, "Misses": 2, "Refreshed": 0, "Uncached": 0, "Errors": 1, "Seconds Saved": 30.0}
    found = status(
        workers=[
            WorkerFacts(name="worker-1", pid=1, uptime=120.0, computing=1, queued=2, memory=50_000_000),
            WorkerFacts(name="worker-2", state="silent"),
        ],
        jobs=[
            JobFacts(
                operation="lab/slow",
                worker="worker-1",
                state="making",
                elapsed=42.3,
                href=f"{BASE}/-/products/x",
                progress={"done": 1, "total": 4, "text": "step one"},
            ),
            JobFacts(operation="lab/other", worker="worker-1", state="queued", elapsed=0.1),
        ],
        statistics={**record, "Operations": {"lab/slow": record}},
        caches={
            "caches": {
                "data": {"url": "memory://", "problem": "it is full", "entries": 3, "bytes": 1000, "max_bytes": 2000}
            },
            "operations": {
                "lab/slow": {"entries": 3, "bytes": 1000, "seconds": 1.0},
                "lab/old": {"entries": 1, "bytes": 5},
            },
        },
        namespaces=[State("lab", loaded_at=NOON - 3600), State("bad", error="SyntaxError", generation=0)],
        services=[
            {"name": "clock", "scope": "worker", "state": "running", "starts": 1, "error": ""},
            {"name": "alarm", "scope": "cluster", "state": "pausing", "starts": 3, "error": "failed: no network"},
        ],
        degraded=["data: it is full"],
        seconds=5,
    )
    for text in ("1 of 2", "1 and 2 queued", "80 %", "step one", "42 s", "queued", "it is full", "1.0 kB of 2.0 kB"):
        assert text in found.text
    for text in ("clock running each service 1", "alarm pausing failed: no network one process of all hosts 3"):
        assert text in found.text
    for text in ("lab/old", "change not loaded SyntaxError", "1 h ago", "silent", "50 MB", "Not everything works"):
        assert text in found.text
    assert '<noscript><meta http-equiv="refresh" content="5; url=' in found.source


def test_the_status_of_an_idle_service_is_calm() -> None:
    """Nothing is known yet, and nothing is wrong."""
    found = status()
    for text in ("Everything works as it should.", "Nothing is being computed.", "Nothing was asked for yet"):
        assert text in found.text
    assert "http-equiv" not in found.source


def test_statistics_that_failed_spoil_nothing() -> None:
    """A cell that reads as an error counts nothing."""
    found = status(
        statistics={"Hits": "error: ZeroDivisionError", "Operations": {"a/b": {"Hits": "error", "Misses": 3}}}
    )
    assert "a/b 3 0 %" in found.text

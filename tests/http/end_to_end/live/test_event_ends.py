"""A stream of events ends when its product answers, and not before: in every worker, and while one is reloaded."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

Service = Any  # RunningService of the conftest
OBSERVER = """
import time
from rave_core.hookspecs import hookimpl


@hookimpl
def rave_called(call, outcome, seconds):
    if outcome.status == "miss":
        time.sleep(0.2)
        time.sleep(0.2)
        time.sleep(0.2)
"""


def ticket_for(service: Service, path: str) -> str:
    """The URL of a product that is being made."""
    return str(service.get(path, headers={"Prefer": "respond-async"}).headers["Location"])


def test_a_product_that_one_worker_has_all_of_them_have(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """Also that which made it, whose job ends a little later than the product is kept."""
    facts = tmp_path / "site" / "observer-1.dist-info"
    facts.mkdir(parents=True)
    (facts.parent / "observer.py").write_text(OBSERVER)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: observer\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[rave.plugins]\nobserver = observer\n")
    service = start_service(workers=2, environ={"PYTHONPATH": str(facts.parent)})
    for n in range(4):
        ticket = ticket_for(service, f"/lab/slow?name={n}&seconds=0.3")
        with ThreadPoolExecutor(4) as pool:
            ends = [pool.submit(requests.get, f"{service.url}{ticket}/events", timeout=20) for _ in range(4)]
            while service.get(ticket).status_code == 202:
                pass
            assert [service.get(ticket).status_code for _ in range(8)] == [200] * 8
            for end in ends:
                assert "event: done" in end.result().text


def test_a_stream_of_a_worker_that_stops_goes_to_the_end_of_its_job(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """A reload costs it nothing: the old worker makes the product, and tells of it."""
    service = start_service(workers=1)
    ticket = ticket_for(service, "/lab/slow?name=reloaded&seconds=3")
    wait_until(lambda: service.runs("slow reloaded"), what="the start")
    [old] = service.workers()
    with requests.get(f"{service.url}{ticket}/events", stream=True, timeout=20) as stream:
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.workers() not in ([old], []), what="a new worker")
        text = stream.content.decode()
    assert text.count("event: done") == 1
    assert service.get(ticket).status_code == 200
    assert len(service.runs("slow reloaded")) == 1

"""How a service ends with work under way: in its time, and with all of its processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests

Service = Any  # RunningService of the conftest
MARK = "RAVE_TEST_OF_ENDS"
IN_PROCESSES = """

@op
@typemap(str, float)
@mime_type("text/plain")
def apart(name: str, seconds: float) -> str:
    \"\"\"Takes its time in a process of its own.\"\"\"
    ran(f"apart {name}")
    time.sleep(seconds)
    return name


__export__["apart"] = apart
"""


@pytest.fixture(name="busy")
def _busy(start_service: Callable[..., Service], wait_until: Callable[..., Any], tmp_path: Any) -> Service:
    """A service that computes for a minute, in a thread and in a process."""
    service = start_service(
        workers=1,
        grace="2s",
        operations={"lab/apart": {"executor": "processes"}},
        more=IN_PROCESSES,
        environ={MARK: str(tmp_path)},
    )
    for name in ("slow", "apart"):
        answer = service.get(f"/lab/{name}?name=end&seconds=60", headers={"Prefer": "respond-async"})
        assert answer.status_code == 202
    wait_until(lambda: len(service.runs()) == 2, seconds=30)
    return service


def processes(mark: str) -> list[psutil.Process]:
    """All processes of a service that still run, whoever their parent is."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get(MARK) == mark and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            pass
    return found


def test_term_with_work_under_way_ends_in_the_grace_time(busy: Service, tmp_path: Any) -> None:
    """Long before the work would end; the worker ends well, and nothing is left over."""
    assert busy.stop() == 0
    assert processes(str(tmp_path)) == []
    assert "Traceback" not in busy.log


def test_an_interrupt_with_work_under_way_ends_at_once(busy: Service, tmp_path: Any) -> None:
    """As from a terminal, to all processes; without a traceback."""
    for each in processes(str(tmp_path)):
        each.send_signal(signal.SIGINT)
    assert busy.process.wait(10) == 0
    assert processes(str(tmp_path)) == []
    assert "Traceback" not in busy.log


def test_workers_do_not_outlive_a_killed_arbiter(busy: Service, wait_until: Callable[..., Any], tmp_path: Any) -> None:
    """Whoever waits gets a ticket, and the processes end within a few seconds."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, f"{busy.url}/lab/slow?name=end&seconds=60", timeout=30)
        wait_until(lambda: busy.count("rave_waiting_requests") == 1)
        os.kill(busy.process.pid, signal.SIGKILL)
        busy.process.wait()
        wait_until(lambda: not processes(str(tmp_path)), seconds=12, what="the end of all processes")
        assert waiting.result().status_code == 202

"""Real processes: killed and reloaded while the log is written, and every line counts once.

``make stress`` has five of them killed within 100,000 lines, and a reload each second.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

IS_STRESS = "RAVE_STRESS" in os.environ
LINES, KILLS = (100_000, 5) if IS_STRESS else (20_000, 2)
BETWEEN = 1.0 if IS_STRESS else 0.0
"""Seconds from one reload to the next."""


@pytest.mark.slow
def test_lines_count_once_while_the_leader_is_killed_and_reloaded(
    place: Any, start_process: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """The log is rotated as well; another process goes on each time. SIGUSR1 is sent all along."""
    processes = [start_process() for _ in range(KILLS + 1)]
    written = 0

    def write(number: int) -> None:
        nonlocal written
        place.append(*(f"line {each}" for each in range(written, written + number)))
        written += number

    for kill in range(KILLS):
        leader = place.wait(lambda: place.status().get("pid") if place.latest().get("n", 0) or not written else None)
        for part in range(5):
            write(LINES // (5 * KILLS + 1))
            os.kill(leader, signal.SIGUSR1)
            if part == 2:
                place.log.rename(place.directory / f"app.log.{KILLS - kill}")
            reloaded = time.monotonic()
            place.wait(lambda reloaded=reloaded: time.monotonic() - reloaded >= BETWEEN)
        [dead] = [each for each in processes if each.pid == leader]
        dead.kill()
        dead.wait()
        processes.remove(dead)
        place.wait(lambda leader=leader: place.status().get("pid") != leader, what="another leader")
    write(LINES - written)
    place.wait(lambda: place.latest().get("n", 0) >= LINES, what="the last line")
    [last] = processes
    last.terminate()
    assert last.wait(20) == 0
    assert place.latest()["n"] == LINES
    times = [each.time for each in place.store.samples("count", 0, 1e12)]
    assert len(set(times)) == len(times)
    assert not place.status()["notices"]

"""The way of a GET through the service is straight: it does not come back to the same packages again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "http_ways.py"


@pytest.fixture(scope="module")
def ways() -> Mapping[str, Mapping[str, Any]]:
    """What the benchmark counts, in a process of its own, since it follows every call of its process."""
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Mapping[str, Any]] = json.loads(done.stdout)
    return found


def test_a_hit_on_the_ladder_comes_back_to_few_packages(ways: Mapping[str, Mapping[str, Any]]) -> None:
    """At most twenty times in all; of the service's own only that of the protocol is small change."""
    hit = ways["a hit on the ladder"]
    assert hit["returns"] <= 20, hit
    often = {room: times for room, times in hit["entries"].items() if room.startswith("rave_http") and times > 4}
    assert often.keys() <= {"rave_http.protocol"}  # headers, the host and conditions are read where they count


def test_a_hit_on_the_ladder_asks_who_may_see_it_once(ways: Mapping[str, Mapping[str, Any]]) -> None:
    """And finds the operation and its version once, by the worker's own runtime."""
    entries = ways["a hit on the ladder"]["entries"]
    assert (entries["rave_http.auth"], entries["rave_http.namespaces"]) == (1, 1)
    assert entries["rave_core.runtime"] == 1


def test_a_ready_answer_takes_few_calls(ways: Mapping[str, Mapping[str, Any]]) -> None:
    """It never gets as far as Falcon."""
    ready = ways["a ready answer"]
    assert ready["calls"] <= 50
    assert ready["returns"] <= 8

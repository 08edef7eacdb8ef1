"""The way of a call through the house is straight; see ``benchmarks/ways.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The ways of a hit in memory and of a miss over memory and a directory."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
    try:
        import ways

        yield ways.ways(str(tmp_path_factory.mktemp("ways")))
    finally:
        del sys.path[0]


def test_a_hit_in_memory_enters_one_room(ways: dict[str, Any]) -> None:
    """The operation answers by itself."""
    assert ways["a hit in memory"].rooms() == ["rave_core/operations/operation"]


def test_a_miss_comes_back_to_few_rooms(ways: dict[str, Any]) -> None:
    """At most forty times."""
    assert ways["a miss over memory and file"].returns().total() <= 40


def test_memory_is_asked_once_for_each_look_and_written_once(ways: dict[str, Any]) -> None:
    """A miss looks twice, before and after it claims the key, and puts one entry."""
    way = ways["a miss over memory and file"]
    calls = ("get", "get_value", "put", "put_value", "hold_value", "hold_frame")
    counted = {name: way.count(f"MemoryBackend.{name}") for name in calls}
    assert counted == {"get": 0, "get_value": 2, "put": 0, "put_value": 1, "hold_value": 0, "hold_frame": 0}

"""The way of a call through the house is straight and short; see ``benchmarks/ways.py`` and ``instructions.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[str]:
    """Makes the benchmarks modules that can be imported."""
    place = str(Path(__file__).parents[3] / "benchmarks")
    sys.path.insert(0, place)
    yield place
    sys.path.remove(place)


@pytest.fixture(scope="module")
def ways(benchmarks: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ways of a hit in memory and of a miss over memory and a directory."""
    import ways

    found: dict[str, Any] = ways.ways(str(tmp_path_factory.mktemp("ways")))
    return found


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


def test_a_call_asks_the_system_for_no_more_than_it_needs(benchmarks: str, tmp_path: Path) -> None:
    """A hit looks at the root, and opens and reads the frame. A miss writes once, and renames once."""
    import instructions

    calls = instructions.file_calls(str(tmp_path))
    assert calls["hit"] == {"lstat": 1, "open": 1, "pread": 1, "close": 1}
    steps = {"lstat": 6, "open": 3, "fstat": 1, "close": 1, "access": 2, "fcntl": 2, "writev": 1, "replace": 1}
    assert calls["miss"] == steps


def test_a_call_runs_hardly_more_instructions_than_were_accepted(benchmarks: str, tmp_path: Path) -> None:
    """Unlike times, they are the same on every machine: hits and misses, in memory and in a directory."""
    import instructions

    accepted, found = instructions.accepted(), instructions.counts(str(tmp_path))
    if not accepted:
        pytest.skip("nobody accepted counts for this release of Python: benchmarks/instructions.py --accept")
    assert found.keys() == accepted.keys()
    worse = {
        name: (number, accepted[name])
        for name, number in found.items()
        if number > instructions.MARGIN * accepted[name]
    }
    assert not worse, "run by now, and accepted; if it must be, accept it by benchmarks/instructions.py --accept"

"""Contracts for backends among processes that are killed, race each other, or use another clock.

    class TestMineAmongProcesses(CrashContract, ProcessContract, ClockContract):
        opening = "from my_package import MyBackend as open_backend"
        lacks = {"files", "objects", "unpacking"}

The backends are opened in processes of their own, so these contracts take source in place of a method.
"""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC
from collections.abc import Set
from pathlib import Path
from typing import Any, ClassVar

import pytest

_SECONDS = 100


class _Played(ABC):
    opening: ClassVar[str]
    """Source that defines ``open_backend(place)``, which gives a backend over what ``place`` names."""

    lacks: ClassVar[Set[str]] = frozenset()
    """As in a `BackendContract`; of interest here are ``files lease objects purge unpacking``."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        """What all processes open: a path by default. Override it if you need a URL, with a new one for each test."""
        return str(tmp_path / "store")

    def play(self, name: str, place: str, **arguments: Any) -> Any:
        """The result of a scenario with backends over ``place``."""
        asked = {"play": name, "opening": self.opening, "place": place, "arguments": arguments}
        done = subprocess.run(
            [sys.executable, "-m", "rave_core.testing.crash_scenarios"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class CrashContract(_Played):
    """A process may die of SIGKILL before any line of the backend's code: nobody ever sees half-made data.

    Each act is played once for every line of the backend's package that it runs, and a process is killed at each.
    Afterwards another process finds the old or the new, whole, and goes on.
    """

    kills: ClassVar[int] = 48
    """The maximum number of lines of an act to kill at: chosen evenly, including the first and the last."""

    @pytest.mark.parametrize("act", ["put", "delete"])
    def test_a_kill_leaves_the_old_or_the_new(self, place: str, act: str) -> None:
        """Of a frame that is being replaced, or deleted."""
        _is_sound(self.play("crashes", place, act=act, most=self.kills))

    def test_a_kill_leaves_a_whole_product(self, place: str) -> None:
        """An entry names one that is there, if the backend has files or objects; so is its unpacked copy."""
        acts = {"files": "product", "objects": "object", "unpacking": "copy"}
        for capability in sorted(acts.keys() - self.lacks):
            _is_sound(self.play("crashes", place, act=acts[capability], most=self.kills))

    def test_a_kill_leaves_a_lease_that_can_be_had(self, place: str) -> None:
        """It is free, or has a record by which it can be taken over, if the backend has leases."""
        if "lease" not in self.lacks:
            _is_sound(self.play("crashes", place, act="lease", most=self.kills))


def _is_sound(report: dict[str, Any]) -> None:
    assert report["lines"] > 0, "no line of the backend's package was run"
    assert report["killed"] > 0, "no process was killed"
    assert report["wrong"] == {}


class ProcessContract(_Played):
    """Several processes use one store at the same time."""

    processes: ClassVar[int] = 16
    """How many claim a key at once."""

    def test_one_of_many_processes_wins_each_claim(self, place: str) -> None:
        """In each of ten rounds exactly one, if the backend has leases."""
        if "lease" not in self.lacks:
            assert self.play("claims", place, processes=self.processes, rounds=10) == [1] * 10

    def test_every_frame_is_one_that_somebody_put(self, place: str) -> None:
        """While four processes put, read, delete and purge the same keys, none reads a part or a mixture."""
        assert self.play("stress", place, processes=4, actions=150) > 0


class ClockContract(_Played):
    """Hosts' clocks differ by minutes: a purge by one host removes nothing live of another."""

    @pytest.mark.parametrize("seconds", [-600.0, 600.0])
    def test_a_purge_by_another_clock_takes_nothing_from_the_living(self, place: str, seconds: float) -> None:
        """It removes no live entry, no held lease and no draft under way."""
        found = self.play("clocks", place, seconds=seconds)
        assert found == {"frame": True, "lease": True, "draft": True}

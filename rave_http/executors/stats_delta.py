"""What a child counted, on its way into the statistics of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from rave_core.telemetry.statistics import Statistics

Counts: TypeAlias = dict[str, dict[str, float]]
"""By operation, and under the empty name what belongs to none: names of counters, and by how much they grew."""

_NOT_COUNTED = ("Enabled", "Start Time")


class StatsDelta:
    """In a child: what was counted since it was last asked."""

    def __init__(self, statistics: Statistics) -> None:
        self._namespace = statistics.namespace
        self._before: Counts = {}

    def taken(self) -> Counts:
        """What was counted since then; operations and counters without any are left out."""
        operations: dict[str, dict[str, Any]] = self._namespace["Operations"]
        now = {"": _numbers(self._namespace), **{name: _numbers(each) for name, each in list(operations.items())}}
        before, self._before = self._before, now
        grown = {name: _growth(before.get(name, {}), counts) for name, counts in now.items()}
        return {name: counts for name, counts in grown.items() if counts}


def add(statistics: Statistics, counts: Counts) -> None:
    """Adds what a child counted; nothing while the statistics are paused."""
    if not statistics.namespace["Enabled"]:
        return
    for operation, grown in counts.items():
        record = statistics.record(operation) if operation else statistics.namespace
        for name, by in grown.items():
            record[name] = record.get(name, 0) + by


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {name: n for name, n in record.items() if isinstance(n, (int, float)) and name not in _NOT_COUNTED}


def _growth(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {name: n - before.get(name, 0) for name, n in now.items() if n != before.get(name, 0)}

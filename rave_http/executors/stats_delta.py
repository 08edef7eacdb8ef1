"""The statistics of a child, to be added to those of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from rave_core.telemetry.statistics import Statistics

Counts: TypeAlias = dict[str, dict[str, float]]
"""The growth of counters, by name, for each operation; the empty name has those that belong to none."""

_NOT_COUNTED = ("Enabled", "Start Time")


class StatsDelta:
    """In a child: the growth of the statistics since the last call."""

    def __init__(self, statistics: Statistics) -> None:
        self._namespace = statistics.namespace
        self._before: Counts = {}

    def taken(self) -> Counts:
        """The growth since then, without operations and counters that did not grow."""
        operations: dict[str, dict[str, Any]] = self._namespace["Operations"]
        now = {"": _numbers(self._namespace), **{name: _numbers(each) for name, each in list(operations.items())}}
        before, self._before = self._before, now
        grown = {name: _growth(before.get(name, {}), counts) for name, counts in now.items()}
        return {name: counts for name, counts in grown.items() if counts}


def add(statistics: Statistics, counts: Counts) -> None:
    """Adds the counts of a child; does nothing while the statistics are paused."""
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

"""The statistics of a child, to be added to those of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rave_core.telemetry.statistics import SLOW, Record, Statistics

Counts: TypeAlias = dict[str, dict[str, float]]
"""The growth of counters, by name, for each operation; the empty name has those that belong to none."""

_NOT_COUNTED = ("Enabled", "Start Time")


@dataclass(frozen=True, slots=True)
class StatsGrowth:
    """What a run adds to the statistics.

    Attributes:
        counts: the growth of the counters, without operations and counters that did not grow.
        slow: the slow runs.
    """

    counts: Counts = field(default_factory=dict)
    slow: list[Record] = field(default_factory=list)


class StatsDelta:
    """In a child: the growth of the statistics since the last call."""

    def __init__(self, statistics: Statistics) -> None:
        self._namespace = statistics.namespace
        self._before: Counts = {}
        self._namespace[SLOW].clear()  # a forked child has those of its worker

    def taken(self) -> StatsGrowth:
        """The growth since then."""
        operations: dict[str, dict[str, Any]] = self._namespace["Operations"]
        now = {"": _numbers(self._namespace), **{name: _numbers(each) for name, each in list(operations.items())}}
        before, self._before = self._before, now
        grown = {name: _growth(before.get(name, {}), counts) for name, counts in now.items()}
        slow = list(self._namespace[SLOW])
        self._namespace[SLOW].clear()
        return StatsGrowth({name: counts for name, counts in grown.items() if counts}, slow)


def add(statistics: Statistics, growth: StatsGrowth) -> None:
    """Adds the counts and slow runs of a child; does nothing while the statistics are paused."""
    if not statistics.namespace["Enabled"]:
        return
    for operation, grown in growth.counts.items():
        record = statistics.record(operation) if operation else statistics.namespace
        for name, by in grown.items():
            record[name] = record.get(name, 0) + by
    statistics.list_slow(growth.slow)


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {name: n for name, n in record.items() if isinstance(n, (int, float)) and name not in _NOT_COUNTED}


def _growth(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {name: n - before.get(name, 0) for name, n in now.items() if n != before.get(name, 0)}

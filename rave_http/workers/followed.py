"""Metrics that follow numbers which are counted elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Gauge


class Counting(Protocol):
    """Something that can grow: a counter, or one of the numbers of a histogram."""

    def inc(self, amount: float) -> None:
        """Makes it grow."""


class Followed:
    """A counter that grows with a number counted elsewhere."""

    def __init__(self, counter: Counting, total: Callable[[], float]) -> None:
        self._counter = counter
        self._total = total
        self._seen = 0.0

    def sync(self) -> None:
        """Adds the growth since the last call. A number that was reset counts from there."""
        total = self._total()
        if total > self._seen:
            self._counter.inc(total - self._seen)
        self._seen = total


def live_gauge(
    name: str, text: str, registry: CollectorRegistry, labels: tuple[str, ...] = (), *, mode: Any = "livesum"
) -> Gauge:
    """A gauge over the live workers."""
    return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)

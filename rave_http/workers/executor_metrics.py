"""Metrics of executors that run bodies elsewhere, such as in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from rave_http.workers.followed import Followed, live_gauge

_GAUGES: Final = {
    "workers": ("rave_executor_workers", "Workers of an executor outside of the service", "livemax"),
    "threads": ("rave_executor_threads", "Bodies that these workers run at once", "livemax"),
    "bodies": ("rave_executor_bodies", "Bodies of the service that run or wait there", "livesum"),
}
_COUNTERS: Final = {
    "started": ("rave_executor_bodies_started", "Bodies that started there"),
    "repeated": ("rave_executor_bodies_repeated", "Bodies that started once more, since their worker was lost"),
    "lost": ("rave_executor_bodies_lost", "Bodies that were given up, since they lost their workers"),
}


class WatchedExecutors:
    """The metrics of all executors that have figures. For one thread at a time."""

    def __init__(self, figures: Callable[[], Mapping[str, Mapping[str, int]]], registry: CollectorRegistry) -> None:
        """Follows ``figures``, which gives them by the name of the executor."""
        self._figures = figures
        self._found: Mapping[str, Mapping[str, int]] = {}
        by = ("executor",)
        self._gauges = {
            figure: live_gauge(name, text, registry, by, mode=mode) for figure, (name, text, mode) in _GAUGES.items()
        }
        self._counters = {
            figure: Counter(name, text, by, registry=registry) for figure, (name, text) in _COUNTERS.items()
        }
        self._followed: dict[tuple[str, str], Followed] = {}

    def sync(self) -> None:
        """Takes the figures of now."""
        self._found = self._figures()
        for executor, figures in self._found.items():
            for figure, gauge in self._gauges.items():
                gauge.labels(executor).set(figures[figure])
            for figure in self._counters:
                self._follower(executor, figure).sync()

    def _follower(self, executor: str, figure: str) -> Followed:
        at = (executor, figure)
        if at not in self._followed:
            counter = self._counters[figure].labels(executor)
            self._followed[at] = Followed(counter, lambda: self._found[executor][figure])
        return self._followed[at]

"""Metrics for Prometheus: the counts of requests, jobs, caches and workers."""

from __future__ import annotations

import platform
import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Final, Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.registry import Collector

from rave_core.telemetry.statistics import NAMESPACE, repository
from rave_http.protocol.request_record import RequestRecord
from rave_http.workers.executor_metrics import WatchedExecutors
from rave_http.workers.followed import Counting, Followed, live_gauge
from rave_http.workers.metrics_files import Files, is_shared
from rave_http.workers.run_directory import RunDirectory

_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMPUTATION_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"))
_OUTCOMES: Final = frozenset(("hit", "stale", "miss", "refreshed", "uncached", "wait", "ticket"))
_SYSTEM_ROUTES: Final = {
    *("ops", "products", "jobs", "cache", "namespaces", "static", "ui", "explain", "plan"),
    *("openapi.json", "livez", "readyz", "metrics", "statistics", "version", "problems", "events", "log"),
}
_OTHER: Final = "other"
End: TypeAlias = Literal["finished", "failed", "cancelled", "skipped"]
"""How a job ended, as metrics tell it apart."""
_SYNC_SECONDS: Final = 1.0
_STATISTICS: Final = {
    "Backend Failures": ("rave_backend_failures", "What backends failed to do, and the service did without"),
    "Damaged Entries": ("rave_damaged_entries", "Entries that were damaged, and computed again"),
    "Lease Takeovers": ("rave_lease_takeovers", "Computations taken over from a process that was gone"),
    "Late Results": ("rave_late_results", "Results dropped, since one that was begun later was stored already"),
    "Stored Bytes": ("rave_stored_bytes", "Bytes put into caches"),
}


def route_of(path: str, more: Collection[str] = ()) -> str:
    """The kind of a request by its path: ``operation``, ``catalog``, or what follows ``/-/``; one of a few names.

    Args:
        path: of the request.
        more: the names that may follow ``/-/`` beside the service's own, because plugins answer them.
    """
    if path.startswith("/-/"):
        name = path[3:].partition("/")[0].partition(":")[0]
        return name if name in _SYSTEM_ROUTES or name in more else _OTHER
    return "operation" if "/" in path[1:] else "catalog"


class _ComputationMetrics(NamedTuple):
    """The counts of the jobs of one operation."""

    queued: Gauge
    running: Gauge
    started: Counter
    finished: Counter
    failed: Counter
    cancelled: Counter
    skipped: Counter
    seconds: Histogram


class _Durations:
    """How long the requests of one route took.

    Attributes:
        seconds: all of them together.
        buckets: how many took no longer than each bound, but longer than the previous one; last, the others.
    """

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.buckets = [0] * (len(_REQUEST_SECONDS) + 1)


class _Count:
    """How many requests had one label, and the durations of all requests of its route."""

    __slots__ = ("durations", "value")

    def __init__(self, durations: _Durations) -> None:
        self.value = 0
        self.durations = durations


class Metrics:
    """The metrics of one worker. Create one for each process, after the fork. Safe for many threads, except `observe`.

    Requests are counted in plain numbers, since counting them in files that others can read takes ten times as long;
    `sync` brings them there. If the process that forked the workers called `rave_http.workers.metrics_files.share`, the
    exposition has the counts of all workers, else those of this one. A label is one of a bounded set: an unknown name
    from a client becomes ``other``.

    Attributes:
        event_streams: event streams under way; ``inc`` at the start of each, ``dec`` at its end.
        waiting_requests: requests that wait for a product.
        tickets: tickets issued.
        lines_dropped: lines of the access log that could not be written.
    """

    def __init__(self, run_directory: RunDirectory | None = None) -> None:
        registry = self._registry = CollectorRegistry()
        self._source: Collector = (
            Files(run_directory) if run_directory is not None and is_shared(run_directory) else registry
        )
        self._lock = threading.Lock()
        self._synced_at = 0.0
        self._followed: list[Followed] = []
        self._watched: list[Callable[[], None]] = []
        self._exported: frozenset[str] = frozenset()
        self._namespaces: set[str] = set()
        self._routes: frozenset[str] = frozenset()
        self._of_requests: dict[tuple[str, int, str, str], _Count] = {}
        self._of_routes: dict[str, _Durations] = {}
        self._of_outcomes: dict[tuple[str, str], int] = {}
        self._of_computations: dict[str, _ComputationMetrics] = {}
        self._declare_requests(registry)
        self._declare_computations(registry)
        self._declare_state(registry)

    def observe(self, method: str, path: str, note: RequestRecord, seconds: float) -> None:
        """Counts one request that was answered, or given up, after ``seconds``. For one thread: the event loop's."""
        label = (method, note.status // 100, route_of(path, self._routes), note.cache)
        counted = self._of_requests.get(label)
        if counted is None:
            counted = self._request_metrics(*label)
        counted.value += 1
        counted.durations.seconds += seconds
        counted.durations.buckets[bisect_left(_REQUEST_SECONDS, seconds)] += 1
        if note.cache and note.operation:
            self._count_outcome(note.operation, note.cache)
        if note.started + seconds - self._synced_at > _SYNC_SECONDS:
            self._synced_at = note.started + seconds
            self.sync()

    def name_routes(self, names: Iterable[str]) -> None:
        """Sets the first parts of the paths that plugins answer: they are labels, too."""
        self._routes = frozenset(name.partition(":")[0] for name in names)

    def export(self, operations: Collection[str]) -> None:
        """Sets the names, ``namespace/operation``, of all exported operations: only these are labels."""
        self._exported = frozenset(operations)

    def computation_queued(self, operation: str) -> None:
        """Counts a job that waits for its turn."""
        self._computation_metrics(operation).queued.inc()

    def computation_started(self, operation: str) -> None:
        """Counts a queued job that got its turn."""
        counted = self._computation_metrics(operation)
        counted.queued.dec()
        counted.running.inc()
        counted.started.inc()

    def computation_ended(self, operation: str, seconds: float | None, end: End = "finished") -> None:
        """Counts a job that ended, ``seconds`` after it started; ``None`` for one that never got its turn."""
        counted = self._computation_metrics(operation)
        ended: Counter = getattr(counted, end)
        ended.inc()
        if seconds is None:
            counted.queued.dec()
            return
        counted.running.dec()
        counted.seconds.observe(seconds)

    def namespaces(self, states: Mapping[str, tuple[int, bool]]) -> None:
        """Sets the generation of every served namespace, and whether its latest change failed to load."""
        for name in self._namespaces - set(states):
            self._generation.labels(name).set(0)
            self._load_error.labels(name).set(0)
        for name, (generation, is_failed) in states.items():
            self._generation.labels(name).set(generation)
            self._load_error.labels(name).set(is_failed)
        self._namespaces |= set(states)

    def ready(self, *, is_ready: bool) -> None:
        """Sets whether this worker is ready for requests."""
        self._ready.set(is_ready)

    def follow(self, counter: Counting, total: Callable[[], float]) -> None:
        """Makes ``counter`` follow a number that is counted elsewhere, which ``total`` returns."""
        self._followed.append(Followed(counter, total))

    def watch_executors(self, figures: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """Makes gauges and counters follow the figures that executors have elsewhere, by the name of the executor."""
        watched = WatchedExecutors(figures, self._registry)
        self._watched.append(watched.sync)

    def sync(self) -> None:
        """Updates the numbers counted elsewhere. This happens automatically about every second during requests.

        Every worker should call it before an exposition, and once more before it stops.
        """
        with self._lock:
            for each in self._followed:
                each.sync()
            for sync in self._watched:
                sync()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics and their media type: OpenMetrics where ``accept`` asks for it, else Prometheus' text format.

        Reads the files of all workers, so not for the event loop.

        Raises:
            OSError: the run directory is gone.
        """
        self.sync()
        try:
            encode, media_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, media_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encode(self._source), media_type

    def _declare_requests(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "rave_requests", "Requests answered", ("method", "status", "route", "cache"), registry=registry
        )
        self._request_seconds = Histogram(
            "rave_request_duration_seconds",
            "Seconds from a request's arrival to the end of its answer",
            ("route",),
            registry=registry,
            buckets=_REQUEST_SECONDS,
        )
        self._cache_outcomes = Counter(
            "rave_cache_outcomes",
            "How requests for an operation's product met the cache",
            ("operation", "outcome"),
            registry=registry,
        )
        self.tickets = Counter("rave_tickets", "Tickets given out", registry=registry)
        self.lines_dropped = Counter(
            "rave_access_log_dropped_lines", "Lines of the access log that could not be written", registry=registry
        )
        self.event_streams = live_gauge("rave_event_streams", "Event streams under way", registry)
        self.waiting_requests = live_gauge("rave_waiting_requests", "Requests that wait for a product", registry)

    def _declare_computations(self, registry: CollectorRegistry) -> None:
        by = ("operation",)
        self._queued = live_gauge("rave_computations_queued", "Computations that wait for their turn", registry, by)
        self._running = live_gauge("rave_computations_running", "Computations under way", registry, by)
        self._started = Counter("rave_computations_started", "Computations started", by, registry=registry)
        self._finished = Counter("rave_computations_finished", "Computations that gave a result", by, registry=registry)
        self._failed = Counter("rave_computations_failed", "Computations that gave no result", by, registry=registry)
        self._cancelled = Counter(
            "rave_computations_cancelled", "Computations that were cancelled or interrupted", by, registry=registry
        )
        self._skipped = Counter(
            "rave_computations_skipped", "Computations that had just failed in another worker", by, registry=registry
        )
        self._computation_seconds = Histogram(
            "rave_computation_duration_seconds",
            "Seconds that a computation took once it was started",
            by,
            registry=registry,
            buckets=_COMPUTATION_SECONDS,
        )

    def _declare_state(self, registry: CollectorRegistry) -> None:
        by = ("namespace",)
        self._generation = live_gauge(
            "rave_namespace_generation", "The oldest generation that a worker serves", registry, by, mode="livemin"
        )
        self._load_error = live_gauge(
            "rave_namespace_load_error", "Whether the latest change failed to load", registry, by, mode="livemax"
        )
        self._ready = live_gauge("rave_workers_ready", "Workers that are ready for requests", registry)
        live_gauge("rave_workers", "Workers that run", registry).set(1)
        build = live_gauge("rave_build_info", "What runs", registry, ("version", "python"), mode="livemax")
        build.labels(version("rave-framework"), platform.python_version()).set(1)
        for name, (metric, text) in _STATISTICS.items():
            self.follow(Counter(metric, text, registry=registry), _statistic(name))

    def _request_metrics(self, method: str, status: int, route: str, cache: str) -> _Count:
        method = method if method in _METHODS else _OTHER
        status = status if 1 <= status <= 5 else 0
        cache = cache if not cache or cache in _OUTCOMES else _OTHER
        label = (method, status, route, cache)
        if label not in self._of_requests:
            counted = self._of_requests[label] = _Count(self._durations(route))
            self.follow(self._requests.labels(method, f"{status}xx", route, cache), partial(getattr, counted, "value"))
        return self._of_requests[label]

    def _durations(self, route: str) -> _Durations:
        if route not in self._of_routes:
            durations = self._of_routes[route] = _Durations()
            histogram = self._request_seconds.labels(route)
            # It has no method to take more than one observation at once.
            self.follow(histogram._sum, partial(getattr, durations, "seconds"))
            for at, bucket in enumerate(histogram._buckets):
                self.follow(bucket, partial(durations.buckets.__getitem__, at))
        return self._of_routes[route]

    def _count_outcome(self, operation: str, outcome: str) -> None:
        label = (operation, outcome)
        if label not in self._of_outcomes:
            if operation not in self._exported or outcome not in _OUTCOMES:
                return
            self._of_outcomes[label] = 0
            self.follow(self._cache_outcomes.labels(operation, outcome), partial(self._of_outcomes.__getitem__, label))
        self._of_outcomes[label] += 1

    def _computation_metrics(self, operation: str) -> _ComputationMetrics:
        name = operation if operation in self._exported or operation in self._of_computations else _OTHER
        found = self._of_computations.get(name)
        if found is None:
            found = self._of_computations[name] = _ComputationMetrics(
                self._queued.labels(name),
                self._running.labels(name),
                self._started.labels(name),
                self._finished.labels(name),
                self._failed.labels(name),
                self._cancelled.labels(name),
                self._skipped.labels(name),
                self._computation_seconds.labels(name),
            )
        return found


def _statistic(name: str) -> Callable[[], float]:
    return lambda: repository().get(NAMESPACE, {}).get(name, 0)

"""The status page for the operators of the service: workers, jobs, caches, namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rave_core.text.humanize import size, span
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page

if TYPE_CHECKING:
    from rave_http.namespaces.live_catalog import NamespaceState

_CACHE: Final[dict[str, Any]] = dict.fromkeys(("url", "problem", "notice", "entries", "bytes", "max_bytes"))
_KEPT: Final = ("Hits", "Stale")
_MADE: Final = ("Misses", "Refreshed", "Uncached")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """One worker.

    Attributes:
        name: as the other workers call it.
        pid: of its process.
        state: ``serving``, ``stopping``, or ``silent`` where it did not answer.
        uptime: seconds.
        computing, queued: jobs that run, and that wait for a place.
        waiting, streams: requests that wait for a product, and open event streams.
        memory: bytes of its process, ``None`` if unknown.
    """

    name: str
    pid: int | None = None
    state: str = "serving"
    uptime: float | None = None
    computing: int = 0
    queued: int = 0
    waiting: int = 0
    streams: int = 0
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """One job under way.

    Attributes:
        operation: ``namespace/operation``.
        worker: the name of the worker that runs it.
        state: ``making`` or ``queued``.
        elapsed: seconds.
        href: the URL of its product, empty if it has none.
        arguments: in short.
        progress: ``done``, ``total`` and ``text``, as a ticket has them; ``None`` while nothing is reported.
    """

    operation: str
    worker: str
    state: str
    elapsed: float
    href: str = ""
    arguments: str = ""
    progress: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorFacts:
    """What an executor has outside of the service.

    Attributes:
        name: of the executor.
        workers, threads: of the cluster: how many there are, and how many bodies they run at once.
        bodies: those of all workers of the service that run or wait there.
        repeated, lost: those that started once more since their worker was lost, and those that were given up.
    """

    name: str
    workers: int
    threads: int
    bodies: int
    repeated: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFacts:
    """The state of the service.

    Attributes:
        version: of RAVE.
        workers: all of them, by name.
        jobs: all that are under way, the oldest first.
        statistics: ``RAVE`` of ``logging.statistics``, added up over the workers.
        caches: the document of ``/-/cache``: ``{"caches": …, "operations": …}``.
        namespaces: how loading them went.
        executors: those that run bodies elsewhere, by name.
        services: what plugins run beside the workers, each as a `ServiceState` in a dict.
        degraded: parts that do not work as they should, in words.
        seconds: after which the page looks again by itself; 0 for never.
    """

    version: str
    workers: Sequence[WorkerFacts] = ()
    jobs: Sequence[JobFacts] = ()
    statistics: Mapping[str, Any]
    caches: Mapping[str, Any]
    namespaces: Sequence[NamespaceState] = ()
    executors: Sequence[ExecutorFacts] = ()
    services: Sequence[Mapping[str, Any]] = ()
    degraded: Sequence[str] = ()
    seconds: int = 0


def status_page(facts: StatusFacts, *, base: str, now: float, is_part: bool = False) -> Page:
    """The page; ``now`` is in Unix seconds. ``is_part`` is for a page that is there already, and changes itself."""
    return page(
        "status.html",
        base=base,
        is_part=is_part,
        status=facts,
        operations=_operations(facts),
        caches={name: _CACHE | cache for name, cache in facts.caches.get("caches", {}).items()},
        totals=_record(facts.statistics),
        uptime=max((worker.uptime or 0.0 for worker in facts.workers), default=0.0),
        now=now,
        span=span,
        whole=whole,
        size=size,
    )


def merged(figures: Sequence[Mapping[str, Mapping[str, int]]]) -> list[ExecutorFacts]:
    """What the executors of all workers have, from the figures of each: they see the same cluster."""
    found = []
    for name in sorted({name for each in figures for name in each}):
        own = [each[name] for each in figures if name in each]
        most = {figure: max(each[figure] for each in own) for figure in ("workers", "threads")}
        total = {figure: sum(each[figure] for each in own) for figure in ("bodies", "repeated", "lost")}
        found.append(ExecutorFacts(name=name, **most, **total))
    return found


def whole(seconds: float) -> str:
    """An elapsed time in whole seconds, since it still grows."""
    if seconds < 1:
        return "a moment"
    return f"{round(seconds)} s" if round(seconds) < 60 else span(seconds)


def _operations(facts: StatusFacts) -> list[dict[str, Any]]:
    """The facts about each operation's results, the most requested first."""
    counted: Mapping[str, Any] = facts.statistics.get("Operations", {})
    kept: Mapping[str, Any] = facts.caches.get("operations", {})
    records = [
        {"name": name, **_record(counted.get(name, {})), **kept.get(name, {"entries": 0, "bytes": 0})}
        for name in {*counted, *kept}
    ]
    return sorted(records, key=lambda record: (-record["asked"], record["name"]))


def _record(counted: Mapping[str, Any]) -> dict[str, Any]:
    hits = sum(_number(counted.get(name)) for name in _KEPT)
    asked = hits + sum(_number(counted.get(name)) for name in _MADE)
    return {
        "asked": round(asked),
        "ratio": hits / asked if asked else None,
        "errors": round(_number(counted.get("Errors"))),
        "computing": _number(counted.get("Seconds Computing")),
        "saved": _number(counted.get("Seconds Saved")),
    }


def _number(value: object) -> float:
    """A count; a failed cell holds a text and counts as zero."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0

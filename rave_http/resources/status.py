"""``/-/ui/status``: the state of the service: its workers, jobs, caches and namespaces."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version
from typing import Any

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.telemetry.statistics import NAMESPACE
from rave_http.auth.authorizer import Authorizer
from rave_http.executors.choice import Executors
from rave_http.jobs.job import Job, progress_document
from rave_http.jobs.jobs import Jobs
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.static_files import PART
from rave_http.pages.status_view import ExecutorFacts, JobFacts, StatusFacts, WorkerFacts, merged, status_page
from rave_http.protocol.links import Links
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_page
from rave_http.resources.caches import CacheFacts
from rave_http.resources.health import Ready
from rave_http.resources.reports import VisibleStatistics
from rave_http.worker.all_jobs import short_arguments
from rave_http.worker.limits import EventStreams, WaitingRequests
from rave_http.workers.services_report import ServicesReport
from rave_http.workers.workers import Workers

_PAGE = os.sysconf("SC_PAGE_SIZE")


class WorkerStatus:
    """The activity of this worker, for every worker that asks. For its event loop alone."""

    def __init__(
        self,
        workers: Workers,
        jobs: Jobs,
        waiting: WaitingRequests,
        streams: EventStreams,
        executors: Executors,
        links: Links,
        clock: Clock,
    ) -> None:
        """Answers the question ``status``."""
        self._workers = workers
        self._jobs = jobs
        self._waiting = waiting
        self._streams = streams
        self._executors = executors
        self._links = links
        self._clock = clock
        self._started = clock.monotonic()
        workers.answer("status", self._own)

    async def of_all(self) -> tuple[list[WorkerFacts], list[JobFacts], list[ExecutorFacts]]:
        """All workers, their jobs, and what their executors have elsewhere."""
        answers = await self._workers.ask("status", timeout=1.0)
        workers = [WorkerFacts(**answer["worker"]) for answer in answers.values()]
        workers += [WorkerFacts(name=name, state="silent") for name in answers.silent]
        jobs = [JobFacts(**each) for answer in answers.values() for each in answer["computations"]]
        return workers, jobs, merged([answer["executors"] for answer in answers.values()])

    async def _own(self, _: dict[str, Any]) -> dict[str, Any]:
        """The activity of this worker."""
        under_way = list(self._jobs)
        running = [each for each in under_way if each.began is not None]
        worker = {
            "name": self._workers.name,
            "pid": os.getpid(),
            "state": "stopping" if self._jobs.is_draining.is_set() else "serving",
            "uptime": self._clock.monotonic() - self._started,
            "computing": len(running),
            "queued": len(under_way) - len(running),
            "waiting": self._waiting.count,
            "streams": self._streams.count,
            "memory": await asyncio.to_thread(_memory),
        }
        computations = [self._facts(each) for each in under_way]
        return {"worker": worker, "computations": computations, "executors": self._executors.figures()}

    def _facts(self, job: Job) -> dict[str, Any]:
        report = job.progress
        return {
            "operation": job.name,
            "worker": self._workers.name,
            "state": job.status,
            "elapsed": self._clock.now() - job.started_at,
            "href": self._links.to_product(job.key) if job.key else "",
            "arguments": short_arguments(job.asked),
            "progress": None if report is None else progress_document(report),
        }


class Status:
    """The page of the service's state. It needs the permission ``metrics``."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        workers: WorkerStatus,
        statistics: VisibleStatistics,
        caches: CacheFacts,
        ready: Ready,
        services: ServicesReport,
        links: Links,
        clock: Clock,
    ) -> None:
        """Shows the facts from each of the arguments."""
        self._authorizer = authorizer
        self._namespaces = namespaces
        self._workers = workers
        self._statistics = statistics
        self._caches = caches
        self._ready = ready
        self._services = services
        self._links = links
        self._clock = clock

    async def on_get(self, req: Request, resp: Response) -> None:
        """All workers, and the activity of each; with ``part`` as an open page asks for it."""
        is_part = PART in read(req, PART)
        self._authorizer.require(req, "metrics")
        workers, jobs, executors = await self._workers.of_all()
        statistics = await self._statistics.document(req)
        facts = StatusFacts(
            version=version("rave-framework"),
            workers=workers,
            jobs=sorted((job for job in jobs if self._may_view(req, job.operation)), key=lambda job: -job.elapsed),
            statistics=statistics[NAMESPACE],
            caches=await self._caches.document(req),
            namespaces=[each for each in self._namespaces.states() if self._may_view(req, each.name)],
            executors=executors,
            services=await self._services_for(req),
            degraded=await self._ready.degraded(req),
            seconds=10,
        )
        send_page(resp, status_page(facts, base=self._links.base, now=self._clock.now(), is_part=is_part))

    on_head = on_get

    async def _services_for(self, req: Request) -> list[dict[str, Any]]:
        """The services; what is wrong with one is for those who may ``debug``."""
        found = await asyncio.to_thread(self._services.services)
        if self._authorizer.may(req, "debug"):
            return found
        return [{**each, "error": "the log says what is wrong" if each["error"] else ""} for each in found]

    def _may_view(self, req: Request, name: str) -> bool:
        """Whether the principal may see a namespace, or the operation of that name."""
        return self._authorizer.may(req, "view", name.partition("/")[0])


def _memory() -> int | None:
    """Bytes of this process that are in memory; ``None`` if the system does not report them."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None

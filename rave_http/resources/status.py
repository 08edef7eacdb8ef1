"""``/-/ui/status``: how the service is: its workers, what is being computed, what is kept, what is loaded."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version
from typing import Any

from falcon.asgi import Request, Response

from rave_core.telemetry.statistics import NAMESPACE
from rave_http.jobs.jobs import progress_document
from rave_http.pages.status_view import JobFacts, StatusFacts, WorkerFacts, status_page
from rave_http.protocol.queries import read
from rave_http.resources.caches import CacheFacts
from rave_http.resources.health import Ready
from rave_http.resources.reports import visible_statistics
from rave_http.worker.responses import send_page
from rave_http.worker.service import Service

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Status:
    """The page of the service's state. It needs the permission ``metrics``."""

    def __init__(self, service: Service, caches: CacheFacts, ready: Ready) -> None:
        self._service = service
        self._caches = caches
        self._ready = ready
        self._started = service.clock.monotonic()
        service.rpc.answer("status", self._own)

    async def on_get(self, req: Request, resp: Response) -> None:
        """All workers, and what each of them does."""
        read(req)
        service = self._service
        service.require(req, "metrics")
        answers = await service.rpc.ask("status", timeout=1.0)
        workers = [WorkerFacts(**answer["worker"]) for answer in answers.values()]
        workers += [WorkerFacts(name=name, state="silent") for name in answers.silent]
        jobs = [
            JobFacts(**each)
            for answer in answers.values()
            for each in answer["computations"]
            if service.may(req, "view", each["operation"].partition("/")[0])
        ]
        statistics = visible_statistics(service, req, await service.statistics.document())
        facts = StatusFacts(
            version=version("rave-framework"),
            workers=workers,
            jobs=sorted(jobs, key=lambda each: -each.elapsed),
            statistics=statistics[NAMESPACE],
            caches=await self._caches.document(req),
            namespaces=[each for each in service.namespaces.states() if service.may(req, "view", each.name)],
            degraded=await self._ready.degraded(req),
            seconds=10,
        )
        send_page(resp, status_page(facts, base=service.base, now=service.clock.now()))

    on_head = on_get

    async def _own(self, _: dict[str, Any]) -> dict[str, Any]:
        """What this worker does."""
        service = self._service
        under_way = list(service.jobs)
        running = [each for each in under_way if each.began is not None]
        worker = {
            "name": service.rpc.name,
            "pid": os.getpid(),
            "state": "stopping" if service.is_draining else "serving",
            "uptime": service.clock.monotonic() - self._started,
            "computing": len(running),
            "queued": len(under_way) - len(running),
            "waiting": service.waiting,
            "streams": service.streams,
            "memory": await asyncio.to_thread(_memory),
        }
        return {"worker": worker, "computations": [self._computation(each) for each in under_way]}

    def _computation(self, each: Any) -> dict[str, Any]:
        service, report = self._service, each.progress
        asked = each.asked.document if each.asked.document is not None else dict(each.asked.texts)
        return {
            "operation": each.name,
            "worker": service.rpc.name,
            "state": each.status,
            "elapsed": service.clock.now() - each.started_at,
            "href": service.url(f"/-/products/{each.key}") if each.key else "",
            "arguments": ", ".join(f"{name}={str(value)[:60]}" for name, value in asked.items())[:200],
            "progress": None if report is None else progress_document(report),
        }


def _memory() -> int | None:
    """Bytes of this process that are in memory; ``None`` where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None

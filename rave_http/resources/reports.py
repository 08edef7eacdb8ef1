"""``/-/metrics`` and ``/-/statistics``: what is counted, across all workers."""

from __future__ import annotations

import asyncio
from typing import Any

from falcon.asgi import Request, Response

from rave_core.errors import UnknownNameError
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.worker.responses import send_json
from rave_http.worker.service import Service
from rave_http.workers.statistics_report import of_operations


class MetricsResource:
    """``/-/metrics``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        service.rpc.answer("sync", self._sync)

    async def on_get(self, req: Request, resp: Response) -> None:
        """The metrics of all workers, for Prometheus.

        They are for whoever runs the service: they name all operations, whatever namespaces whoever asks may see.
        """
        read(req)
        service = self._service
        service.require(req, "metrics")
        await service.rpc.ask("sync", timeout=1.0)
        resp.data, resp.content_type = await asyncio.to_thread(
            service.metrics.exposition, req.get_header("Accept") or ""
        )
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get

    async def _sync(self, _: dict[str, Any]) -> bool:
        await asyncio.to_thread(self._service.metrics.sync)
        return True


class Statistics:
    """``/-/statistics``: ``logging.statistics`` of all workers, with pause and resume."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """What RAVE counted in all workers, and all that anybody put into ``logging.statistics`` of each.

        What was counted of operations that whoever asks may not see is left out, unless they may ``debug``.
        """
        read(req)
        service = self._service
        service.require(req, "metrics")
        send_json(resp, visible_statistics(service, req, await service.statistics.document()))

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Pauses or resumes collection in one of its namespaces, in every worker: ``{"pause": "RAVE"}``."""
        service = self._service
        service.require(req, "debug", audited=True)
        request = read_body(
            "statistics",
            req.query_string,
            req.content_type,
            await service.read_body(req),
            content_encoding=req.get_header("Content-Encoding"),
        )
        given: dict[str, Any] = dict(request.asked.texts) or request.asked.document or {}
        check_document("StatisticsSwitch", given)
        ((action, name),) = given.items()
        try:
            await (service.statistics.pause if action == "pause" else service.statistics.resume)(name)
        except UnknownNameError as error:
            raise Problem("not-found", str(error)) from error
        send_json(resp, {"name": name, "enabled": action == "resume"})


def visible_statistics(service: Service, req: Request, document: dict[str, Any]) -> dict[str, Any]:
    """The statistics of all workers, as `StatisticsReport.document` gives them, as far as whoever asks may see them.

    An operation that is not exported is no namespace's: it is shown to those who may see all of these.
    """
    namespaces = service.namespaces
    visible = {state.name for state in namespaces.states() if service.may(req, "view", state.name)}
    if len(visible) == len(namespaces.states()) or service.may(req, "debug"):
        return document

    def may_see(full_name: str) -> bool:
        known = namespaces.by_full_name(full_name)
        return known is not None and known[0].partition("/")[0] in visible

    return of_operations(document, may_see)

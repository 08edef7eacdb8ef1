"""``/-/metrics`` and ``/-/statistics``: the counts of all workers."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.errors import UnknownNameError
from rave_http.auth.authorizer import Authorizer
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, Page, prefers, send_json, send_page
from rave_http.workers.metrics import Metrics
from rave_http.workers.statistics_report import StatisticsReport, of_operations
from rave_http.workers.workers import Workers

_HTML: Final = "text/html"


class MetricsResource:
    """``/-/metrics``."""

    def __init__(self, metrics: Metrics, authorizer: Authorizer, workers: Workers) -> None:
        """Also answers the other workers when they ask for the latest counts."""
        self._metrics = metrics
        self._authorizer = authorizer
        self._workers = workers
        workers.answer("sync", self._sync)

    async def on_get(self, req: Request, resp: Response) -> None:
        """The metrics of all workers, for Prometheus.

        They are for the operators of the service: they name all operations, whatever namespaces the principal may see.
        """
        read(req)
        self._authorizer.require(req, "metrics")
        await self._workers.ask("sync", timeout=1.0)
        resp.data, resp.content_type = await asyncio.to_thread(self._metrics.exposition, req.get_header("Accept") or "")
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get

    async def _sync(self, _: dict[str, Any]) -> bool:
        await asyncio.to_thread(self._metrics.sync)
        return True


class VisibleStatistics:
    """The statistics of all workers, as far as a principal may see them."""

    def __init__(self, statistics: StatisticsReport, namespaces: LiveNamespaces, authorizer: Authorizer) -> None:
        self._statistics = statistics
        self._namespaces = namespaces
        self._authorizer = authorizer

    async def document(self, req: Request) -> dict[str, Any]:
        """What `StatisticsReport.document` gives, without the operations that the principal may not see.

        An operation that is not exported belongs to no namespace: only principals who may see all namespaces see it.
        """
        document, states = await self._statistics.document(), self._namespaces.states()
        visible = {state.name for state in states if self._authorizer.may(req, "view", state.name)}
        if len(visible) == len(states) or self._authorizer.may(req, "debug"):
            return document

        def may_see(full_name: str) -> bool:
            known = self._namespaces.by_full_name(full_name)
            return known is not None and known.namespace in visible

        return of_operations(document, may_see)


class Statistics:
    """``/-/statistics``: ``logging.statistics`` of all workers, with pause and resume."""

    def __init__(
        self,
        visible: VisibleStatistics,
        authorizer: Authorizer,
        statistics: StatisticsReport,
        links: Links,
        *,
        max_body: int,
    ) -> None:
        self._links = links
        self._visible = visible
        self._authorizer = authorizer
        self._statistics = statistics
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response) -> None:
        """RAVE's counts in all workers, and everything in ``logging.statistics`` of each.

        The counts of operations that the principal may not see are left out, unless they may ``debug``.

        A browser gets a page.
        """
        read(req)
        self._authorizer.require(req, "metrics")
        document = await self._visible.document(req)
        resp.append_header("Vary", "Accept")
        if prefers(req, JSON, _HTML) == _HTML:
            may_switch = self._authorizer.may(req, "debug")
            send_page(resp, await asyncio.to_thread(self._page, document, may_switch=may_switch))
        else:
            send_json(resp, document)

    def _page(self, document: dict[str, Any], *, may_switch: bool) -> Page:
        from rave_http.pages.statistics_view import figure_spaces
        from rave_http.pages.templating import page

        spaces = figure_spaces(document)
        return page("statistics.html", base=self._links.base, spaces=spaces, may_switch=may_switch)

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Pauses or resumes collection in one of its namespaces, in every worker: ``{"pause": "RAVE"}``."""
        self._authorizer.require(req, "debug", audited=True)
        request = read_body(
            "statistics",
            req.query_string,
            req.content_type,
            await body_of(req, self._max_body),
        )
        given: dict[str, Any] = dict(request.asked.texts) or request.asked.document or {}
        check_document("StatisticsSwitch", given)
        ((action, name),) = given.items()
        check_write(req, ())  # there are statistics, and their representation has no validator
        try:
            await (self._statistics.pause if action == "pause" else self._statistics.resume)(name)
        except UnknownNameError as error:
            raise Problem("not-found", str(error)) from error
        send_json(resp, {"name": name, "enabled": action == "resume"})
        if prefers(req, JSON, _HTML) == _HTML:
            resp.status = "303 See Other"
            resp.set_header("Location", self._links.to("/-/statistics"))

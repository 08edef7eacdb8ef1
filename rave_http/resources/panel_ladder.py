"""The ladder of panels: what it answers is shown in frames."""

from __future__ import annotations

import asyncio

from falcon.asgi import Request, Response

from rave_core.model import Status
from rave_http.jobs.failures import problem_of
from rave_http.jobs.job import Job
from rave_http.pages.panel_view import waiting_panel
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_page
from rave_http.representation.representations import MadeProduct
from rave_http.resources.ladder import Ladder, Wish
from rave_http.resources.panel_pages import PANEL, AskedPanel, PanelPages
from rave_http.resources.result_pages import ShownResult


class PanelLadder(Ladder):
    """The ladder whose tickets are panels, too. For the event loop of one worker."""

    async def _send_ticket(self, req: Request, resp: Response, job: Job) -> None:
        await super()._send_ticket(req, resp, job)
        panel: AskedPanel = getattr(req.context, PANEL)
        report = job.progress
        told = None if report is None else {"text": report.text, "done": report.done, "total": report.total}
        send_page(resp, waiting_panel(panel.frame, told, base=self._responder.links.base))

    async def send_last(self, req: Request, resp: Response, wish: Wish, pages: PanelPages, trouble: str) -> bool:
        """Sends the last good result of a call, however old, if it is still stored, and returns whether it is."""
        key = wish.call.key
        if key is None:
            return False
        found = await asyncio.to_thread(self._results.look, wish.resolved.cache, key)
        if found is None:
            return False
        product = MadeProduct(wish.exported.name, wish.resolved.spec, found.value, found.entry)
        shown = ShownResult(product, wish.exported, Status.STALE, wish.question.asked, wish.call)
        await pages.send_panel(req, resp, shown, trouble=trouble)
        return True

    async def result(self, req: Request, wish: Wish) -> ShownResult | None:
        """The result of a call, which something else shows too; ``None`` if it is being made for longer than a moment.

        Raises:
            Problem: it is not available.
        """
        kept = await self._kept(wish)
        if kept is not None:
            if kept.status is Status.STALE:
                self._refresh_behind(req, wish)
            self._results.count(wish.resolved, wish.call, kept.found, kept.status)
            product = MadeProduct(wish.exported.name, wish.resolved.spec, kept.found.value, kept.found.entry)
            return ShownResult(product, wish.exported, kept.status, wish.question.asked, wish.call)
        job = self._job(req, wish)
        if not await self._wait_for(req, job, wish, self._patience(wish)):
            if not wish.is_promising:
                raise Problem("time-limit", f"{wish.exported.name} takes too long for a result that is not stored")
            await self._promise(job)
            return None
        if job.failed is not None:
            raise problem_of(job.failed, self._failure_time)
        outcome = job.task.result()
        product = MadeProduct(wish.exported.name, wish.resolved.spec, outcome.value, outcome.entry, wish.resolved.cache)
        return ShownResult(product, wish.exported, outcome.status, wish.question.asked, wish.call)

"""Panels: parts of a dashboard, each answered like any other question, and shown in a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from falcon.asgi import Request, Response

from rave_core.errors import RaveError, UnrenderableError
from rave_core.model import Status
from rave_core.rendering import is_table, rows_of
from rave_core.rendering.tables import arrow_table
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.dashboards import View
from rave_http.description.operation_documents import nearest_operation
from rave_http.description.request_arguments import Asked, Question
from rave_http.description.saved_calls import AskedCall
from rave_http.executors.foreign_code import ForeignCode
from rave_http.jobs.job import Job
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.cells import cell_of
from rave_http.pages.charts import MOST_POINTS, chart_of
from rave_http.pages.panel_view import PanelFrame, PanelValue, failed_panel, panel_page, waiting_panel
from rave_http.protocol.headers import PLAIN_PREFERENCES
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_page
from rave_http.representation.figures import is_installed
from rave_http.representation.representations import MadeProduct
from rave_http.representation.table_query import read_table_query
from rave_http.representation.value_view import ValueView, view_of, written_rows
from rave_http.resources.ladder import Ladder, Wish
from rave_http.resources.operations import bound
from rave_http.resources.result_pages import ResultPages, ShownResult

_PANEL = "rave_panel"
"""The attribute of ``req.context`` that holds the panel of a request."""


@dataclass(frozen=True, slots=True)
class AskedPanel:
    """A panel whose call is known.

    Attributes:
        frame: what is the same whatever the result is.
        call: its call.
        view: how the result is shown.
    """

    frame: PanelFrame
    call: AskedCall
    view: View


class PanelPages(ResultPages):
    """Shows results as panels."""

    async def is_wanted(self, req: Request, product: MadeProduct) -> bool:
        """Always: a panel is a page."""
        return True

    async def send(self, req: Request, resp: Response, shown: ShownResult) -> None:
        """Sends the panel of the request with a result.

        Raises:
            OSError: a store is in trouble.
        """
        await self.send_panel(req, resp, shown)

    async def send_panel(self, req: Request, resp: Response, shown: ShownResult, *, trouble: str = "") -> None:
        """The same; ``trouble`` says why it is not the newest result."""
        panel: AskedPanel = getattr(req.context, _PANEL)
        value = await self._value(shown, panel.view)
        page = "" if shown.entry is None else self._links.to_result(shown.entry.key, _of(panel.call))
        filled = PanelValue(view=value.view, chart=value.chart, links=value.links, page=page, trouble=trouble)
        made = panel_page(panel.frame, filled, shown.entry, shown.status, base=self._links.base, now=self._clock.now())
        send_page(resp, made)

    async def _value(self, shown: ShownResult, view: View) -> PanelValue:
        product = shown.product
        if not product.spec.kind.is_written and is_table(product.value) and is_installed("pyarrow"):
            try:
                return await asyncio.to_thread(self._rows_of, shown, view)
            except UnrenderableError as error:
                return PanelValue(view=ValueView(kind="failed", text=str(error)), links={})
            except (ValueError, Problem) as error:
                detail = error.detail if isinstance(error, Problem) else str(error)
                return PanelValue(view=ValueView(kind="failed", text=detail), links={})
        forms = await self._representations.offers(product)
        url = self._product_url(shown)
        found = await self._foreign.call(product.name, lambda: view_of(product, forms, url=url))
        return PanelValue(view=found, links={})

    def _rows_of(self, shown: ShownResult, view: View) -> PanelValue:
        """The chart or the rows of a table, as a view wants them.

        Raises:
            ValueError: a column is not there.
        """
        table = arrow_table(shown.product.value, "rows")
        names = table.schema.names
        sort = [view.sort] if view.sort else []
        digest = "" if shown.entry is None else shown.entry.digest
        found = self._rows.find(table, read_table_query(names, sort=sort), digest=digest)
        is_chart = view.mark in ("line", "area", "bars")
        most = MOST_POINTS if is_chart and view.mark != "bars" else view.rows
        rows = [list(row) for row in rows_of(found.part(0, most), "html").rows]
        if is_chart:
            drawn = chart_of(view.mark, names, rows, x=view.x, y=view.y, series=view.series)
            return PanelValue(chart=drawn, links={})
        written = written_rows(names, rows, first=0, total=found.total)
        return PanelValue(view=ValueView(kind="table", rows=written), links=self._cell_links(view, names, rows))

    def _cell_links(
        self, view: View, names: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> Mapping[tuple[int, int], str]:
        """Where cells lead, by row and column."""
        found = {}
        for column, text in view.link.items():
            if column not in names:
                raise ValueError(f"link: there is no column {column[:60]!r}; there are {', '.join(names)}")
            at, call = names.index(column), AskedCall.read(text)
            for number, row in enumerate(rows):
                cell = cell_of(row[at], column)
                value = cell.raw or cell.text
                pairs = [(name, each.replace("{value}", value)) for name, each in call.pairs]
                found[number, at] = f"{self._links.to_operation(call.operation)}?{urlencode(pairs)}"
        return found


class PanelLadder(Ladder):
    """The ladder whose tickets are panels, too."""

    async def _send_ticket(self, req: Request, resp: Response, job: Job) -> None:
        await super()._send_ticket(req, resp, job)
        panel: AskedPanel = getattr(req.context, _PANEL)
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


class Panels:
    """Answers for panels. For the event loop of one worker."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        ladder: PanelLadder,
        pages: PanelPages,
        foreign: ForeignCode,
        links: Links,
    ) -> None:
        """Asks the operations that ``namespaces`` export.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            ladder: answers calls.
            pages: show results.
            foreign: calls converters.
            links: URLs that panels contain.
        """
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._ladder = ladder
        self._pages = pages
        self._foreign = foreign
        self.links = links

    def time_range(self, name: str) -> tuple[str, ...] | None:
        """The parameters of an operation for a span of time; ``None`` if it has none, or is not there."""
        exported = self._namespaces.find(name)
        return None if exported is None else exported.operation.spec.time_range

    def fail(self, resp: Response, frame: PanelFrame, detail: str) -> None:
        """Sends a panel without a result."""
        send_page(resp, failed_panel(frame, f"{detail[:1].upper()}{detail[1:]}.", base=self.links.base))

    async def answer(self, req: Request, resp: Response, panel: AskedPanel) -> None:
        """Answers for a panel: its result, how far that is, or why there is none, with the last good one."""
        setattr(req.context, _PANEL, panel)
        wish = None
        try:
            exported = self._exported(req, panel.call.operation)
            wish = await self._wish(panel.call, exported)
            await self._ladder.answer(req, resp, wish)
        except (RaveError, OSError) as error:
            detail = error.detail if isinstance(error, Problem) else str(error)
            told = f"No newer result: {detail}."
            if wish is None or not await self._ladder.send_last(req, resp, wish, self._pages, told):
                self.fail(resp, panel.frame, detail)
        resp.set_header("Cache-Control", "no-store")

    def _exported(self, req: Request, name: str) -> ExportedOperation:
        found, may = self._namespaces.find(name), self._authorizer.may
        if found is not None and may(req, "view", found.namespace):
            req.scope["rave"].operation = found.name
            return found
        if name.partition("/")[0] in self._namespaces.catalog.namespaces and may(req, "view", name.partition("/")[0]):
            hint = nearest_operation(self._namespaces.catalog, name[:200], lambda space: may(req, "view", space))
            raise Problem("not-found", f"there is no operation {name[:200]!r} any more; {hint}")
        raise Problem("not-found", HIDDEN)

    async def _wish(self, called: AskedCall, exported: ExportedOperation) -> Wish:
        asked = Asked(operation=exported.name, texts=tuple(called.pairs))
        resolved = exported.operation.resolved_in(exported.runtime)
        call = await bound(self._foreign, asked, exported, resolved)
        question = Question(asked)
        return Wish(
            exported,
            resolved,
            question,
            call,
            PLAIN_PREFERENCES,
            only_cached=False,
            place=None,
            likes_pages=True,
        )


def _of(call: AskedCall) -> str:
    return f"?{urlencode({'of': call.query[1:]})}" if call.arguments else ""

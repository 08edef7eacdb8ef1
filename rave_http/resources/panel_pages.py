"""Panels as pages: a result as a chart, the rows of a table, or what its own page shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from falcon.asgi import Request, Response

from rave_core.errors import UnrenderableError
from rave_core.rendering import is_table, rows_of
from rave_core.rendering.tables import arrow_table
from rave_http.description.dashboards import CHARTS, View
from rave_http.description.saved_calls import AskedCall
from rave_http.pages.axis import Moment, column_at, moments_of
from rave_http.pages.cells import cell_of
from rave_http.pages.charts import Earlier, chart_of
from rave_http.pages.panel_view import PanelFrame, PanelValue, panel_page
from rave_http.pages.points import MOST_POINTS
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_page
from rave_http.representation.columns import columns_of
from rave_http.representation.figures import is_installed
from rave_http.representation.representations import MadeProduct
from rave_http.representation.table_query import read_table_query
from rave_http.representation.value_view import ValueView, view_of, written_rows
from rave_http.resources.result_pages import ResultPages, ShownResult

PANEL: Final = "rave_panel"
"""The attribute of ``req.context`` that holds the panel of a request."""
BESIDE: Final = "rave_panel_beside"
"""The one that holds an awaitable for the results that it shows beside its own."""
_MOST_MOMENTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBeside:
    """A result that a panel shows beside its own.

    Attributes:
        call: its call.
        seconds: how much earlier its time is, if it is the same of an earlier time; else it holds moments.
        time, label, where: of an annotation: columns, and a condition.
        trouble: why it can't be asked; empty if it can.
    """

    call: AskedCall
    seconds: float = 0.0
    time: str = ""
    label: str = ""
    where: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What became of such a result.

    Attributes:
        asked: what was asked.
        shown: the result; ``None`` if there is none.
        trouble: why there is none; empty if it is being made.
    """

    asked: AskedBeside
    shown: ShownResult | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class AskedPanel:
    """A panel whose call is known.

    Attributes:
        frame: what is the same whatever the result is.
        call: its call.
        view: how the result is shown.
        beside: what a chart shows beside it.
    """

    frame: PanelFrame
    call: AskedCall
    view: View
    beside: Sequence[AskedBeside] = ()


@dataclass(slots=True)
class _Drawn:
    """What a chart shows beside its rows, and what is said of that."""

    earlier: Earlier | None = None
    moments: list[Moment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_pending: bool = False


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
        panel: AskedPanel = getattr(req.context, PANEL)
        results: Awaitable[Sequence[Beside]] | None = getattr(req.context, BESIDE, None)
        beside = () if results is None else await results
        value = await self._value(shown, panel.view, beside, self._leads(req, shown))
        page = "" if shown.entry is None else self._links.to_result(shown.entry.key, _of(panel.call))
        filled = replace(value, page=page, trouble=trouble)
        made = panel_page(panel.frame, filled, shown.entry, shown.status, base=self._links.base, now=self._clock.now())
        send_page(resp, made, origin="" if value.view is None else value.view.origin)

    async def _value(
        self, shown: ShownResult, view: View, beside: Sequence[Beside], leads: Mapping[str, str]
    ) -> PanelValue:
        product = shown.product
        if not product.spec.kind.is_written and is_table(product.value) and is_installed("pyarrow"):
            try:
                return await asyncio.to_thread(self._rows_of, shown, view, beside, leads)
            except (UnrenderableError, ValueError, Problem) as error:
                return PanelValue(view=ValueView(kind="failed", text=told_of(error)), links={})
        forms = await self._representations.offers(product)
        make = partial(view_of, url=self._product_url(shown))
        found = await self._foreign.call(product.name, make, await self._where_it_is(shown), forms)
        return PanelValue(view=found, links={})

    def _rows_of(
        self, shown: ShownResult, view: View, beside: Sequence[Beside], leads: Mapping[str, str]
    ) -> PanelValue:
        """The chart or the rows of a table, as a view wants them.

        Raises:
            ValueError: a column is not there.
        """
        sort = [view.sort] if view.sort else []
        is_chart = view.mark in CHARTS
        most = MOST_POINTS if is_chart and view.mark != "bars" else view.rows
        schema, rows, total = self._found(shown, most, sort=sort)
        names = schema.names
        if is_chart:
            more = self._drawn(beside)
            drawn = chart_of(
                view.mark,
                names,
                rows,
                x=view.x,
                y=view.y,
                series=view.series,
                down=view.down,
                earlier=more.earlier,
                moments=more.moments,
                total=total,
            )
            return PanelValue(chart=drawn, links={}, notes=more.notes, is_pending=more.is_pending)
        written = written_rows(columns_of(schema, leads), rows, first=0, total=total)
        return PanelValue(view=ValueView(kind="table", rows=written), links=self._cell_links(view, names, rows))

    async def texts(self, shown: ShownResult, column: str, most: int) -> list[str]:
        """The values of a column as arguments have them, each once, in the order of the rows; ``most`` at most.

        Raises:
            ValueError: it is no table, or the column is not there.
        """
        if not is_table(shown.product.value) or not is_installed("pyarrow"):
            raise ValueError(f"the result of {shown.product.name} is no table")
        schema, rows, _ = await asyncio.to_thread(self._found, shown, MOST_POINTS)
        at = column_at(column, schema.names)
        cells = (cell_of(row[at], column) for row in rows if row[at] is not None)
        return list(dict.fromkeys(cell.raw or cell.text for cell in cells))[:most]

    def _found(self, shown: ShownResult, most: int, **query: Sequence[str]) -> tuple[Any, list[list[Any]], int]:
        """The Arrow schema of a table, the first rows that a query wants, and how many there are.

        Raises:
            Problem: a column is not there.
            UnrenderableError: the result has no form in Arrow.
        """
        table = arrow_table(shown.product.value, "rows")
        names = table.schema.names
        digest = "" if shown.entry is None else shown.entry.digest
        found = self._rows.find(table, read_table_query(names, **query), digest=digest)
        return table.schema, [list(row) for row in rows_of(found.part(0, most), "html").rows], found.total

    def _drawn(self, beside: Sequence[Beside]) -> _Drawn:
        """What a chart shows beside its own rows. What can't be shown is told, and costs nothing else."""
        found = _Drawn()
        for each in beside:
            asked, what = (
                each.asked,
                "The earlier time" if each.asked.seconds else f"Moments of {each.asked.call.operation}",
            )
            if each.shown is None:
                found.is_pending = found.is_pending or not each.trouble
                found.notes.append(f"{what}: {each.trouble or 'being made'}.")
                continue
            try:
                query = {"where": [asked.where]} if asked.where else {}
                schema, rows, total = self._found(each.shown, MOST_POINTS if asked.seconds else _MOST_MOMENTS, **query)
                names = schema.names
                if asked.seconds:
                    found.earlier = Earlier(names, rows, asked.seconds)
                else:
                    found.moments += moments_of(names, rows, time=asked.time, label=asked.label)
                    found.notes += [f"{what}: only {len(rows)} of {total:,}."] if total > len(rows) else []
            except (UnrenderableError, ValueError, Problem) as error:
                found.notes.append(f"{what}: {told_of(error)}.")
        return found

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


def _of(call: AskedCall) -> str:
    return f"?{urlencode({'of': call.query[1:]})}" if call.arguments else ""


def told_of(error: Exception) -> str:
    """Why there is no result, for people."""
    return error.detail if isinstance(error, Problem) else str(error)

"""``/-/ui/d/{owner}/{name}``: a dashboard, its panels, and the form that changes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.text.humanize import span as in_words
from rave_http.auth.authorization import HIDDEN
from rave_http.description.dashboard_texts import DashboardTexts
from rave_http.description.dashboards import Dashboard, Panel, asked_by
from rave_http.description.time_spans import TimeSpan, span_of, written
from rave_http.pages.dashboard_view import BoardFacts, BoardView, EditState, dashboard_page, edit_page, unreadable_page
from rave_http.pages.me_view import shared_in_words
from rave_http.pages.panel_view import PanelFrame
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page
from rave_http.resources.panels import AskedPanel, Panels
from rave_http.resources.saved import Opened, SavedAccess, version_of
from rave_http.resources.ui import Form

_VARIABLE: Final = "var."
_TIMES: Final = ("from", "to", "zone")
_PARAMETERS: Final = (*_TIMES, "version", "edit", "panel")
_MOST: Final = 200


class DashboardPage:
    """Shows dashboards. For the event loop of one worker."""

    def __init__(self, access: SavedAccess[Dashboard], panels: Panels, form: Form, clock: Clock) -> None:
        """Shows what ``access`` has.

        Args:
            access: the dashboards.
            panels: answer for panels.
            form: answers for an operation of a namespace ``d``, whose forms have addresses of the same kind.
            clock: the source of time.
        """
        self.access = access
        self._panels = panels
        self._form = form
        self._clock = clock

    async def on_get(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """The dashboard; with ``panel`` one panel of it, with ``edit`` the form that changes it.

        Raises:
            Problem: there is none that the client may see.
        """
        try:
            newest = await self.access.found(req, owner, name)
        except Problem:
            return await self._form.on_get(req, resp, f"d/{owner}/{name}")
        given = _read(req)
        version = version_of(given.get("version"))
        opened = newest if version is None else await self.access.found(req, owner, name, version)
        facts = self.facts(req, opened, newest)
        if opened.content is None:
            versions = await self.versions(owner, name)
            send_page(resp, unreadable_page(opened.title, opened.trouble, facts, versions, base=self._base))
        elif "panel" in given:
            await self._show_panel(req, resp, opened.content, given)
        elif "edit" in given:
            await self._show_edit(resp, opened.content, facts)
        else:
            view = self._view(opened.content, given, facts)
            made = await asyncio.to_thread(dashboard_page, opened.content, facts, view, base=self._base)
            send_page(resp, made)
        return None

    on_head = on_get

    @property
    def _base(self) -> str:
        return self.access.links.base

    def url(self, owner: str, name: str) -> str:
        """The URL of a dashboard."""
        return self.access.links.to(f"/-/ui/d/{quote(owner, safe='')}/{quote(name, safe='')}")

    def facts(self, req: Request, opened: Opened[Dashboard], newest: Opened[Dashboard]) -> BoardFacts:
        """What is said of a version besides its content; who may what depends on the newest one."""
        saved, sharing = opened.saved, self.access.sharing
        return BoardFacts(
            owner=saved.owner,
            name=saved.name,
            version=saved.version,
            newest=newest.saved.version,
            url=self.url(saved.owner, saved.name),
            by=saved.author,
            age=self._age(saved.time),
            shared=shared_in_words(newest.shared),
            may_change=sharing.may_change(req, saved.owner, newest.shared),
            may_remove=sharing.is_owner(req, saved.owner),
        )

    async def versions(self, owner: str, name: str) -> list[tuple[int, str, str]]:
        """Number, author and age of the versions that are kept, newest first."""
        found = await asyncio.to_thread(self.access.store.versions, owner, name)
        return [(each.version, each.author, self._age(each.time)) for each in found if not each.empty]

    def _age(self, time: float) -> str:
        return f"{in_words(max(0.0, self._clock.now() - time))} ago"

    async def _show_edit(self, resp: Response, board: Dashboard, facts: BoardFacts) -> None:
        state = EditState(version=facts.newest, versions=await self.versions(facts.owner, facts.name))
        send_page(resp, await asyncio.to_thread(edit_page, DashboardTexts.of(board), facts, state, base=self._base))

    def _view(self, board: Dashboard, given: Mapping[str, str], facts: BoardFacts) -> BoardView:
        times, asked = _times(board, given), _variables(given)
        try:
            values, span = board.values(asked), self._span(board, times)
        except ValueError as error:
            found = {name: asked.get(name, variable.default) for name, variable in board.variables.items()}
            return BoardView(values=found, times=times, trouble=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        texts = {**times, **{f"{_VARIABLE}{name}": text for name, text in values.items()}}
        if facts.version != facts.newest:
            texts["version"] = str(facts.version)
        frames = {panel.id: f"{facts.url}?{urlencode({'panel': panel.id, **texts})}" for panel in board.panels}
        if span is None:
            return BoardView(values=values, times=times, frames=frames)
        moved = [("◀ Earlier", span.moved(-1.0)), ("Later ▶", span.moved(1.0))]
        moves = [
            (label, f"{facts.url}?{urlencode({**texts, 'from': written(to.start), 'to': written(to.end)})}")
            for label, to in moved
        ]
        return BoardView(values=values, times=times, span=_in_words(span), frames=frames, moves=moves)

    def _span(self, board: Dashboard, times: Mapping[str, str]) -> TimeSpan | None:
        if board.range is None:
            return None
        return span_of(*(times[name] for name in _TIMES), now=self._clock.now(), align=board.range.align)

    async def _show_panel(self, req: Request, resp: Response, board: Dashboard, given: Mapping[str, str]) -> None:
        panel = next((each for each in board.panels if each.id == given["panel"] and each.call is not None), None)
        if panel is None or panel.call is None:
            raise Problem("not-found", HIDDEN)
        frame = PanelFrame(title=panel.title or panel.call.operation, refreshes=board.refresh == "at-expiry")
        try:
            asked = self._asked(board, panel, frame, given)
        except ValueError as error:
            self._panels.fail(resp, frame, str(error))
        else:
            await self._panels.answer(req, resp, asked)

    def _asked(self, board: Dashboard, panel: Panel, frame: PanelFrame, given: Mapping[str, str]) -> AskedPanel:
        """A panel with its call.

        Raises:
            ValueError: the times or variables can't be used.
        """
        assert panel.call is not None  # the caller looked
        values, span = board.values(_variables(given)), self._span(board, _times(board, given))
        names = self._panels.time_range(panel.call.operation)
        call = asked_by(panel, values, span, names)
        question = f"{self._panels.links.to_operation(call.operation)}{call.query}"
        return AskedPanel(replace(frame, question=question), call, panel.view)


def _read(req: Request) -> dict[str, str]:
    """The parameters of a request.

    Raises:
        Problem: one is unknown.
    """
    given = dict(pairs(req.query_string, most=_MOST))
    for name in given:
        if name not in _PARAMETERS and not name.startswith(_VARIABLE):
            detail = f"the parameter {name[:80]!r} is unknown; variables are written as {_VARIABLE}NAME"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
    return given


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(_VARIABLE): text for name, text in given.items() if name.startswith(_VARIABLE)}


def _times(board: Dashboard, given: Mapping[str, str]) -> dict[str, str]:
    usual = board.range
    if usual is None:
        return {}
    texts = {"from": usual.start, "to": usual.end, "zone": usual.zone}
    return {name: given.get(name) or text for name, text in texts.items()}


def _in_words(span: TimeSpan) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"

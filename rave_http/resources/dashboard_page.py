"""``/-/ui/d/{owner}/{name}``: a dashboard, its panels, and the form that changes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.errors import RaveError
from rave_core.text.humanize import span as in_words
from rave_http.auth.authorization import HIDDEN
from rave_http.description.dashboard_texts import DashboardTexts
from rave_http.description.dashboards import (
    LINES,
    MOST_CHOICES,
    Choices,
    Dashboard,
    Panel,
    asked_by,
)
from rave_http.description.frozen_board import FrozenBoard
from rave_http.description.saved_calls import AskedCall
from rave_http.description.time_spans import PRESETS, TimeSpan, span_of, written
from rave_http.pages.dashboard_view import BoardFacts, BoardView, EditState, dashboard_page, edit_page, unreadable_page
from rave_http.pages.me_view import shared_in_words
from rave_http.pages.panel_view import PanelFrame
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page
from rave_http.protocol.times import iso
from rave_http.resources.frozen_boards import FrozenBoards
from rave_http.resources.panel_pages import AskedBeside, AskedPanel, told_of
from rave_http.resources.panels import Panels
from rave_http.resources.saved import Opened, SavedAccess, version_of
from rave_http.resources.ui import Form

_VARIABLE: Final = "var."
_TIMES: Final = ("from", "to", "zone")
_AS_OF: Final = "as_of"
_PARAMETERS: Final = (*_TIMES, "version", "edit", "panel", _AS_OF)
_MOST: Final = 200


class DashboardPage:
    """Shows dashboards. For the event loop of one worker."""

    def __init__(
        self, access: SavedAccess[Dashboard], panels: Panels, frozen: FrozenBoards, form: Form, clock: Clock
    ) -> None:
        """Shows what ``access`` has.

        Args:
            access: the dashboards.
            panels: answer for panels.
            frozen: dashboards as they were.
            form: answers for an operation of a namespace ``d``, whose forms have addresses of the same kind.
            clock: the source of time.
        """
        self.access = access
        self._panels = panels
        self.frozen_boards = frozen
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
        if _AS_OF in given:
            return await self._show_frozen(req, resp, newest, given)
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
            view = await self._view(req, opened.content, given, facts)
            made = await asyncio.to_thread(dashboard_page, opened.content, facts, view, base=self._base)
            send_page(resp, made)
        return None

    on_head = on_get

    async def _show_frozen(
        self, req: Request, resp: Response, newest: Opened[Dashboard], given: Mapping[str, str]
    ) -> None:
        """The dashboard as it was, or one panel of it."""
        identifier = given[_AS_OF]
        frozen = await self.frozen_boards.find(newest.saved.owner, newest.saved.name, identifier)
        board, texts = frozen.content.board, frozen.content.texts
        facts = self.facts(req, newest, newest)
        if "panel" in given:
            await self._show_panel(req, resp, board, {**texts, "panel": given["panel"]}, frozen.content.results)
            return
        view = BoardView(
            values=board.values(_variables(texts)),
            times={},
            span=_in_words(span) if (span := self._span(board, _times(board, texts))) is not None else "",
            frames={
                panel.id: f"{facts.url}?{urlencode({'panel': panel.id, _AS_OF: identifier})}" for panel in board.panels
            },
            frozen=f"{iso(frozen.saved.time)[:16].replace('T', ' ')} UTC by {frozen.saved.author}",
            as_of=identifier if facts.may_remove or self.access.sharing.user(req) == frozen.saved.author else "",
        )
        send_page(resp, await asyncio.to_thread(dashboard_page, board, facts, view, base=self._base))

    async def freeze(self, req: Request, opened: Opened[Dashboard], given: Mapping[str, str]) -> str:
        """Freezes what a dashboard shows now, and returns the URL of that.

        Raises:
            Problem: nobody is signed in, or no result can be kept.
            ValueError: the times or variables can't be used.
        """
        by, board, saved = self.access.sharing.required_user(req), opened.content, opened.saved
        if board is None:
            raise Problem("conflict", f"The dashboard can't be frozen: {opened.trouble}")
        values, span = board.values(_variables(given)), self._span(board, _times(board, given))
        texts = {f"{_VARIABLE}{name}": text for name, text in values.items()}
        if span is not None:
            texts |= {"from": written(span.start), "to": written(span.end), "zone": "UTC"}
        calls: dict[str, AskedCall] = {}
        for panel in (each for each in board.panels if each.call is not None):
            with contextlib.suppress(ValueError):  # the panel says so itself
                asked = self._asked(req, board, panel, PanelFrame(title=""), texts)
                calls |= {call.plain: call for call in (asked.call, *(each.call for each in asked.beside))}
        content = FrozenBoard(version=saved.version, board=board, texts=texts, results={})
        identifier = await self.frozen_boards.freeze(req, saved.owner, saved.name, content, calls.values(), by=by)
        return f"{self.url(saved.owner, saved.name)}?{urlencode({_AS_OF: identifier})}"

    async def frozen(self, owner: str, name: str) -> list[tuple[str, str, str]]:
        """URL, author and age of what was frozen of a dashboard, newest first."""
        url = self.url(owner, name)
        found = await self.frozen_boards.listed(owner, name)
        return [(f"{url}?{urlencode({_AS_OF: each})}", saved.author, self._age(saved.time)) for each, saved in found]

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
            may_freeze=bool(sharing.user(req)),
        )

    async def versions(self, owner: str, name: str) -> list[tuple[int, str, str]]:
        """Number, author and age of the versions that are kept, newest first."""
        found = await asyncio.to_thread(self.access.store.versions, owner, name)
        return [(each.version, each.author, self._age(each.time)) for each in found if not each.empty]

    def _age(self, time: float) -> str:
        return f"{in_words(max(0.0, self._clock.now() - time))} ago"

    async def _show_edit(self, resp: Response, board: Dashboard, facts: BoardFacts) -> None:
        state = EditState(
            version=facts.newest,
            versions=await self.versions(facts.owner, facts.name),
            frozen=await self.frozen(facts.owner, facts.name),
        )
        send_page(resp, await asyncio.to_thread(edit_page, DashboardTexts.of(board), facts, state, base=self._base))

    async def _view(self, req: Request, board: Dashboard, given: Mapping[str, str], facts: BoardFacts) -> BoardView:
        times, asked = _times(board, given), _variables(given)
        try:
            values, span = board.values(asked), self._span(board, times)
        except ValueError as error:
            found = {name: asked.get(name, variable.default) for name, variable in board.variables.items()}
            return BoardView(values=found, times=times, trouble=_sentence(error))
        texts = {**times, **{f"{_VARIABLE}{name}": text for name, text in values.items()}}
        if facts.version != facts.newest:
            texts["version"] = str(facts.version)
        choices = await asyncio.gather(*(self._choices(req, board, name, span) for name in board.variables))
        return BoardView(
            values=values,
            times=times,
            span="" if span is None else _in_words(span),
            frames={panel.id: f"{facts.url}?{urlencode({'panel': panel.id, **texts})}" for panel in board.panels},
            moves=[] if span is None else _moves(facts.url, texts, span),
            choices=dict(zip(board.variables, choices, strict=True)),
        )

    async def _choices(
        self, req: Request, board: Dashboard, name: str, span: TimeSpan | None
    ) -> tuple[Sequence[str], str]:
        """The texts that a variable is offered, and why there are none if its operation gives none."""
        variable = board.variables[name]
        if not isinstance(variable.choices, Choices):
            return variable.choices, ""
        source = variable.choices
        names = self._panels.time_range(req, source.operation)
        try:
            call = asked_by(source.call, {}, span, names, is_timed=source.range)
            found = await self._panels.texts(req, call, source.column, MOST_CHOICES)
        except (RaveError, ValueError, OSError) as error:
            return (), f"No choices: {told_of(error)}"
        return ((), "The choices are being made") if found is None else (found, "")

    def _span(self, board: Dashboard, times: Mapping[str, str]) -> TimeSpan | None:
        if board.range is None:
            return None
        return span_of(*(times[name] for name in _TIMES), now=self._clock.now(), align=board.range.align)

    async def _show_panel(
        self,
        req: Request,
        resp: Response,
        board: Dashboard,
        given: Mapping[str, str],
        frozen: Mapping[str, str] | None = None,
    ) -> None:
        """One panel; ``frozen`` has the kept results of its calls, instead of the newest ones."""
        panel = next((each for each in board.panels if each.id == given["panel"] and each.call is not None), None)
        if panel is None or panel.call is None:
            raise Problem("not-found", HIDDEN)
        is_live = frozen is None and board.refresh == "at-expiry"
        frame = PanelFrame(title=panel.title or panel.call.operation, refreshes=is_live)
        try:
            asked = self._asked(req, board, panel, frame, given)
        except ValueError as error:
            self._panels.fail(resp, frame, str(error))
        else:
            if frozen is None:
                await self._panels.answer(req, resp, asked)
            else:
                await self.frozen_boards.answer(req, resp, asked, frozen)

    def _asked(
        self, req: Request, board: Dashboard, panel: Panel, frame: PanelFrame, given: Mapping[str, str]
    ) -> AskedPanel:
        """A panel with its call.

        Raises:
            ValueError: the times or variables can't be used.
        """
        assert panel.call is not None  # the caller looked
        values, span = board.values(_variables(given)), self._span(board, _times(board, given))
        call = self._called(req, panel.call, panel.range, values, span)
        question = f"{self._panels.links.to_operation(call.operation)}{call.query}"
        return AskedPanel(
            replace(frame, question=question), call, panel.view, self._beside(req, board, panel, values, span)
        )

    def _called(
        self, req: Request, call: AskedCall, is_timed: bool, values: Mapping[str, str], span: TimeSpan | None
    ) -> AskedCall:
        return asked_by(call, values, span, self._panels.time_range(req, call.operation), is_timed=is_timed)

    def _beside(
        self, req: Request, board: Dashboard, panel: Panel, values: Mapping[str, str], span: TimeSpan | None
    ) -> list[AskedBeside]:
        """What the chart of a panel shows beside its result: an earlier time, and moments.

        Raises:
            ValueError: there is no such earlier time.
        """
        if panel.call is None or span is None or panel.view.mark not in LINES or not panel.range:
            return []
        found = []
        if panel.view.compare:
            before = span.before(panel.view.compare)
            call = self._called(req, panel.call, True, values, before)
            found.append(AskedBeside(call=call, seconds=(span.start - before.start).total_seconds()))
        for each in board.annotations:
            asked = AskedBeside(call=each.call, time=each.time, label=each.label, where=each.where)
            try:
                found.append(replace(asked, call=self._called(req, each.call, each.range, values, span)))
            except ValueError as error:
                found.append(replace(asked, trouble=str(error)))
        return found


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


def _moves(url: str, texts: Mapping[str, str], span: TimeSpan) -> list[tuple[str, str]]:
    """Labels and URLs of other times."""
    moved = [("◀ Earlier", span.moved(-1.0)), ("Later ▶", span.moved(1.0))]
    times = [(label, written(to.start), written(to.end)) for label, to in moved]
    times += [(label, start, "now") for label, start in PRESETS]
    return [(label, f"{url}?{urlencode({**texts, 'from': start, 'to': end})}") for label, start, end in times]


def _sentence(error: ValueError) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:]}."


def _in_words(span: TimeSpan) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"

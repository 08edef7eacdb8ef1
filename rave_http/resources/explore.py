"""``/-/ui/explore/{namespace}/{operation}``: an operation in time, and the time before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, get_args
from urllib.parse import quote, urlencode

import msgspec
from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.functions.page_hints import PageView
from rave_http.auth.authorizer import Authorizer
from rave_http.description.dashboards import LINES, Mark, View, asked_by
from rave_http.description.saved_calls import AskedCall
from rave_http.description.time_spans import PRESETS, PREVIOUS, TimeSpan, span_of, written
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.explore_view import NOTHING, PREFIX, ExploreView, explore_page
from rave_http.pages.panel_view import PanelFrame
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page
from rave_http.resources.panel_pages import AskedBeside, AskedPanel
from rave_http.resources.panels import Panels
from rave_http.resources.ui import Form

_CONTROLS: Final = {
    "from": "-1d",
    "to": "now",
    "zone": "UTC",
    "mark": "area",
    "x": "",
    "y": "",
    "series": "",
    "down": "",
    "compare": PREVIOUS,
}
"""What the page takes besides the arguments, each with ``view.`` before it, and what it is by default."""
_DRAWING: Final = ("mark", "x", "y", "series", "down")
"""Those that say how the result is drawn. If a question has none of them, the first view of the operation does."""
_FRAME: Final = f"{PREFIX}frame"
_FRAMES: Final = {"now": "This time", "before": "The earlier time", "rows": "The rows"}
_MOST: Final = 1000


class Explore:
    """Explores operations that take a span of time. For the event loop of one worker."""

    def __init__(
        self, namespaces: LiveNamespaces, authorizer: Authorizer, panels: Panels, form: Form, clock: Clock
    ) -> None:
        """Shows the operations of ``namespaces``, by ``panels``.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            panels: answer for the parts of the page.
            form: answers for an operation of a namespace ``explore``, whose forms have addresses of the same kind.
            clock: the source of time.
        """
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._panels = panels
        self._form = form
        self._clock = clock

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """The page; with ``view.frame`` one of its parts.

        Raises:
            Problem: there is no such operation, or it takes no span of time.
        """
        exported = self._namespaces.find(name)
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            await self._form.on_get(req, resp, f"explore/{name}")
            return
        if exported.operation.spec.time_range is None:
            raise Problem("not-found", f"{name} declares no time range, so it can't be explored in time")
        req.scope["rave"].operation = name
        views = exported.operation.spec.hints.views
        controls, call, frame = _read(req, name, views)
        if frame:
            await self._show_frame(req, resp, controls, call, frame)
            return
        view = self._view(controls, call, views)
        made = await asyncio.to_thread(explore_page, name, view, base=self._panels.links.base)
        send_page(resp, made)

    on_head = on_get

    def _view(self, controls: Mapping[str, str], call: AskedCall, views: Sequence[PageView]) -> ExploreView:
        url = self._panels.links.to(f"/-/ui/explore/{quote(call.operation)}")

        def to(**changes: str) -> str:
            return f"{url}?{urlencode([*call.pairs, *_written({**controls, **changes}, views)])}"

        try:
            span = self._span(controls)
            if controls["compare"] != NOTHING:
                span.before(controls["compare"])
        except ValueError as error:
            return ExploreView(url=url, controls=controls, arguments=call.pairs, trouble=_sentence(error))
        moved = (("◀ Earlier", span.moved(-1.0)), ("Later ▶", span.moved(1.0)), ("Wider", _wider(span)))
        moves = [(label, to(**{"from": written(each.start), "to": written(each.end)})) for label, each in moved]
        return ExploreView(
            url=url,
            controls=controls,
            arguments=call.pairs,
            span=f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC",
            moves=[*moves, *((label, to(**{"from": start, "to": "now"})) for label, start in PRESETS)],
            views=[(each.title, to(**_drawing(each)), _drawing(each).items() <= controls.items()) for each in views],
            frames=[(_FRAMES[each], f"{to()}&{_FRAME}={each}") for each in _frames(controls)],
        )

    def _span(self, controls: Mapping[str, str]) -> TimeSpan:
        return span_of(controls["from"], controls["to"], controls["zone"], now=self._clock.now())

    async def _show_frame(
        self, req: Request, resp: Response, controls: Mapping[str, str], call: AskedCall, name: str
    ) -> None:
        frame = PanelFrame(title=_FRAMES[name])
        try:
            asked = self._asked(req, controls, call, name)
        except (ValueError, msgspec.ValidationError) as error:
            self._panels.fail(resp, frame, str(error))
        else:
            await self._panels.answer(req, resp, asked)

    def _asked(self, req: Request, controls: Mapping[str, str], call: AskedCall, name: str) -> AskedPanel:
        """A part of the page.

        Raises:
            ValueError: the times can't be used.
        """
        span, compare = self._span(controls), controls["compare"]
        before = span if compare == NOTHING else span.before(compare)
        view = View(mark="table", rows=20)
        if name != "rows":
            view = msgspec.convert({each: controls[each] for each in _DRAWING}, View)
        asked = self._in_time(req, call, before if name == "before" else span)
        beside = []
        if name == "now" and before != span and view.mark in LINES:
            seconds = (span.start - before.start).total_seconds()
            beside = [AskedBeside(call=self._in_time(req, call, before), seconds=seconds)]
        question = f"{self._panels.links.to_operation(asked.operation)}{asked.query}"
        return AskedPanel(PanelFrame(title=_FRAMES[name], question=question), asked, view, beside)

    def _in_time(self, req: Request, call: AskedCall, span: TimeSpan) -> AskedCall:
        plain = AskedCall.of(call.operation, [(each, text.replace("$", "$$")) for each, text in call.pairs])
        return asked_by(plain, {}, span, self._panels.time_range(req, call.operation), is_timed=True)


def _frames(controls: Mapping[str, str]) -> list[str]:
    """The parts of the page; lines and areas have the earlier time in them."""
    is_apart = controls["mark"] not in LINES and controls["compare"] != NOTHING
    return ["now", *(["before"] if is_apart else []), "rows"]


def _drawing(view: PageView) -> dict[str, str]:
    return {each: getattr(view, each) for each in _DRAWING}


def _read(req: Request, name: str, views: Sequence[PageView]) -> tuple[dict[str, str], AskedCall, str]:
    """The controls, the call without its time, and the wanted frame, empty for the page.

    Raises:
        Problem: a control is unknown.
    """
    given = pairs(req.query_string, most=_MOST)
    is_drawn = any(each.removeprefix(PREFIX) in _DRAWING for each, _ in given if each.startswith(PREFIX))
    controls = {**_CONTROLS, **(_drawing(views[0]) if views and not is_drawn else {})}
    frame = ""
    for each, text in given:
        control = each.removeprefix(PREFIX)
        if each == _FRAME and text in _FRAMES:
            frame = text
        elif each.startswith(PREFIX) and control in _CONTROLS:
            controls[control] = text or _CONTROLS[control]
        elif "." in each:
            detail = f"the parameter {each[:80]!r} is unknown, or its text; the page takes {PREFIX}NAME"
            raise Problem("bad-arguments", detail, errors=[{"parameter": each, "detail": detail}])
    if controls["mark"] not in get_args(Mark):
        detail = f"mark: {controls['mark'][:40]!r} is none of {', '.join(get_args(Mark))}"
        raise Problem("bad-arguments", detail, errors=[{"parameter": "view.mark", "detail": detail}])
    return controls, AskedCall.of(name, [(each, text) for each, text in given if "." not in each and text]), frame


def _written(controls: Mapping[str, str], views: Sequence[PageView]) -> list[tuple[str, str]]:
    """The controls that a question needs: one that is drawn as the first view says has none of the drawing."""
    first = _drawing(views[0]) if views else {name: _CONTROLS[name] for name in _DRAWING}
    is_first = first.items() <= controls.items()
    told = {name for name in controls if controls[name] != _CONTROLS[name] and (name not in _DRAWING or not is_first)}
    if not is_first and not told & set(_DRAWING):
        told.add("mark")
    return [(f"{PREFIX}{name}", text) for name, text in controls.items() if name in told]


def _wider(span: TimeSpan) -> TimeSpan:
    return TimeSpan(span.moved(-0.5).start, span.moved(0.5).end)


def _sentence(error: ValueError) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:]}."

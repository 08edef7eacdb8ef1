"""Panels: parts of a dashboard, each answered like any other question, and shown in a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from falcon.asgi import Request, Response

from rave_core.errors import RaveError
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.operation_documents import nearest_operation
from rave_http.description.request_arguments import Asked, Question
from rave_http.description.saved_calls import AskedCall
from rave_http.executors.foreign_code import ForeignCode
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.panel_view import PanelFrame, failed_panel
from rave_http.protocol.headers import PLAIN_PREFERENCES
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_page
from rave_http.resources.ladder import Wish
from rave_http.resources.operations import bound
from rave_http.resources.panel_ladder import PanelLadder
from rave_http.resources.panel_pages import BESIDE, PANEL, AskedBeside, AskedPanel, Beside, PanelPages, told_of
from rave_http.resources.result_pages import ShownResult


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

    def time_range(self, req: Request, name: str) -> tuple[str, ...] | None:
        """The parameters of an operation for a span of time; ``None`` if it has none.

        They are empty for an operation that is not there, or that the client may not see: whoever asks it says so.
        """
        exported = self._namespaces.find(name)
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            return ()
        return exported.operation.spec.time_range

    def fail(self, resp: Response, frame: PanelFrame, detail: str) -> None:
        """Sends a panel without a result."""
        send_page(resp, failed_panel(frame, f"{detail[:1].upper()}{detail[1:]}.", base=self.links.base))

    async def answer(self, req: Request, resp: Response, panel: AskedPanel) -> None:
        """Answers for a panel: its result, how far that is, or why there is none, with the last good one."""
        setattr(req.context, PANEL, panel)
        beside = asyncio.gather(*(self._beside(req, each) for each in panel.beside))
        setattr(req.context, BESIDE, beside)
        wish = None
        try:
            wish = await self.wish(req, panel.call)
            req.scope["rave"].operation = wish.exported.name
            await self._ladder.answer(req, resp, wish)
        except (RaveError, OSError) as error:
            detail = told_of(error)
            told = f"No newer result: {detail}."
            if wish is None or not await self._ladder.send_last(req, resp, wish, self._pages, told):
                self.fail(resp, panel.frame, detail)
        await beside  # it may be that nothing has waited for it
        resp.set_header("Cache-Control", "no-store")

    async def texts(self, req: Request, call: AskedCall, column: str, most: int) -> list[str] | None:
        """The values of a column of a result, as arguments have them; ``None`` if that is being made.

        Raises:
            RaveError, OSError, ValueError: there are none.
        """
        shown = await self._result(req, call)
        return None if shown is None else await self._pages.texts(shown, column, most)

    async def _result(self, req: Request, call: AskedCall) -> ShownResult | None:
        return await self._ladder.result(req, await self.wish(req, call))

    async def _beside(self, req: Request, asked: AskedBeside) -> Beside:
        if asked.trouble:
            return Beside(asked=asked, trouble=asked.trouble)
        try:
            return Beside(asked=asked, shown=await self._result(req, asked.call))
        except (RaveError, OSError) as error:
            return Beside(asked=asked, trouble=told_of(error))

    async def show(
        self, req: Request, resp: Response, panel: AskedPanel, shown: ShownResult, beside: Sequence[Beside]
    ) -> None:
        """Sends a panel with results that are there."""
        setattr(req.context, PANEL, panel)
        known: asyncio.Future[Sequence[Beside]] = asyncio.get_running_loop().create_future()
        known.set_result(beside)
        setattr(req.context, BESIDE, known)
        await self._pages.send(req, resp, shown)

    def exported(self, req: Request, name: str) -> ExportedOperation:
        """The operation of that name.

        Raises:
            Problem: there is none, or the client may not see it.
        """
        found, may = self._namespaces.find(name), self._authorizer.may
        if found is not None and may(req, "view", found.namespace):
            return found
        if name.partition("/")[0] in self._namespaces.catalog.namespaces and may(req, "view", name.partition("/")[0]):
            hint = nearest_operation(self._namespaces.catalog, name[:200], lambda space: may(req, "view", space))
            raise Problem("not-found", f"there is no operation {name[:200]!r} any more; {hint}")
        raise Problem("not-found", HIDDEN)

    async def wish(self, req: Request, called: AskedCall) -> Wish:
        """What a call wants.

        Raises:
            RaveError: its operation is gone, or its arguments do not fit.
        """
        exported = self.exported(req, called.operation)
        asked = Asked(operation=exported.name, texts=tuple(called.pairs))
        resolved = exported.operation.resolved_in(exported.runtime)
        call = await bound(self._foreign, asked, exported, resolved, lambda: self._authorizer.user(req))
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

"""Editing dashboards by forms: nothing that was typed is lost, whatever keeps it from being saved."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
from falcon.asgi import App, Request, Response

from rave_core.documents import Conflict
from rave_http.auth.sharing import checked
from rave_http.description.dashboard_texts import DashboardTexts
from rave_http.description.dashboards import COLUMNS, FORMAT, Dashboard
from rave_http.description.saved_calls import AskedCall
from rave_http.pages.dashboard_view import BoardFacts, EditState, edit_page
from rave_http.pages.me_view import BoardCard, shared_in_words
from rave_http.protocol.bodies import body_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page
from rave_http.resources.dashboard_page import DashboardPage
from rave_http.resources.frozen_list import FrozenList, FrozenResource
from rave_http.resources.saved import Opened, name_of
from rave_http.worker.saved_documents import SavedDocument

_MOST_FIELDS: Final = 1000
_UNAUTHORIZED: Final = 401
_ACTIONS: Final = ("save", "more", "remove", "freeze", "unfreeze")


class EditableDashboard(DashboardPage):
    """The page of a dashboard, which takes what its form sends. For the event loop of one worker."""

    max_body: int = 1 << 20
    """The largest form in bytes."""

    async def on_post(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """Saves, freezes or removes the dashboard, or shows the form with room for another panel.

        What can't be saved is shown again, with all that was typed: 400 if it makes no dashboard, 401 if nobody is
        signed in any more, 412 with both versions if somebody else saved another one meanwhile.

        Raises:
            Problem: the form is none of these pages.
        """
        form = dict(pairs((await body_of(req, self.max_body)).decode("utf-8", "replace"), most=_MOST_FIELDS))
        action, version = form.get("action", ""), form.get("version", "")
        if action not in _ACTIONS or not (version.isascii() and version.isdigit() and len(version) < 10):
            raise Problem("bad-request", "The form has no 'action' and 'version' as the page of a dashboard sends them")
        if action == "freeze":
            await self._freeze(req, resp, owner, name, form)
            return
        if action == "unfreeze":
            await self._unfreeze(req, resp, owner, name, form.get("as_of", ""))
            return
        if action == "remove":
            await self._remove(req, resp, owner, name, int(version))
            return
        texts = DashboardTexts.sent(form)
        newest = await asyncio.to_thread(self.access.store.get, owner, name)
        if action == "more":
            await self._again(req, resp, newest, texts, EditState(version=int(version)))
            return
        await self._save(req, resp, newest, texts, int(version))

    async def cards(self, req: Request) -> list[BoardCard]:
        """The dashboards that the client may see."""
        return [self._card(req, each) for each in await self.access.visible(req)]

    def _card(self, req: Request, opened: Opened[Dashboard]) -> BoardCard:
        saved = opened.saved
        return BoardCard(
            title=opened.title,
            owner=saved.owner,
            name=saved.name,
            url=self.url(saved.owner, saved.name),
            shared=shared_in_words(opened.shared),
            age=self._age(saved.time),
            may_change=self.access.sharing.may_change(req, saved.owner, opened.shared),
            trouble=opened.trouble,
        )

    async def make(self, req: Request, title: str, call: str) -> str:
        """Makes a dashboard of the user who asks, with the panel of ``call`` if that is no empty text.

        Returns:
            The URL of the form that changes it.

        Raises:
            Problem: nobody is signed in, or the title or the call is wrong.
        """
        owner, name = self.access.sharing.required_user(req), name_of(title)
        panels = [_panel(call, "p1", 0)] if call else []
        board = self._converted({"format": FORMAT, "title": title.strip(), "panels": panels})
        taken = {each.saved.name for each in await self.access.visible(req) if each.saved.owner == owner}
        free = next(each for at in range(1, 10_000) if (each := name if at == 1 else f"{name}-{at}") not in taken)
        old = await asyncio.to_thread(self.access.store.get, owner, free)
        await self.access.save(req, owner, free, board, expect=old.version)
        return f"{self.url(owner, free)}?edit=1"

    async def add(self, req: Request, owner: str, name: str, call: str) -> str:
        """Adds a panel for a call below the others, and returns the URL of the dashboard.

        Raises:
            Problem: there is no such dashboard, the client may not change it, or the call is wrong.
            Conflict: somebody saved another version at the same moment.
        """
        opened = await self.access.found(req, owner, name)
        if opened.content is None:
            raise Problem("conflict", f"The dashboard can't be changed: {opened.trouble}")
        document = msgspec.to_builtins(opened.content)
        taken = {panel.id for panel in opened.content.panels}
        free = next(each for at in range(1, 1000) if (each := f"p{at}") not in taken)
        bottom = max((panel.at[1] + panel.at[3] for panel in opened.content.panels), default=0)
        document["panels"] = [*document.get("panels", []), _panel(call, free, bottom)]
        board = self._converted(document)
        self.access.check(req, opened.saved, board)
        await self.access.save(req, owner, name, board, expect=opened.saved.version)
        return self.url(owner, name)

    def _converted(self, document: dict[str, Any]) -> Dashboard:
        try:
            return msgspec.convert(document, Dashboard)
        except msgspec.ValidationError as error:
            raise Problem("bad-arguments", f"It makes no dashboard: {error}") from None

    async def _save(
        self, req: Request, resp: Response, newest: SavedDocument, texts: DashboardTexts, version: int
    ) -> None:
        state = EditState(version=version)
        try:
            content = texts.dashboard()
            checked(content.shared)
            self.access.check(req, newest, content)
            await self.access.save(req, newest.owner, newest.name, content, expect=version)
        except Conflict:
            await self._show_both(req, resp, newest.owner, newest.name, texts)
        except Problem as problem:
            await self._again(req, resp, newest, texts, state, problem.detail, status=problem.status)
        except (ValueError, msgspec.ValidationError) as error:
            await self._again(req, resp, newest, texts, state, str(error), status=400)
        else:
            resp.status = "303 See Other"
            resp.set_headers({"Location": self.url(newest.owner, newest.name), "Cache-Control": "no-store"})

    async def _remove(self, req: Request, resp: Response, owner: str, name: str, version: int) -> None:
        found = await self.access.found(req, owner, name)
        if found.saved.version != version:
            raise Problem("precondition-failed", "Somebody saved another version of it meanwhile; look at that first")
        await self.access.remove(req, found)
        resp.status = "303 See Other"
        resp.set_headers({"Location": self.access.links.to("/-/ui/me?done=removed"), "Cache-Control": "no-store"})

    async def _freeze(self, req: Request, resp: Response, owner: str, name: str, form: Mapping[str, str]) -> None:
        found = await self.access.found(req, owner, name, int(form["version"]) or None)
        try:
            url = await self.freeze(req, found, form)
        except ValueError as error:
            raise Problem("bad-arguments", f"It can't be frozen: {error}") from None
        resp.status = "303 See Other"
        resp.set_headers({"Location": url, "Cache-Control": "no-store"})

    async def _unfreeze(self, req: Request, resp: Response, owner: str, name: str, identifier: str) -> None:
        await self.access.found(req, owner, name)
        user, is_owner = self.access.sharing.required_user(req), self.access.sharing.is_owner(req, owner)
        await self.frozen_boards.remove(owner, name, identifier, by=user, is_owner=is_owner)
        resp.status = "303 See Other"
        resp.set_headers({"Location": self.url(owner, name), "Cache-Control": "no-store"})

    async def _show_both(self, req: Request, resp: Response, owner: str, name: str, texts: DashboardTexts) -> None:
        """412: what somebody else saved meanwhile beside what was typed, which can be saved on top of it."""
        newest = await asyncio.to_thread(self.access.store.get, owner, name)
        theirs = self._lines(newest)
        state = EditState(
            version=newest.version,
            theirs=_both(texts.lines, theirs),
            theirs_by=newest.author,
        )
        detail = f"while you were editing, {newest.author} saved version {newest.version}."
        await self._again(req, resp, newest, texts, state, detail, status=412)

    def _lines(self, saved: SavedDocument) -> list[str]:
        if saved.payload is None:
            return ["it was removed"]
        content = self.access.opened(saved).content
        return ["it can't be read by this version of RAVE"] if content is None else DashboardTexts.of(content).lines

    async def _again(
        self,
        req: Request,
        resp: Response,
        newest: SavedDocument,
        texts: DashboardTexts,
        state: EditState,
        error: str = "",
        *,
        status: int = 200,
    ) -> None:
        """Shows the form as it was sent."""
        facts = await self._facts_of(req, newest)
        shown = replace(state, error=f"{error[:1].upper()}{error[1:]}", needs_sign_in=status == _UNAUTHORIZED)
        made = await asyncio.to_thread(edit_page, texts, facts, shown, base=self.access.links.base)
        send_page(resp, made, status=str(status))

    async def _facts_of(self, req: Request, newest: SavedDocument) -> BoardFacts:
        """What may be said of a dashboard to whoever sent a form: nothing new, if they may not see it."""
        url = self.url(newest.owner, newest.name)
        facts = BoardFacts(owner=newest.owner, name=newest.name, version=0, newest=0, url=url)
        if newest.payload is None:
            return facts
        opened = self.access.opened(newest)
        try:
            is_seen = self.access.sharing.may_see(req, newest.owner, opened.shared)
        except Problem:
            is_seen = False
        return self.facts(req, opened, opened) if is_seen else facts


def route_dashboard(app: App[Request, Response], board: EditableDashboard) -> None:
    """Adds the routes of the page of a dashboard, and of what was frozen of it."""
    app.add_route("/-/ui/d/{owner}/{name}", board)
    app.add_route("/-/dashboards/{owner}/{name}/frozen", FrozenList(board.access, board.frozen_boards))
    one = FrozenResource(board.access, board.frozen_boards)
    app.add_route("/-/dashboards/{owner}/{name}/frozen/{as_of}", one)


def _panel(call: str, name: str, row: int) -> dict[str, Any]:
    """A panel for a call, as wide as the dashboard.

    Raises:
        Problem: that is no call.
    """
    try:
        asked = AskedCall.read(call)
    except ValueError as error:
        raise Problem("bad-arguments", str(error)) from None
    return {"id": name, "call": msgspec.to_builtins(asked), "at": [0, row, COLUMNS, 5]}


def _both(typed: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    """Two versions line by line: ``+`` only in theirs, ``-`` only in what was typed."""
    return [(line[0].strip(), line[2:]) for line in difflib.ndiff(typed, theirs) if line[0] in "+- "]

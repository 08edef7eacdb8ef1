"""``/-/ui/me``: what a user saved and asked, and what others share with them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final
from urllib.parse import quote

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.documents import Conflict
from rave_core.errors import RaveError
from rave_core.text.humanize import span
from rave_http.auth.authorizer import Authorizer
from rave_http.auth.sharing import checked
from rave_http.description.saved_calls import AskedCall, SavedCall
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.me_view import CallCard, SaveForm, me_page, save_page, shared_in_words
from rave_http.protocol.bodies import body_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read, read_text
from rave_http.protocol.responses import send_page
from rave_http.resources.dashboard_editing import EditableDashboard
from rave_http.resources.saved import Opened, SavedAccess, name_of
from rave_http.worker.history import History, PastCall

_ACTIONS: Final = ("save", "remove", "forget", "dashboard", "add")
_FIELDS: Final = ("action", "call", "title", "shared", "owner", "name")
_DONE: Final = {"saved": "It is saved.", "removed": "It is removed.", "forgotten": "What you asked is forgotten."}
_LONGEST: Final = 200
_MOST_BODY: Final = 65536


class MePage:
    """The page of a user. For the event loop of one worker."""

    def __init__(
        self,
        calls: SavedAccess[SavedCall],
        boards: EditableDashboard,
        history: History,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        clock: Clock,
    ) -> None:
        """Shows what users saved and asked.

        Args:
            calls: saved calls.
            boards: dashboards.
            history: what a user asked.
            namespaces: have the operations.
            authorizer: decides who may see these.
            clock: the source of time.
        """
        self._calls = calls
        self._boards = boards
        self._history = history
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._clock = clock

    async def on_get(self, req: Request, resp: Response) -> None:
        """What the client keeps, and what is shared with them; nobody in particular sees what all share."""
        given = read(req, "done", "add")
        user = self._calls.sharing.user(req)
        saved = [card for each in await self._calls.visible(req) if (card := self._saved(req, each)) is not None]
        asked = await asyncio.to_thread(self._history.of, user) if user else []
        past = [self._past(req, each) for each in asked]
        make = partial(
            me_page,
            user,
            base=self._calls.links.base,
            boards=await self._boards.cards(req),
            calls=saved,
            past=past,
            said=_DONE.get(given.get("done", ""), ""),
            adding=given.get("add", "") if user else "",
        )
        send_page(resp, await asyncio.to_thread(make))

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Saves or removes a call, forgets the history, makes a dashboard, or adds a panel to one.

        A call that can't be saved is shown again, with all that was typed.

        Raises:
            Problem: there is nothing to remove, or the client may not.
        """
        body = await body_of(req, _MOST_BODY)
        given = read_text(body.decode("utf-8", "replace"), *_FIELDS)
        action = given.get("action", "")
        if action not in _ACTIONS:
            raise Problem("bad-arguments", f"action: {action[:40]!r} is not one of {', '.join(_ACTIONS)}")
        location = await self._done(req, resp, action, given)
        if location:
            resp.status = "303 See Other"
            resp.set_headers({"Location": location, "Cache-Control": "no-store"})

    async def _done(self, req: Request, resp: Response, action: str, given: dict[str, str]) -> str:
        """Does what a form says. Returns the URL of the page to go to; empty if another answer is given."""
        links = self._calls.links
        if action == "save":
            return links.to("/-/ui/me?done=saved") if await self._save(req, resp, given) else ""
        if action == "dashboard":
            return await self._boards.make(req, given.get("title", ""), given.get("call", ""))
        if action == "add":
            return await self._boards.add(req, given.get("owner", ""), given.get("name", ""), given.get("call", ""))
        if action == "remove":
            await self._remove(req, given)
            return links.to("/-/ui/me?done=removed")
        await asyncio.to_thread(self._history.forget, self._calls.sharing.required_user(req))
        return links.to("/-/ui/me?done=forgotten")

    async def _save(self, req: Request, resp: Response, given: dict[str, str]) -> bool:
        """Saves a call. If that fails, it answers with the form as it was typed, and returns false."""
        try:
            user = self._calls.sharing.required_user(req)
            content = _content(given)
            name = name_of(content.title)
            old = await asyncio.to_thread(self._calls.store.get, user, name)
            if old.payload is not None:
                raise Problem("conflict", "You have saved a call under such a title already; choose another one")
            await self._calls.save(req, user, name, content, expect=old.version)
        except (Problem, Conflict) as error:
            await self._ask_again(req, resp, given, error)
            return False
        return True

    async def _ask_again(self, req: Request, resp: Response, given: dict[str, str], error: RaveError) -> None:
        status, detail = "409", "You saved it in another tab at the same moment"
        if isinstance(error, Problem):
            status, detail = str(error.status), error.detail
        fields = {name: given.get(name, "") for name in ("title", "shared", "call")}
        form = SaveForm(**fields, error=f"{detail[:1].upper()}{detail[1:]}.")
        shown = await asyncio.to_thread(save_page, form, base=self._calls.links.base, user=self._user(req))
        send_page(resp, shown, status=status)

    def _user(self, req: Request) -> str:
        try:
            return self._calls.sharing.user(req)
        except Problem:
            return ""

    async def _remove(self, req: Request, given: dict[str, str]) -> None:
        found = await self._calls.found(req, given.get("owner", ""), given.get("name", ""))
        try:
            await self._calls.remove(req, found)
        except Conflict as error:
            raise Problem("conflict", "It was changed at the same moment; look at it again") from error

    def _saved(self, req: Request, opened: Opened[SavedCall]) -> CallCard | None:
        """A saved call; ``None`` if the client may not see its operation, unless it is theirs."""
        saved, content, links = opened.saved, opened.content, self._calls.links
        is_owner = self._calls.sharing.is_owner(req, saved.owner)
        trouble = opened.trouble
        is_there = content is not None and self._is_served(req, content.call.operation)
        if content is not None and not is_there:
            if not is_owner:
                return None
            trouble = "The operation is served no more, or you may not see it any more"
        call = content.call if content is not None else None
        return CallCard(
            title=opened.title,
            operation="" if call is None else call.operation,
            arguments=() if call is None else _short(call),
            url=links.to_operation(call.operation) + call.query if call is not None and is_there else "",
            form=_form(links.base, call) if call is not None and is_there else "",
            owner=saved.owner,
            name=saved.name,
            shared=shared_in_words(opened.shared),
            may_remove=is_owner,
            trouble=trouble,
        )

    def _past(self, req: Request, past: PastCall) -> CallCard:
        call, links = past.call, self._calls.links
        is_there = self._is_served(req, call.operation)
        return CallCard(
            operation=call.operation,
            arguments=_short(call),
            url=links.to_operation(call.operation) + call.query if is_there else "",
            age=f"{span(max(0.0, self._clock.now() - past.at))} ago",
        )

    def _is_served(self, req: Request, name: str) -> bool:
        exported = self._namespaces.find(name)
        return exported is not None and self._authorizer.may(req, "view", exported.namespace)


def _content(given: dict[str, str]) -> SavedCall:
    """The document that a form describes.

    Raises:
        Problem: a field is empty or wrong.
    """
    title = given.get("title", "").strip()
    if not title or len(title) > _LONGEST:
        raise Problem("bad-arguments", f"it needs a title of 1 to {_LONGEST} characters")
    shared = [each.strip() for each in given.get("shared", "").split(",") if each.strip()]
    checked(shared)
    try:
        call = AskedCall.read(given.get("call", ""))
    except ValueError as error:
        raise Problem("bad-arguments", str(error)) from None
    return SavedCall(format="rave.call/1", title=title, call=call, shared=shared)


def _short(call: AskedCall) -> list[tuple[str, str]]:
    return [(name, text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") for name, text in call.pairs]


def _form(base: str, call: AskedCall) -> str:
    return f"{base}/-/ui/{quote(call.operation)}{call.query}"

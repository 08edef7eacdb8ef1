"""Dashboards as they were: every call of a panel has the result that it had, kept under an address of its own."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from falcon.asgi import Request, Response

from rave_core.documents import Conflict
from rave_core.errors import RaveError
from rave_core.model import Key, Status
from rave_core.storage.kept_copies import KeptCopies
from rave_http.auth.authorizer import Authorizer
from rave_http.description.frozen_board import FROZEN_FORMAT, FrozenBoard
from rave_http.description.request_arguments import Asked
from rave_http.description.saved_calls import AskedCall
from rave_http.protocol.problems import Problem
from rave_http.representation.representations import MadeProduct
from rave_http.resources.keeping import Keeping
from rave_http.resources.panel_pages import AskedBeside, AskedPanel, Beside, told_of
from rave_http.resources.panels import Panels
from rave_http.resources.result_pages import ShownResult
from rave_http.worker.kept_results import KeptResults
from rave_http.worker.saved_documents import SavedDocument, SavedDocuments

_ID_BYTES: Final = 6
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{12}")
"""Nothing else, so that no name of a dashboard and identifier look like those of another."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A frozen dashboard, and who froze it when."""

    content: FrozenBoard
    saved: SavedDocument


class FrozenBoards:
    """Freezes dashboards, and shows their panels. For the event loop of one worker."""

    def __init__(
        self,
        store: SavedDocuments,
        keeping: Keeping,
        copies: KeptCopies,
        results: KeptResults,
        panels: Panels,
        authorizer: Authorizer,
    ) -> None:
        """Keeps what was frozen in ``store``.

        Args:
            store: of the documents.
            keeping: keeps results.
            copies: find them again.
            results: what the caches hold.
            panels: know the calls, and show results.
            authorizer: decides who may keep what.
        """
        self._store = store
        self._keeping = keeping
        self._copies = copies
        self._results = results
        self._panels = panels
        self._authorizer = authorizer

    async def freeze(
        self, req: Request, owner: str, name: str, content: FrozenBoard, calls: Iterable[AskedCall], *, by: str
    ) -> str:
        """Keeps the results that calls have now, and returns the identifier of the frozen dashboard.

        Calls that have no result, or that the client may not run, are left out.

        Raises:
            Problem: there is no room for a result, or its store can't keep any.
        """
        kept = {call.plain: await self._kept(req, call, content.board.title, by) for call in calls}
        results = {plain: found for plain, found in kept.items() if found}
        if not results:
            raise Problem("conflict", "No panel of the dashboard has a result that can be kept")
        made = msgspec.structs.replace(content, results=results)
        identifier = secrets.token_hex(_ID_BYTES)
        payload = msgspec.json.encode(made)
        await asyncio.to_thread(self._store.save, owner, _key(name, identifier), payload, expect=0, author=by)
        return identifier

    async def _kept(self, req: Request, call: AskedCall, title: str, by: str) -> str:
        """The identifier of the kept result of a call; empty for none."""
        try:
            wish = await self._panels.wish(req, call)
        except (RaveError, OSError):
            return ""
        if wish.call.key is None or not self._authorizer.may(req, "run", wish.exported.namespace):
            return ""
        kept = await self._keeping.keep(
            wish.resolved.cache,
            wish.call.key,
            stay=None,
            is_bound=not self._authorizer.may(req, "admin", wish.exported.namespace),
            by=by,
            comment=f"{title}, frozen",
            question=call.query[1:],
        )
        return "" if kept is None else kept.id

    async def find(self, owner: str, name: str, identifier: str) -> Frozen:
        """A frozen dashboard; who may see it is for the caller to look at.

        Raises:
            Problem: there is none, or this version of RAVE can't read it.
        """
        saved = await self._saved(owner, name, identifier)
        try:
            return Frozen(msgspec.json.decode(saved.payload or b"", type=FrozenBoard), saved)
        except msgspec.ValidationError as error:
            raise Problem("conflict", f"It can't be read as {FROZEN_FORMAT}: {error}") from None

    async def remove(self, owner: str, name: str, identifier: str, *, by: str, is_owner: bool) -> None:
        """Removes a frozen dashboard. The results that were kept for it stay until their time is over.

        Args:
            owner: of the dashboard.
            name: of the dashboard.
            identifier: of what was frozen.
            by: the user who removes it.
            is_owner: whether the dashboard is theirs.

        Raises:
            Problem: there is none, or they are neither its owner nor who froze it.
        """
        saved = await self._saved(owner, name, identifier)
        if not (is_owner or by == saved.author):
            raise Problem("forbidden", f"Only {saved.author!r}, who froze it, and {owner!r} can remove it")
        save = self._store.save
        try:
            await asyncio.to_thread(save, saved.owner, saved.name, None, expect=saved.version, author=by)
        except Conflict:
            raise Problem("not-found", "Somebody removed it just now") from None

    async def _saved(self, owner: str, name: str, identifier: str) -> SavedDocument:
        saved = SavedDocument(owner, name)
        if _IDENTIFIER.fullmatch(identifier):
            saved = await asyncio.to_thread(self._store.get, owner, _key(name, identifier))
        if saved.payload is None:
            raise Problem("not-found", f"This dashboard was not frozen as {identifier[:40]!r}")
        return saved

    async def listed(self, owner: str, name: str) -> list[tuple[str, SavedDocument]]:
        """The identifiers of what was frozen of a dashboard, newest first."""
        prefix, every = _key(name, ""), await asyncio.to_thread(self._store.all)
        mine = [(each.name.removeprefix(prefix), each) for each in every if each.owner == owner]
        found = [pair for pair in mine if pair[1].name.startswith(prefix) and _IDENTIFIER.fullmatch(pair[0])]
        return sorted(found, key=lambda pair: -pair[1].time)

    async def answer(self, req: Request, resp: Response, panel: AskedPanel, results: Mapping[str, str]) -> None:
        """Shows a panel with the results that were kept."""
        try:
            shown = await self._shown(req, panel.call, results)
        except (RaveError, OSError) as error:
            self._panels.fail(resp, panel.frame, told_of(error))
        else:
            beside = [await self._beside(req, each, results) for each in panel.beside]
            await self._panels.show(req, resp, panel, shown, beside)
        resp.set_header("Cache-Control", "no-store")

    async def _beside(self, req: Request, asked: AskedBeside, results: Mapping[str, str]) -> Beside:
        if asked.trouble:
            return Beside(asked=asked, trouble=asked.trouble)
        try:
            return Beside(asked=asked, shown=await self._shown(req, asked.call, results))
        except (RaveError, OSError) as error:
            return Beside(asked=asked, trouble=told_of(error))

    async def _shown(self, req: Request, call: AskedCall, results: Mapping[str, str]) -> ShownResult:
        """The result that a call had.

        Raises:
            Problem: it had none, or that is kept no more, or the client may not see it.
        """
        exported = self._panels.exported(req, call.operation)
        identifier = results.get(call.plain)
        if identifier is None:
            raise Problem("not-found", "it had no result when the dashboard was frozen")
        kept = await asyncio.to_thread(self._copies.find, identifier)
        resolved = exported.resolved
        look, cache = self._results.look, resolved.cache
        found = None if kept is None else await asyncio.to_thread(look, cache, Key.parse(kept.key))
        if kept is None or found is None:
            raise Problem("gone", "the result that it had is kept no more")
        product = MadeProduct(exported.name, resolved.spec, found.value, found.entry)
        asked = Asked(operation=exported.name, texts=tuple(call.pairs))
        return ShownResult(product, exported, Status.HIT, asked, copy=kept)


def _key(name: str, identifier: str) -> str:
    return f"{name}@{identifier}"

"""``/-/ui/slates``: what a user keeps, on pages that show, change and remove it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import msgspec
from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.documents import Conflict, Document, DocumentStore
from rave_core.text.humanize import span
from rave_http.auth.authorizer import Authorizer
from rave_http.pages.slate_view import SlateCard, SlateForm, slate_page, slates_page
from rave_http.protocol.bodies import body_of
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read, read_text
from rave_http.protocol.responses import send_page
from rave_http.resources.slates import checked_name, collection_of, user_of

PATH: Final = "/-/ui/slates"
_DONE: Final = {"saved": "It is saved.", "removed": "It is removed."}
_ESCAPED: Final = 3
"""Bytes of a form for one of what was typed, at most."""
_UNAUTHORIZED: Final = 401
_DIGITS: Final = 18


class SlatesPage:
    """The list. For the event loop of one worker."""

    def __init__(
        self, documents: Callable[[], DocumentStore], authorizer: Authorizer, links: Links, clock: Clock
    ) -> None:
        self._documents = documents
        self._authorizer = authorizer
        self._links = links
        self._clock = clock

    async def on_get(self, req: Request, resp: Response) -> None:
        """What the user keeps; with ``name``, the page of that document."""
        given = read(req, "done", "name")
        user = user_of(self._authorizer, req)
        if "name" in given:
            _go(resp, url_of(self._links, checked_name(given["name"])))
            return
        heads = await asyncio.to_thread(lambda: list(self._documents().heads(collection_of(user))))
        now = self._clock.now()
        cards = [
            SlateCard(name=head.key, url=url_of(self._links, head.key), age=f"{span(max(0.0, now - head.time))} ago")
            for head in heads
        ]
        said = _DONE.get(given.get("done", ""), "")
        send_page(resp, await asyncio.to_thread(slates_page, cards, base=self._links.base, said=said))

    on_head = on_get


class SlatePage:
    """The page of one document. For the event loop of one worker."""

    def __init__(
        self, documents: Callable[[], DocumentStore], authorizer: Authorizer, links: Links, *, max_body: int
    ) -> None:
        self._documents = documents
        self._authorizer = authorizer
        self._links = links
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """The form with the content; an empty one for a name under which nothing is kept."""
        read(req)
        user = user_of(self._authorizer, req)
        found = await asyncio.to_thread(self._documents().get, collection_of(user), checked_name(name))
        await self._show(resp, self._form(name, found))

    on_head = on_get

    async def on_post(self, req: Request, resp: Response, name: str) -> None:
        """Saves or removes the version that the form showed. If it can't, it shows all that was typed again.

        Raises:
            Problem: the form is none of these pages.
        """
        action, form = await self._sent(req, name)
        try:
            user = user_of(self._authorizer, req)
            payload = self._payload(form.content) if action == "save" else None
            await asyncio.to_thread(self._save, user, form, payload)
        except Conflict:
            await self._show_both(resp, user, form)
        except Problem as problem:
            told = f"Not saved: {problem.detail}."
            failed = replace(form, error=told, needs_sign_in=problem.status == _UNAUTHORIZED)
            await self._show(resp, failed, status=str(problem.status))
        else:
            _go(resp, self._links.to(f"{PATH}?done={'saved' if action == 'save' else 'removed'}"))

    async def _sent(self, req: Request, name: str) -> tuple[str, SlateForm]:
        """What is to be done, and the form as it was sent.

        Raises:
            Problem: it is none of these pages.
        """
        body = await body_of(req, _ESCAPED * self._max_body)
        given = read_text(body.decode("utf-8", "replace"), "action", "content", "version")
        action, version = given.get("action", ""), given.get("version", "")
        if action not in ("save", "remove"):
            raise Problem("bad-arguments", f"action: {action[:40]!r} is not one of save, remove")
        if not (version.isascii() and version.isdecimal() and len(version) <= _DIGITS):
            raise Problem("bad-arguments", f"version: {version[:40]!r} is no number of a version")
        typed, url = given.get("content", "").replace("\r\n", "\n"), url_of(self._links, name)
        is_kept = version != "0"
        return action, SlateForm(name=checked_name(name), url=url, version=int(version), content=typed, is_kept=is_kept)

    def _payload(self, typed: str) -> bytes:
        try:
            payload = msgspec.json.encode(msgspec.json.decode(typed))
        except (msgspec.DecodeError, RecursionError) as error:
            raise Problem("bad-request", f"it is not JSON: {str(error)[:200]}") from None
        if len(payload) > self._max_body:
            raise Problem("too-large", f"it has more than {self._max_body} bytes")
        return payload

    def _save(self, user: str, form: SlateForm, payload: bytes | None) -> None:
        """Saves a version after the one that the form showed.

        Raises:
            Conflict: that is not the newest one.
        """
        store, collection = self._documents(), collection_of(user)
        store.declare(collection, keep=1)
        store.save(collection, form.name, payload, expect=form.version, author=user)

    async def _show_both(self, resp: Response, user: str, form: SlateForm) -> None:
        """412: what was saved meanwhile beside what was typed, which can be saved on top of it."""
        found = await asyncio.to_thread(self._documents().get, collection_of(user), form.name)
        newest = self._form(form.name, found)
        error = "Not saved: another version was saved meanwhile, in another tab or by a script."
        both = replace(form, version=newest.version, theirs=newest.content, is_kept=newest.is_kept, error=error)
        await self._show(resp, both, status="412")

    def _form(self, name: str, found: Document | None) -> SlateForm:
        payload = None if found is None else found.payload
        return SlateForm(
            name=name,
            url=url_of(self._links, name),
            version=0 if found is None else found.metadata.version,
            content="" if payload is None else _readable(payload),
            is_kept=payload is not None,
        )

    async def _show(self, resp: Response, form: SlateForm, *, status: str = "200") -> None:
        send_page(resp, await asyncio.to_thread(slate_page, form, base=self._links.base), status=status)


def url_of(links: Links, name: str) -> str:
    """The URL of the page of a document."""
    return links.to(f"{PATH}/{quote(name, safe='')}")


def _readable(payload: bytes) -> str:
    """JSON with indentation; other bytes as they are, as far as they are UTF-8."""
    try:
        return msgspec.json.format(payload, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")


def _go(resp: Response, location: str) -> None:
    resp.status = "303 See Other"
    resp.set_headers({"Location": location, "Cache-Control": "no-store"})

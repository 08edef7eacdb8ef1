"""``/-/kept``: results that stay as they are, whatever becomes of the products that they were copied from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.model import Key, quote_operation
from rave_core.storage.digests import described
from rave_core.storage.kept_copies import COPIES, KeptCopies, KeptCopy, id_of
from rave_core.text.humanize import size, span
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.kept_view import KeptCard, kept_page
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, prefers, send_json, send_page
from rave_http.protocol.times import iso
from rave_http.resources.keeping import Keeping
from rave_http.settings import ServiceSettings
from rave_http.worker.job_status import JobStatus, JobStatuses

DIGEST: Final = "rave.digest"
"""The parameter of a product's URL that says which result is meant."""
_HTML: Final = "text/html"


class KeptAccess:
    """The kept results that a client may see."""

    def __init__(self, copies: KeptCopies, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links) -> None:
        self.copies = copies
        self.authorizer = authorizer
        self.links = links
        self._namespaces = namespaces

    def exported(self, req: Request, kept: KeptCopy) -> ExportedOperation | None:
        """The operation that made a kept result; ``None`` if the client may not see it, or it is served no more."""
        found = self._namespaces.by_quoted_name(quote_operation(kept.operation))
        return next((each for each in found if self.authorizer.may(req, "view", each.namespace)), None)

    def user(self, req: Request) -> str:
        """Who asks; empty for nobody in particular."""
        principal = self.authorizer.principal(req)
        return "" if principal.kind == "anonymous" else principal.name

    def may_remove(self, req: Request, kept: KeptCopy, exported: ExportedOperation) -> bool:
        """Whether the client keeps it, or may purge."""
        user = self.user(req)
        return (bool(user) and kept.by == user) or self.authorizer.may(req, "purge", exported.namespace)

    def document(self, kept: KeptCopy, name: str, *, is_there: bool = True) -> dict[str, Any]:
        """A kept result as JSON."""
        return {
            "id": kept.id,
            "url": self.links.to(f"/-/kept/{kept.id}"),
            "page": self.links.to_result(kept.key),
            "key": kept.key,
            "source": kept.source,
            "operation": name,
            "arguments": kept.arguments,
            "digest": described(kept.digest),
            "size": kept.size,
            "made": iso(kept.created_at),
            "kept": iso(kept.kept_at),
            "until": None if kept.until is None else iso(kept.until),
            "gone": not is_there,
            "by": kept.by,
            "comment": kept.comment,
        }


class KeptList:
    """``/-/kept``: lists kept results, and keeps others."""

    def __init__(
        self, access: KeptAccess, statuses: JobStatuses, keeping: Keeping, clock: Clock, own: ServiceSettings
    ) -> None:
        self._access = access
        self._statuses = statuses
        self._keeping = keeping
        self._clock = clock
        self._own = own

    async def on_get(self, req: Request, resp: Response) -> None:
        """What the client may see, newest first; for a browser as a page."""
        read(req)
        access = self._access
        every = await asyncio.to_thread(lambda: [(each, access.copies.is_there(each)) for each in access.copies.all()])
        found = [(kept, there, made) for kept, there in every if (made := access.exported(req, kept)) is not None]
        found.sort(key=lambda each: (-each[0].kept_at, each[0].id))
        if prefers(req, JSON, _HTML) != _HTML:
            documents = [access.document(kept, made.name, is_there=there) for kept, there, made in found]
            send_json(resp, {"kept": documents})
            return
        user, now = access.user(req), self._clock.now()
        cards = [self._card(req, kept, made, user, now, is_gone=not there) for kept, there, made in found]
        send_page(resp, await asyncio.to_thread(kept_page, cards, base=access.links.base))

    on_head = on_get

    def _card(
        self, req: Request, kept: KeptCopy, exported: ExportedOperation, user: str, now: float, *, is_gone: bool
    ) -> KeptCard:
        return KeptCard(
            id=kept.id,
            name=exported.name,
            url=self._access.links.to_result(kept.key),
            arguments=kept.arguments,
            comment=kept.comment,
            by=kept.by,
            is_yours=bool(user) and kept.by == user,
            size=size(kept.size),
            made=span(now - kept.created_at),
            kept=span(now - kept.kept_at),
            left="" if kept.until is None else span(kept.until - now),
            is_gone=is_gone,
            may_remove=self._access.may_remove(req, kept, exported),
        )

    async def on_post(self, req: Request, resp: Response) -> None:
        """Keeps the product of ``key``; the same one again stays for longer.

        Raises:
            Problem: there is no such product, or the client may not keep it, or the store can't.
        """
        given = await self._read(req)
        may_view = partial(self._access.authorizer.may, req, "view")
        key, exported = self._statuses.identify(unquote(given["key"]), may_view)
        req.scope["rave"].operation, req.scope["rave"].key = exported.name, key.text
        self._access.authorizer.require(req, "run", exported.namespace, audited=True)
        if key.operation.startswith(COPIES):
            raise Problem("bad-arguments", "this result is kept already; name the product that it was copied from")
        check_write(req, ())
        kept = await self._keep(req, key, exported, given)
        if prefers(req, JSON, _HTML) == _HTML:
            resp.status = "303 See Other"
            resp.set_headers({"Location": self._access.links.to_result(kept.key), "Cache-Control": "no-store"})
        else:
            send_json(resp, self._access.document(kept, exported.name))

    async def _keep(self, req: Request, key: Key, exported: ExportedOperation, given: Mapping[str, str]) -> KeptCopy:
        digest = given.get("digest")
        kept = await self._keeping.keep(
            exported.resolved.cache,
            key,
            stay=given.get("for"),
            is_bound=not self._access.authorizer.may(req, "admin", exported.namespace),
            digest=None if digest is None else plain_digest(digest),
            by=self._access.user(req),
            comment=given.get("comment", ""),
            question=given.get("question"),
        )
        if kept is None:
            raise Problem("not-found", f"There is no product {key.text[:300]!r}, or it is another one by now")
        return kept

    async def _read(self, req: Request) -> dict[str, str]:
        body = await body_of(req, self._own.max_body)
        asked = read_body("keep", req.query_string, req.content_type, body).asked
        given: dict[str, str] = dict(asked.texts) if asked.document is None else asked.document
        if asked.document is None:  # an empty field of a form says nothing
            given = {name: text for name, text in given.items() if text}
        check_document("KeepRequest", given)
        return given


class KeptResult:
    """``/-/kept/{name}``: one kept result."""

    def __init__(self, access: KeptAccess, *, max_body: int) -> None:
        self._access = access
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """Leads to its page, or a program to its product, with the same parameters.

        Raises:
            Problem: there is none, or its bytes are gone.
        """
        kept, exported = await self._found(req, name)
        links = self._access.links
        if not await asyncio.to_thread(self._access.copies.is_there, kept):
            detail = "The bytes of this kept result were removed from the store; only the record of it is left"
            raise Problem("gone", detail, operation=links.to_operation(exported.name))
        if prefers(req, JSON, _HTML) == _HTML and not req.query_string:
            resp.status, location = "303 See Other", links.to_result(kept.key)
        else:
            query = f"?{req.query_string}" if req.query_string else ""
            resp.status, location = "302 Found", f"{links.to_product(kept.key)}{query}"
        resp.set_headers({"Location": location, "Cache-Control": "no-cache", "Vary": "Accept"})

    on_head = on_get

    async def on_delete(self, req: Request, resp: Response, name: str) -> None:
        """Keeps it no longer: for whoever keeps it, and those who may purge."""
        read(req)
        kept, exported = await self._found(req, name)
        if not self._access.may_remove(req, kept, exported):
            self._access.authorizer.require(req, "purge", exported.namespace, audited=True)
        self._access.authorizer.audit(req, "remove kept", allowed=True)
        check_write(req, ())
        await asyncio.to_thread(self._access.copies.remove, kept)
        if prefers(req, JSON, _HTML) == _HTML:
            resp.status = "303 See Other"
            resp.set_header("Location", self._access.links.to("/-/kept"))
        else:
            resp.status = "204 No Content"
        resp.set_header("Cache-Control", "no-store")

    async def on_post(self, req: Request, resp: Response, name: str) -> None:
        """The same, for a form."""
        await body_of(req, self._max_body)
        await self.on_delete(req, resp, name)

    async def _found(self, req: Request, name: str) -> tuple[KeptCopy, ExportedOperation]:
        kept = await asyncio.to_thread(self._access.copies.find, name) if _is_id(name) else None
        exported = None if kept is None else self._access.exported(req, kept)
        if kept is None or exported is None:
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation, req.scope["rave"].key = exported.name, kept.key
        return kept, exported


def is_meant(place: JobStatus, digest: str) -> bool:
    """Whether the product at a place is the one of that digest."""
    return place.found is not None and place.found.entry.digest == plain_digest(digest)


def kept_of(copies: KeptCopies, key: Key, digest: str) -> KeptCopy | None:
    """The copy of the result that ``key`` had, by its digest; ``None`` if there is none. It may wait for a store."""
    kept = copies.find(id_of(key.text, plain_digest(digest)))
    return kept if kept is not None and copies.is_there(kept) else None


def other_than(place: JobStatus, links: Links, kept: KeptCopy | None) -> Problem:
    """The problem for a product that is not the one that is meant any more.

    Args:
        place: the product.
        links: URLs that it contains.
        kept: the copy of what is meant, if there is one.
    """
    told: dict[str, Any] = {} if kept is None else {"kept": links.to(f"/-/kept/{kept.id}")}
    detail = "The product of this digest is gone; " + ("it is kept elsewhere" if told else "nobody keeps it")
    return Problem("gone", detail, operation=links.to_operation(place.name), **told)


def plain_digest(digest: str) -> str:
    """A digest as entries have it."""
    return digest.removeprefix("blake2b-256:")


def _is_id(name: str) -> bool:
    return len(name) == 24 and name.isascii() and name.isalnum()

"""``/``, ``/{namespace}``, ``/-/ops`` and ``/-/ops/{namespace}/{operation}``: the catalog of operations."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

from falcon.asgi import Request, Response

from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.operation_documents import check_limit, describe, listing
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.links import Links
from rave_http.protocol.origins import address_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import Page, send_json
from rave_http.protocol.times import iso
from rave_http.representation import shoji
from rave_http.representation.document_forms import Accept
from rave_http.worker.document_sender import FORM, DocumentSender, MakePage

_SEARCH: Final = ("text", "tag", "cursor", "limit", FORM)


class VisibleOperations:
    """The operations that a principal may see, with search and in pages."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links) -> None:
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links

    def place(self, req: Request, asked: Mapping[str, str]) -> str:
        """The URL of a document, as the client knows the service; without its address if the request is not clear."""
        base = self._links.base
        if "://" not in base:
            is_trusted = self._authorizer.is_behind_proxy(req)
            scheme = req.scope.get("scheme", "http")
            base = address_of(req.scope["headers"], scheme=scheme, is_trusted=is_trusted) + base
        query = urlencode({name: text for name, text in asked.items() if name != FORM})
        return f"{base}{quote(req.path)}" + (f"?{query}" if query else "")

    async def shoji(self, req: Request, asked: Mapping[str, str], namespace: str | None) -> dict[str, Any]:
        """The operations that a request asks for, in the form Shoji."""
        listing = await self.document(req, asked, namespace)
        others = {name: text for name, text in asked.items() if name != FORM}
        title = "Operations" if namespace is None else namespace
        place = self.place(req, asked)
        updated = self.updated(req, namespace)
        return shoji.operation_catalog(place, title, listing, base=self._links.base, asked=others, updated=updated)

    def shoji_root(self, req: Request) -> dict[str, Any]:
        """The namespaces that the principal may see, in the form Shoji."""
        names = self._names(req) & set(self._namespaces.catalog.namespaces)
        return shoji.root_catalog(self.place(req, {}), names, base=self._links.base, updated=self.updated(req))

    def updated(self, req: Request, namespace: str | None = None) -> str | None:
        """When this worker last loaded code of a namespace, or of any that the principal may see; as ISO 8601."""
        visible = self._names(req) if namespace is None else {namespace}
        loaded = [state.loaded_at for state in self._namespaces.states() if state.name in visible and state.loaded_at]
        return iso(max(loaded)) if loaded else None

    def check(self, req: Request, namespace: str) -> None:
        """Returns if there is a namespace of that name, and the principal may see it.

        Raises:
            Problem: there is none, or the principal may not see it.
        """
        if namespace not in self._namespaces.catalog.namespaces or not self._authorizer.may(req, "view", namespace):
            raise Problem("not-found", HIDDEN)

    async def document(self, req: Request, asked: Mapping[str, str], namespace: str | None) -> dict[str, Any]:
        """The operations that a request asks for, as JSON has them."""
        limit = _limit(asked)
        return await asyncio.to_thread(
            listing,
            self._namespaces.catalog,
            may_view=self._names(req).__contains__,
            namespace=namespace,
            text=asked.get("text"),
            tag=asked.get("tag"),
            cursor=asked.get("cursor"),
            limit=100 if limit is None else limit,
            base=self._links.base,
        )

    async def page(self, req: Request, asked: Mapping[str, str], namespace: str | None) -> Page:
        """The operations that a request asks for, as a page."""
        from rave_http.pages.views import ROWS, catalog_page

        limit = _limit(asked)
        return await asyncio.to_thread(
            catalog_page,
            self._namespaces.catalog,
            base=self._links.base,
            may_view=self._names(req).__contains__,
            states=self._namespaces.states(),
            namespace=namespace,
            text=asked.get("text", ""),
            tag=asked.get("tag", ""),
            cursor=asked.get("cursor"),
            limit=ROWS if limit is None else limit,
        )

    def _names(self, req: Request) -> frozenset[str]:
        """The namespaces that the principal may see: each has many operations, and this is no work for a thread."""
        names = {*self._namespaces.catalog.namespaces, *(state.name for state in self._namespaces.states())}
        return frozenset(name for name in names if self._authorizer.may(req, "view", name))


class Catalog:
    """``/``, and by way of the operations' sink ``/{namespace}``."""

    def __init__(self, operations: VisibleOperations, sender: DocumentSender) -> None:
        self._operations = operations
        self._sender = sender

    async def on_get(self, req: Request, resp: Response) -> None:
        """The operations: as a page for a browser, else as JSON."""
        await self.show(req, resp, None)

    on_head = on_get

    async def show(self, req: Request, resp: Response, namespace: str | None) -> None:
        """The operations of one namespace, or of all."""
        asked = read(req, *_SEARCH)
        if namespace is not None:
            self._operations.check(req, namespace)
        if req.method == "OPTIONS":  # of a namespace, whose path has no route of its own
            resp.status = "204 No Content"
            resp.set_header("Allow", "GET, HEAD, OPTIONS")
            return
        if namespace is None and not asked.keys() - {FORM} and _wants_shoji(req, asked):
            _send_shoji(resp, self._operations.shoji_root(req))
            return
        page = partial(self._operations.page, req, asked, namespace)
        await _send_operations(req, resp, self._operations, self._sender, asked, namespace, page=page)


class OperationList:
    """``/-/ops``."""

    def __init__(self, operations: VisibleOperations, sender: DocumentSender) -> None:
        self._operations = operations
        self._sender = sender

    async def on_get(self, req: Request, resp: Response) -> None:
        """Some of the operations, by name; ``next`` is the cursor of the rest."""
        asked = read(req, "namespace", *_SEARCH)
        await _send_operations(req, resp, self._operations, self._sender, asked, asked.get("namespace"))

    on_head = on_get


class Description:
    """``/-/ops/{namespace}/{operation}``."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        links: Links,
        sender: DocumentSender,
        operations: VisibleOperations,
    ) -> None:
        self._operations = operations
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links
        self._sender = sender

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """Everything that a caller has to know about an operation."""
        asked = read(req, FORM)
        exported = self._namespaces.find(name)
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation = name

        async def document() -> dict[str, Any]:
            return describe(name, exported.operation, base=self._links.base)

        if _wants_shoji(req, asked):
            place, updated = self._operations.place(req, asked), self._operations.updated(req, exported.namespace)
            _send_shoji(resp, shoji.operation_entity(place, await document(), updated=updated))
        else:
            await self._sender.send(req, resp, "operation", document, form=asked.get(FORM))

    on_head = on_get


async def _send_operations(
    req: Request,
    resp: Response,
    operations: VisibleOperations,
    sender: DocumentSender,
    asked: Mapping[str, str],
    namespace: str | None,
    *,
    page: MakePage | None = None,
) -> None:
    """Answers with the operations that a request asks for, in the form that it asks for."""
    if _wants_shoji(req, asked):
        _send_shoji(resp, await operations.shoji(req, asked, namespace))
        return
    kind, document = (
        "catalog" if namespace is None else "namespace",
        partial(operations.document, req, asked, namespace),
    )
    await sender.send(req, resp, kind, document, form=asked.get(FORM), page=page)


def _wants_shoji(req: Request, asked: Mapping[str, str]) -> bool:
    return Accept.of(req, asked.get(FORM)).wants(shoji.FORM, shoji.MEDIA_TYPE)


def _send_shoji(resp: Response, document: dict[str, Any]) -> None:
    resp.append_header("Vary", "Accept")
    send_json(resp, document, media_type=shoji.MEDIA_TYPE)


def _limit(asked: Mapping[str, str]) -> int | None:
    """The requested number of operations; ``None`` if the request has none.

    Raises:
        Problem: the number is not allowed.
    """
    text = asked.get("limit")
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        detail = f"limit={text[:40]!r} is not a number"
        raise Problem("bad-arguments", detail, errors=[{"parameter": "limit", "detail": detail}])
    check_limit(int(text))
    return int(text)

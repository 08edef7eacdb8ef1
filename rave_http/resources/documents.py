"""``/-/openapi.json`` and ``/-/problems/{slug}``: how to use the service, and what its problems mean."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import msgspec
from cachetools import LRUCache
from falcon.asgi import Request, Response

from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.openapi import document
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.conditions import is_unchanged
from rave_http.protocol.json_texts import to_json
from rave_http.protocol.links import Links
from rave_http.protocol.problems import PROBLEMS, Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, prefers, send_json, send_page

_KEPT: Final = 8

_Sight: TypeAlias = tuple[int, frozenset[str]]
"""The inputs of a document: the generation of the namespaces, and those that the principal may see."""
_Written: TypeAlias = tuple[bytes, str]
"""A document as it is sent, and its validator."""


class OpenAPI:
    """``/-/openapi.json``."""

    def __init__(
        self, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links, others: Mapping[str, Any]
    ) -> None:
        """Describes the operations, the service's own paths, and ``others``: path items by path."""
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links
        self._others = others
        self._made: LRUCache[_Sight, asyncio.Task[_Written]] = LRUCache(_KEPT)

    async def on_get(self, req: Request, resp: Response) -> None:
        """The operations that the principal may see, and the system's own paths, as OpenAPI 3.1."""
        read(req)
        names, generation = self._namespaces.catalog.namespaces, self._namespaces.generation
        visible = frozenset(each for each in names if self._authorizer.may(req, "view", each))
        body, etag = await self._written((generation, visible))
        # Permissions can change at any time, so caches must revalidate it.
        resp.set_headers({"ETag": etag, "Cache-Control": "private, no-cache"})
        if is_unchanged(req, etag):
            resp.status = "304 Not Modified"
            return
        resp.content_type = JSON
        resp.data = body

    on_head = on_get

    async def _written(self, sight: _Sight) -> _Written:
        """The document for principals who see the same. Concurrent requests share one rendering."""
        task = self._made.get(sight)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            for other in [each for each in self._made if each[0] != sight[0]]:
                del self._made[other]  # of code that serves no more
            task = self._made[sight] = asyncio.create_task(asyncio.to_thread(self._write, sight[1]))
        # A client that leaves must not cancel it for the others that wait for it.
        return await asyncio.shield(task)

    def _write(self, visible: frozenset[str]) -> _Written:
        made = document(
            self._namespaces.catalog,
            base=self._links.base,
            version=version("rave-framework"),
            title="RAVE",
            may_view=visible.__contains__,
            others=self._others,
        )
        # In parts, since the event loop stands still while one is written.
        made["paths"] = {path: msgspec.Raw(to_json(item)) for path, item in made["paths"].items()}
        body = to_json(made)
        return body, f'"{blake2b(body, digest_size=16).hexdigest()}"'


class ProblemPage:
    """``/-/problems/{slug}``."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def on_get(self, req: Request, resp: Response, slug: str) -> None:
        """What a kind of problem means, and what to do."""
        read(req)
        kind = PROBLEMS.get(slug)
        if kind is None:
            raise Problem("not-found", HIDDEN)
        if prefers(req, JSON, "text/html") == "text/html":
            from rave_http.pages.views import problem_kind_page

            send_page(resp, problem_kind_page(slug, kind, base=self._links.base))
        else:
            send_json(resp, {"slug": slug, "title": kind.title, "status": kind.status, "advice": kind.advice})
        resp.set_header("Vary", "Accept")

    on_head = on_get

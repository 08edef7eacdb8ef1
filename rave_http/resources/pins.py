"""``/-/cache/pins``: operations whose results are not evicted."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.backend import SupportsPins
from rave_core.storage.listing import prefix_of
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, prefers, send_json

_HTML: Final = "text/html"


class Pins:
    """Pins operations in their stores. For the event loop of one worker."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links, *, max_body: int) -> None:
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response) -> None:
        """The pinned operations that the principal may see. It needs the permission ``metrics``."""
        read(req)
        self._authorizer.require(req, "metrics")
        send_json(resp, {"pins": sorted(name for name, is_pinned in (await self.states(req)).items() if is_pinned)})

    on_head = on_get

    async def states(self, req: Request) -> dict[str, bool]:
        """Whether each operation is pinned, of those that the principal may see and whose store can pin."""
        seen = [each for each in self._namespaces.exported() if self._authorizer.may(req, "view", each.namespace)]
        return await asyncio.to_thread(_states, seen)

    async def on_post(self, req: Request, resp: Response) -> None:
        """Pins the results of an operation, or with ``pinned=false`` no longer; a form is led back to its page.

        Raises:
            Problem: there is no such operation, the principal may not purge it, or its store can't pin.
        """
        given = await self._read(req)
        exported = self._namespaces.find(given["operation"])
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            raise Problem("not-found", HIDDEN)
        self._authorizer.require(req, "purge", exported.namespace, audited=True)
        check_write(req)
        is_pinned = str(given["pinned"]).lower() == "true"
        if not await asyncio.to_thread(_pin, exported, is_pinned=is_pinned):
            raise Problem("conflict", f"The store of {exported.name} can't pin: directories and buckets can")
        if prefers(req, JSON, _HTML) == _HTML:
            resp.status = "303 See Other"
            resp.set_headers({"Location": self._links.to("/-/ui/cache"), "Cache-Control": "no-store"})
        else:
            send_json(resp, {"operation": exported.name, "pinned": is_pinned})

    async def _read(self, req: Request) -> dict[str, Any]:
        body = await body_of(req, self._max_body)
        asked = read_body("pin", req.query_string, req.content_type, body).asked
        given: dict[str, Any] = dict(asked.texts) if asked.document is None else asked.document
        check_document("PinRequest", given)
        return given


def _states(seen: list[ExportedOperation]) -> dict[str, bool]:
    """Whether each operation is pinned, by its name; a pin may be shorter than the operation."""
    pins: dict[int, list[str]] = {}
    found = {}
    for exported in seen:
        cache = exported.cache
        store = cache.backend.capability(SupportsPins)
        if store is None:
            continue
        if id(cache) not in pins:
            pins[id(cache)] = store.pins()
        found[exported.name] = any(map(prefix_of(exported.full_name).startswith, pins[id(cache)]))
    return found


def _pin(exported: ExportedOperation, *, is_pinned: bool) -> bool:
    """Pins an operation or unpins it; returns whether its store can."""
    store = exported.cache.backend.capability(SupportsPins)
    if store is None:
        return False
    if is_pinned:
        store.pin(prefix_of(exported.full_name))
    else:
        store.unpin(prefix_of(exported.full_name))
    return True

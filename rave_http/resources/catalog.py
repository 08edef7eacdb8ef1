"""``/``, ``/{namespace}``, ``/-/ops`` and ``/-/ops/{namespace}/{operation}``: what there is to ask for."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_http.auth.authorization import HIDDEN
from rave_http.description.operation_documents import check_limit, describe, listing
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.worker.responses import JSON, prefers, send_json, send_page
from rave_http.worker.service import Service

_SEARCH: Final = ("namespace", "text", "tag", "cursor", "limit")


class Catalog:
    """``/``, and by way of the operations' sink ``/{namespace}``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """The operations: as a page for a browser, else as JSON."""
        await self.show(req, resp, None)

    on_head = on_get

    async def show(self, req: Request, resp: Response, namespace: str | None) -> None:
        """The operations of one namespace, or of all."""
        service = self._service
        asked = read(req, "text", "tag", "cursor", "limit")
        catalog = service.namespaces.catalog
        limit = _limit(asked)
        if namespace is not None and not (namespace in catalog.namespaces and service.may(req, "view", namespace)):
            raise Problem("not-found", HIDDEN)
        if prefers(req, JSON, "text/html") == "text/html":
            from rave_http.pages.views import ROWS, catalog_page

            page = await asyncio.to_thread(
                catalog_page,
                catalog,
                base=service.base,
                may_view=_visible(service, req).__contains__,
                states=service.namespaces.states(),
                namespace=namespace,
                text=asked.get("text", ""),
                tag=asked.get("tag", ""),
                cursor=asked.get("cursor"),
                limit=ROWS if limit is None else limit,
            )
            send_page(resp, page)
        else:
            send_json(resp, await _listing(service, req, asked, namespace))
        resp.set_header("Vary", "Accept")


class OperationList:
    """``/-/ops``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """Some of the operations, by name; ``next`` is the cursor of the rest."""
        asked = read(req, *_SEARCH)
        send_json(resp, await _listing(self._service, req, asked, asked.get("namespace")))

    on_head = on_get


class Description:
    """``/-/ops/{namespace}/{operation}``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """All that a caller has to know of an operation."""
        read(req)
        service = self._service
        operation = service.namespaces.find(name)
        if operation is None or not service.may(req, "view", name.partition("/")[0]):
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation = name
        send_json(resp, describe(name, operation, base=service.base))

    on_head = on_get


async def _listing(service: Service, req: Request, asked: dict[str, str], namespace: str | None) -> dict[str, Any]:
    limit = _limit(asked)
    return await asyncio.to_thread(
        listing,
        service.namespaces.catalog,
        may_view=_visible(service, req).__contains__,
        namespace=namespace,
        text=asked.get("text"),
        tag=asked.get("tag"),
        cursor=asked.get("cursor"),
        limit=100 if limit is None else limit,
        base=service.base,
    )


def _visible(service: Service, req: Request) -> frozenset[str]:
    """The namespaces that whoever asks may see: asked for once, since each has many operations, and not in a thread."""
    namespaces = service.namespaces
    names = {*namespaces.catalog.namespaces, *(state.name for state in namespaces.states())}
    return frozenset(name for name in names if service.may(req, "view", name))


def _limit(asked: dict[str, str]) -> int | None:
    """How many operations are asked for at once; ``None`` where that is not said.

    Raises:
        Problem: so many can't be.
    """
    text = asked.get("limit")
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        detail = f"limit={text[:40]!r} is no number"
        raise Problem("bad-arguments", detail, errors=[{"parameter": "limit", "detail": detail}])
    check_limit(int(text))
    return int(text)

"""``/-/ui`` and ``/-/ui/{namespace}/{operation}``: the service for people who look rather than read."""

from __future__ import annotations

import secrets
from typing import Final

from falcon.asgi import Request, Response

from rave_http.auth.authorization import HIDDEN
from rave_http.pages.forms import GO, run_query, run_url
from rave_http.pages.views import operation_page
from rave_http.protocol.origins import address_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.worker.responses import send_page
from rave_http.worker.service import Service

_MOST_FIELDS: Final = 1000


class Home:
    """``/-/ui``: the catalog."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """Leads to the catalog, which a browser gets as a page."""
        resp.status = "302 Found"
        resp.set_header("Location", self._service.url("/"))
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


class Form:
    """``/-/ui/{namespace}/{operation}``: a form made of the operation's typemap (R16)."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """The form; a form that was sent leads to the URL that a program would ask."""
        service = self._service
        namespace = name.partition("/")[0]
        operation = service.namespaces.find(name)
        if operation is None or not service.may(req, "view", namespace):
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation = name
        given: dict[str, list[str]] = {}
        for field, text in pairs(req.query_string, most=_MOST_FIELDS):
            given.setdefault(field, []).append(text)
        if GO in given:
            resp.status = "303 See Other"
            resp.set_header("Location", run_url(name, run_query(operation, given), base=service.base))
            resp.set_header("Cache-Control", "no-store")
            return
        nonce = secrets.token_urlsafe(16)
        page = operation_page(
            name,
            operation,
            base=service.base,
            origin=self._origin(req),
            given=given,
            may_refresh=service.may(req, "refresh", namespace),
            nonce=nonce,
        )
        send_page(resp, page, nonce=nonce)

    on_head = on_get

    def _origin(self, req: Request) -> str:
        """How whoever asked reached the service: for examples on a page, so that they can be copied."""
        peer = req.scope.get("client")
        is_trusted = self._service.access.proxies.trust(str(peer[0]) if peer else "")
        return address_of(req.scope["headers"], scheme=req.scheme, is_trusted=is_trusted)

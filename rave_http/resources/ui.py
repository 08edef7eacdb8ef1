"""``/-/ui`` and ``/-/ui/{namespace}/{operation}``: the service for people with a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from falcon.asgi import Request, Response

from rave_core.documents import DocumentStore
from rave_core.documents.slates import SLATES
from rave_core.errors import RaveError
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.operation_documents import parameters
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.forms import GO, run_query, run_url, takes_slate
from rave_http.pages.views import operation_page
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page
from rave_http.resources.forecasts import Forecasts
from rave_http.resources.result_pages import origin_of

_MOST_FIELDS: Final = 1000


class Home:
    """``/-/ui``: the catalog."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def on_get(self, req: Request, resp: Response) -> None:
        """Redirects to the catalog, which a browser gets as a page."""
        resp.status = "302 Found"
        resp.set_header("Location", self._links.to("/"))
        resp.set_header("Cache-Control", "no-store")

    on_head = on_get


class Form:
    """``/-/ui/{namespace}/{operation}``: a form made of the operation's typemap (R16)."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        links: Links,
        forecasts: Forecasts,
        documents: Callable[[], DocumentStore],
    ) -> None:
        """Shows the forms of the operations that ``namespaces`` export.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            links: URLs that pages contain.
            forecasts: tell what a call would cost.
            documents: has what users keep.
        """
        self._documents = documents
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links
        self._forecasts = forecasts

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """The form. A submitted form redirects to the URL that a program would use."""
        exported, base = self._namespaces.find(name), self._links.base
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation = name
        given: dict[str, list[str]] = {}
        for field, text in pairs(req.query_string, most=_MOST_FIELDS):
            given.setdefault(field, []).append(text)
        if GO in given:
            resp.status = "303 See Other"
            resp.set_header("Location", run_url(name, run_query(exported.operation, given), base=base))
            resp.set_header("Cache-Control", "no-store")
            return
        page = operation_page(
            name,
            exported.operation,
            base=base,
            origin=origin_of(req, self._authorizer),
            given=given,
            forecast=await self._forecast(req, name),
            may_refresh=self._authorizer.may(req, "refresh", exported.namespace),
            slates=await self._slates(req, exported),
        )
        send_page(resp, page)

    on_head = on_get

    async def _slates(self, req: Request, exported: ExportedOperation) -> list[str]:
        """The names of what the user keeps, if the operation takes any of it; none if the store is in trouble."""
        user = self._authorizer.user(req)
        properties = parameters(exported.operation)["properties"].values()
        if user is None or not any(map(takes_slate, properties)):
            return []
        try:
            return await asyncio.to_thread(lambda: [head.key for head in self._documents().heads(SLATES + user)])
        except (RaveError, OSError):
            return []

    async def _forecast(self, req: Request, name: str) -> str:
        """What the call that the form begins with would cost, in words; empty if it is no call yet."""
        try:
            exported, call = await self._forecasts.asked(req, name)
            return (await self._forecasts.forecast(exported, call)).text
        except (RaveError, OSError):
            return ""

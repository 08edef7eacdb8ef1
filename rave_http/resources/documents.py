"""``/-/openapi.json`` and ``/-/problems/{slug}``: how to use the service, and what its problems mean."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from falcon.asgi import Request, Response

from rave_http.access import HIDDEN
from rave_http.answers import JSON, prefers, send_json, send_page
from rave_http.openapi import document
from rave_http.problems import PROBLEMS, Problem
from rave_http.queries import read
from rave_http.service import Service


class OpenAPI:
    """``/-/openapi.json``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: tuple[int, frozenset[str], dict[str, Any]] | None = None

    async def on_get(self, req: Request, resp: Response) -> None:
        """The operations that whoever asks may see, and the system's own paths, as OpenAPI 3.1."""
        read(req)
        service = self._service
        visible = frozenset(each for each in service.namespaces.catalog.namespaces if service.may(req, "view", each))
        generation = service.namespaces.generation
        if self._made is None or self._made[:2] != (generation, visible):
            made = document(
                service.namespaces.catalog,
                base=service.base,
                version=version("rave-framework"),
                title="RAVE",
                may_view=visible.__contains__,
            )
            self._made = generation, visible, made
        send_json(resp, self._made[2])

    on_head = on_get


class ProblemPage:
    """``/-/problems/{slug}``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response, slug: str) -> None:
        """What a kind of problem means, and what to do."""
        read(req)
        kind = PROBLEMS.get(slug)
        if kind is None:
            raise Problem("not-found", HIDDEN)
        if prefers(req, JSON, "text/html") == "text/html":
            from rave_http.ui import problem_kind_page

            send_page(resp, problem_kind_page(slug, kind, base=self._service.base))
        else:
            send_json(resp, {"slug": slug, "title": kind.title, "status": kind.status, "advice": kind.advice})
        resp.set_header("Vary", "Accept")

    on_head = on_get

"""The routes of plugins: asks the plugins for them, and adds them to the application and to its descriptions."""

from __future__ import annotations

import inspect
from typing import Any, Final

import falcon.asgi
from falcon.asgi import Request, Response

from rave_http.asgi.leaderships import Leaderships
from rave_http.asgi.resource_context import ResourceContext
from rave_http.asgi.route import Route
from rave_http.asgi.route_responder import GuardedRoute, PluginThreads
from rave_http.description.openapi.plugin_paths import plugin_path
from rave_http.executors.foreign_code import PATIENCE
from rave_http.pages.templating import Menu, menu, page
from rave_http.worker.service import Service

TAKEN: Final = frozenset(
    {
        *("cache", "livez", "metrics", "namespaces", "openapi.json", "ops", "problems", "products", "readyz"),
        *("statistics", "ui", "version"),
        *(
            "compare",
            "events",
            "explain",
            "jobs",
            "kept",
            "log",
            "me",
            "plan",
            "plugins",
            "session",
            "static",
            "whoami",
        ),
    }
)
"""The first parts of paths below ``/-/`` that the service answers, or may answer in a later release."""


class PluginRoutes:
    """The routes that the plugins of one worker added.

    Attributes:
        paths: the OpenAPI path item of each, by path.
    """

    def __init__(self, service: Service) -> None:
        """Asks the plugins."""
        self._leaderships = Leaderships(service.runtime)
        context = ResourceContext(
            service.runtime,
            service.links,
            service.authorizer,
            page,
            self._leaderships,
            lambda name: None if (found := service.namespaces.find(name)) is None else found.operation,
            lambda: service.is_draining,
        )
        self._service = service
        self._routes = service.plugins.routes(context, TAKEN)
        self._threads: dict[str, PluginThreads] = {}
        self.paths = dict(_described(route) for _, route in self._routes)
        self._menu = tuple((route.title, route.path) for _, route in self._routes if route.title)
        service.metrics.name_routes(route.owned for _, route in self._routes)

    def add_to(self, app: falcon.asgi.App[Request, Response]) -> None:
        """Adds the routes to Falcon's application."""
        for plugin, route in self._routes:
            threads = self._threads.get(plugin)
            if threads is None:
                seconds = self._service.settings.time_limit or PATIENCE
                threads = self._threads[plugin] = PluginThreads(plugin, self._service.foreign, seconds=seconds)
            guarded = GuardedRoute(route, threads, self._service.authorizer, max_body=self._service.settings.max_body)
            app.add_route(route.path, guarded)

    def middleware(self) -> list[MenuMiddleware]:
        """What adds the pages of plugins to the menu of all pages; nothing if there are none."""
        return [MenuMiddleware(self._menu)] if self._menu else []

    def step_down(self) -> None:
        """Lets other processes lead what the plugins of this worker lead. It may wait for a store."""
        self._leaderships.close()

    def close(self) -> None:
        """Ends the threads of the plugins."""
        for threads in self._threads.values():
            threads.close()


class MenuMiddleware:
    """Falcon middleware that sets the menu of the pages that a request makes."""

    def __init__(self, pages: Menu) -> None:
        self._pages = pages

    async def process_request(self, req: Request, resp: Response) -> None:
        """Sets it before the request is routed."""
        menu.set(self._pages)


def _described(route: Route) -> tuple[str, dict[str, Any]]:
    docs = {method: inspect.getdoc(route.responder(method)) or "" for method in route.permissions if method != "HEAD"}
    return plugin_path(route.path, docs, route.openapi, has_plain_problems=route.plain_problems)

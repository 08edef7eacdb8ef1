"""The application: Falcon's, with our routes and error handlers, inside the outer middleware."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import falcon
import falcon.asgi
from falcon.asgi import Request, Response

from rave_core.errors import RaveError
from rave_core.settings import Settings
from rave_http.asgi.access_log import AccessLog
from rave_http.asgi.outer_middleware import Application as InnerApplication
from rave_http.asgi.outer_middleware import OuterMiddleware
from rave_http.asgi.plugin_middleware import kept_apart
from rave_http.asgi.session_middleware import SessionMiddleware
from rave_http.protocol.hosts import Hosts
from rave_http.protocol.targets import METHODS
from rave_http.resources.errors import ErrorHandlers
from rave_http.resources.origin_guard import CrossSiteGuard
from rave_http.resources.plugin_routes import PluginRoutes
from rave_http.resources.ready import ResponseCache, Shortcut
from rave_http.resources.routes import add_routes
from rave_http.resources.verdicts import Verdicts
from rave_http.settings import ServiceSettings
from rave_http.worker.service import Service
from rave_http.workers.run_directory import RunDirectory

_log = logging.getLogger("rave.http")


def create_app(settings: Settings, own: ServiceSettings, run_directory: RunDirectory) -> Application:
    """The application of one worker. It opens nothing but its caches before its event loop runs.

    Raises:
        ConfigurationError: a setting is wrong.
        PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
    """
    return Application(Service(settings, own, run_directory))


_EXPOSED: Final = (
    "Cache-Status",
    "Content-Disposition",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "RAVE-Notes",
    "Retry-After",
    "X-Request-ID",
)


class Application:
    """An ASGI application that knows its worker.

    Attributes:
        service: the parts of the worker.
        falcon: Falcon's application, which has the routes.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._worker: Any = None
        self._settling: asyncio.Task[None] | None = None
        self._access_log = AccessLog.of(service.settings.access_log)
        others = [*_cors(service), *_of_plugins(service)]
        ready = ResponseCache(service.namespaces, service.clock, max_bytes=service.settings.memory)
        guard = CrossSiteGuard(service.authorizer, service.links, cors_origins=service.settings.cors_origins)
        sessions = SessionMiddleware(service.sessions, service.authorizer)
        self._plugin_routes = PluginRoutes(service)
        if service.settings.load_error_fatal:
            service.plugins.check()
        self.falcon = falcon.asgi.App(
            middleware=[_Life(self), sessions, guard, *self._plugin_routes.middleware(), *others]
        )
        self.falcon.req_options.strip_url_path_trailing_slash = False
        ErrorHandlers(service.responder).install(self.falcon)
        add_routes(self.falcon, service, ready, self._plugin_routes)
        # Other middleware has to see every request; the guard ignores requests that change nothing.
        inner = self.falcon if others else _shortcut(self.falcon, service, ready)
        self._outer = _outermost(inner, service, self._access_log)

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answers one request, or lives through the worker's life."""
        await self._outer(scope, receive, send)

    def attach(self, worker: Any) -> None:
        """Keeps the worker, to learn that it stops before its connections do."""
        self._worker = worker

    def reopen(self) -> None:
        """Reopens the log files (SIGUSR1)."""
        if self._access_log is not None:
            self._access_log.reopen()

    def hurry(self, seconds: float) -> None:
        """Announces that the worker stops after so many seconds, or the grace time if that is less."""
        self.service.drain(seconds)

    def step_down(self) -> None:
        """Lets other processes lead what the plugins of this worker lead."""
        self._plugin_routes.step_down()

    def close(self) -> None:
        """Writes the rest of the access log, and ends the threads of plugins."""
        self._plugin_routes.close()
        if self._access_log is not None:
            self._access_log.close()

    def watch_signals(self) -> None:
        """Drains on SIGTERM: waiting requests get tickets while the worker stops listening."""
        worker = self._worker
        if worker is None:
            return

        def stop() -> None:
            worker.handle_exit_signal()
            if not self.service.is_draining:
                self.service.drain()
                # It stays for jobs under way as if they were a connection: the lifespan's end has half a minute only.
                worker.nr_conns += 1
                self._settling = worker.loop.create_task(self._settle(worker))

        worker.loop.add_signal_handler(signal.SIGTERM, stop)

    async def _settle(self, worker: Any) -> None:
        try:
            await self.service.jobs.drain()
        finally:
            worker.nr_conns -= 1


class _Life:
    """Opens the service when the worker starts, and closes it when it stops."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def process_startup(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        """Opens everything. A failure here keeps the worker from serving."""
        try:
            await self._application.service.open()
        except RaveError as error:
            _log.error("%s", error)
            raise
        self._application.watch_signals()

    async def process_shutdown(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        """Closes everything once the last connection is gone."""
        await asyncio.to_thread(self._application.step_down)
        await self._application.service.close()
        self._application.close()


def _of_plugins(service: Service) -> list[Any]:
    """The middleware of plugins, and what asks them for permissions if they may take their time."""
    apart = partial(kept_apart, foreign=service.foreign)
    found = service.plugins.middleware(service.runtime.settings, is_sound, apart)
    if service.authorizer.may_block:
        namespaces = service.namespaces
        found.append(Verdicts(service.authorizer, service.foreign, lambda: (each.name for each in namespaces.states())))
    return found


def _outermost(inner: InnerApplication, service: Service, access_log: AccessLog | None) -> OuterMiddleware:
    return OuterMiddleware(
        inner,
        metrics=service.metrics,
        access_log=access_log,
        proxies=service.proxies,
        base=service.links.base,
        hosts=Hosts(service.settings.hosts, base=service.links.base),
        body_time=service.settings.body_time,
    )


def _shortcut(app: falcon.asgi.App[Request, Response], service: Service, ready: ResponseCache) -> Shortcut:
    return Shortcut(app, ready, service.authorizer, service.results, service.responder, service.clock)


def _cors(service: Service) -> list[Any]:
    origins = service.settings.cors_origins
    if not origins:
        return []
    if "*" in origins:
        return [_Preflights(), falcon.CORSMiddleware(allow_origins="*", expose_headers=list(_EXPOSED))]
    return [_Preflights(), _VaryByOrigin(), falcon.CORSMiddleware(allow_origins=origins, expose_headers=list(_EXPOSED))]


class _Preflights:
    """Answers a CORS preflight before the principal is known.

    A preflight has no credentials and reveals nothing: its answer is the same for every path.
    """

    async def process_request(self, req: Request, resp: Response) -> None:
        """Completes the answer of a preflight; Falcon's middleware says which origins may."""
        if req.method == "OPTIONS" and req.get_header("Origin") and req.get_header("Access-Control-Request-Method"):
            resp.status = "204 No Content"
            resp.set_header("Allow", METHODS)
            resp.append_header("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
            resp.complete = True


class _VaryByOrigin:
    """Adds ``Vary: Origin`` to every answer, for caches."""

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        """Marks every answer, even one that no page asked for: a cache may later give it to a page."""
        resp.append_header("Vary", "Origin")


def is_sound(middleware: Any) -> bool:
    """Whether Falcon takes a piece of middleware.

    Raises:
        Exception: Falcon refuses it; the message says why.
    """
    falcon.asgi.App(middleware=[middleware])
    return True

"""The application: Falcon's, with our routes and error handlers, inside the outer middleware."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
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
from rave_http.protocol.hosts import Hosts
from rave_http.protocol.targets import METHODS
from rave_http.resources import (
    caches,
    catalog,
    documents,
    events,
    health,
    jobs,
    namespaces,
    operations,
    products,
    reports,
    status,
    ui,
)
from rave_http.resources.errors import ErrorHandlers
from rave_http.resources.ladder import Ladder
from rave_http.resources.origin_guard import CrossSiteGuard
from rave_http.resources.plugin_routes import PluginRoutes
from rave_http.resources.product_events import ProductEvents
from rave_http.resources.ready import ResponseCache, Shortcut
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
        self._plugin_routes = PluginRoutes(service)
        if service.settings.load_error_fatal:
            service.plugins.check()
        self.falcon = falcon.asgi.App(middleware=[_Life(self), guard, *self._plugin_routes.middleware(), *others])
        self.falcon.req_options.strip_url_path_trailing_slash = False
        ErrorHandlers(service.responder).install(self.falcon)
        _route(self.falcon, service, ready, self._plugin_routes)
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


def _route(
    app: falcon.asgi.App[Request, Response], service: Service, ready: ResponseCache, plugin_routes: PluginRoutes
) -> None:
    """Adds routes for the system's own paths and of plugins, which never change. All others depend on the catalog."""
    visible = catalog.VisibleOperations(service.namespaces, service.authorizer, service.links)
    root = catalog.Catalog(visible)
    app.add_route("/", root)
    _route_documents(app, service, visible, plugin_routes.paths)
    _route_reports(app, service)
    plugin_routes.add_to(app)
    # Falcon tries the latest sink first.
    app.add_sink(_operations(service, root, ready), "/")
    app.add_sink(_products(service), products.PREFIX)


def _route_documents(
    app: falcon.asgi.App[Request, Response],
    service: Service,
    visible: catalog.VisibleOperations,
    others: Mapping[str, Any],
) -> None:
    """Adds the routes that describe the service, for programs and for people."""
    exports = service.namespaces, service.authorizer
    app.add_route("/-/ops", catalog.OperationList(visible))
    app.add_route("/-/ops/{name:path}", catalog.Description(*exports, service.links))
    app.add_route("/-/namespaces", namespaces.Namespaces(*exports))
    app.add_route("/-/namespaces/{namespace}/reload", namespaces.Reload(*exports, service.workers))
    app.add_route("/-/openapi.json", documents.OpenAPI(*exports, service.links, others))
    app.add_route("/-/problems/{slug}", documents.ProblemPage(service.links))
    app.add_route("/-/version", health.Version())
    app.add_route("/-/ui", ui.Home(service.links))
    app.add_route("/-/ui/{name:path}", ui.Form(*exports, service.links))


def _route_reports(app: falcon.asgi.App[Request, Response], service: Service) -> None:
    """Adds the routes that show the state of the service and what it keeps."""
    exports, max_body = (service.namespaces, service.authorizer), service.settings.max_body
    statistics = reports.VisibleStatistics(service.workers.statistics, *exports)
    kept = caches.CacheFacts(service.runtime, *exports)
    ready = _ready(service)
    doing = status.WorkerStatus(
        service.workers, service.jobs, service.waiting, service.streams, service.links, service.clock
    )
    app.add_route("/-/events", _events(service))
    app.add_route("/-/cache", kept)
    app.add_route("/-/jobs", jobs.JobList(service.all_jobs, service.authorizer, service.links))
    app.add_route("/-/cache/purge", caches.Purge(service.runtime, *exports, service.workers, max_body=max_body))
    app.add_route("/-/livez", health.Live())
    app.add_route("/-/readyz", ready)
    app.add_route("/-/metrics", reports.MetricsResource(service.metrics, service.authorizer, service.workers))
    app.add_route(
        "/-/statistics",
        reports.Statistics(statistics, service.authorizer, service.workers.statistics, max_body=max_body),
    )
    app.add_route(
        "/-/ui/status",
        status.Status(*exports, doing, statistics, kept, ready, service.links, service.clock),
    )


def _ready(service: Service) -> health.Ready:
    return health.Ready(
        service.namespaces,
        service.authorizer,
        service.runtime,
        service.plugins,
        service.running,
        service.services,
        lambda: service.run_directory.is_stopping,
    )


def _events(service: Service) -> events.EventsResource:
    return events.EventsResource(
        service.runtime.events,
        service.namespaces,
        service.authorizer,
        service.streams,
        service.clock,
        service.jobs.is_draining,
        service.events.announce,
    )


def _operations(service: Service, root: catalog.Catalog, ready: ResponseCache) -> operations.Operations:
    ladder = Ladder(
        service.authorizer,
        service.results,
        service.jobs,
        service.waiting,
        service.tickets,
        service.responder,
        ready,
        service.metrics,
        service.clock,
        service.settings,
    )
    return operations.Operations(
        service.namespaces,
        service.authorizer,
        ladder,
        root,
        ready,
        service.results,
        service.responder,
        service.foreign,
        max_body=service.settings.max_body,
    )


def _products(service: Service) -> products.Products:
    is_draining = service.jobs.is_draining
    events = ProductEvents(service.statuses, service.streams, service.responder, service.clock, is_draining)
    return products.Products(
        service.authorizer,
        service.statuses,
        service.waiting,
        service.responder,
        service.workers,
        events,
        service.all_jobs,
        service.followers,
        service.clock,
        is_draining,
        max_wait=service.settings.max_wait,
    )

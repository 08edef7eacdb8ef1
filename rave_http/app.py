"""The application: Falcon's, with our routes, errors and life, in an envelope that sees every request."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import falcon
import falcon.asgi
from falcon.asgi import Request, Response

from rave_core.errors import ArgumentError, BackendError, RaveError, UnrenderableError
from rave_core.settings import Settings
from rave_http.asgi.access_log import AccessLog
from rave_http.asgi.outer_middleware import OuterMiddleware
from rave_http.protocol.problems import Problem
from rave_http.resources import (
    caches,
    catalog,
    documents,
    health,
    namespaces,
    operations,
    products,
    reports,
    status,
    ui,
)
from rave_http.resources.origin_guard import CrossSiteGuard
from rave_http.resources.ready import ResponseCache, Shortcut
from rave_http.settings import ServiceSettings
from rave_http.worker.responses import send_problem
from rave_http.worker.service import Service
from rave_http.workers.run_directory import RunDirectory

_log = logging.getLogger("rave.http")
_SLUGS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    429: "too-many-requests",
    503: "busy",
}


def create_app(settings: Settings, own: ServiceSettings, run_directory: RunDirectory) -> Application:
    """The application of one worker. It opens nothing but its caches before its event loop runs.

    Raises:
        ConfigurationError: a setting is wrong.
        PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
    """
    return Application(Service(settings, own, run_directory))


class Application:
    """An ASGI application that knows the worker which it runs in."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._worker: Any = None
        self._settling: asyncio.Task[None] | None = None
        self._access_log = AccessLog.of(service.settings.access_log)
        others = [*_cors(service), *service.plugins.middleware(service.runtime.settings, is_sound)]
        if service.settings.load_error_fatal:
            service.plugins.check()
        ready = ResponseCache(service)
        app = falcon.asgi.App(middleware=[_Life(self), CrossSiteGuard(service), *others])
        app.req_options.strip_url_path_trailing_slash = False
        _handle_errors(app, service)
        _route(app, service, ready)
        self._outer = OuterMiddleware(
            # Other middleware has to see every request; the guard has nothing to say of those that change nothing.
            app if others else Shortcut(app, service, ready),
            metrics=service.metrics,
            access_log=self._access_log,
            proxies=service.access.proxies,
            base=service.base,
        )

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answers one request, or lives through the worker's life."""
        await self._outer(scope, receive, send)

    def attach(self, worker: Any) -> None:
        """Takes the worker, to hear of its end before its connections do."""
        self._worker = worker

    def reopen(self) -> None:
        """Opens the files of the log again (SIGUSR1)."""
        if self._access_log is not None:
            self._access_log.reopen()

    def close_log(self) -> None:
        """Writes what is left of the access log."""
        if self._access_log is not None:
            self._access_log.close()

    def watch_signals(self) -> None:
        """Has SIGTERM begin the end here too: waiting requests get tickets while the worker closes its doors."""
        worker = self._worker
        if worker is None:
            return

        def stop() -> None:
            worker.handle_exit_signal()
            if not self.service.is_draining:
                self.service.drain()
                # It stays for what is computed as if that were a connection: the lifespan's end has half a minute only.
                worker.nr_conns += 1
                self._settling = worker.loop.create_task(self._settle(worker))

        worker.loop.add_signal_handler(signal.SIGTERM, stop)

    async def _settle(self, worker: Any) -> None:
        try:
            await self.service.jobs.drain(self.service.settings.grace)
        finally:
            worker.nr_conns -= 1


class _Life:
    """Opens the service when the worker starts, and closes it when it stops."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def process_startup(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        """Opens everything. What fails here keeps the worker from serving."""
        try:
            await self._application.service.open()
        except RaveError as error:
            _log.error("%s", error)
            raise
        self._application.watch_signals()

    async def process_shutdown(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        """Closes everything, when the last connection is gone."""
        await self._application.service.close()
        self._application.close_log()


def _cors(service: Service) -> list[Any]:
    origins = service.settings.cors_origins
    if not origins:
        return []
    exposed = ["ETag", "Location", "Retry-After", "Cache-Status", "Content-Range", "X-Request-ID"]
    if "*" in origins:
        return [falcon.CORSMiddleware(allow_origins="*", expose_headers=exposed)]
    return [_VaryByOrigin(), falcon.CORSMiddleware(allow_origins=origins, expose_headers=exposed)]


class _VaryByOrigin:
    """Tells caches that answers differ by origin, whatever else they say that answers differ by."""

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        """Says so of every answer: also of one that was not asked for by a page, which another cache may give one."""
        resp.append_header("Vary", "Origin")


def is_sound(middleware: Any) -> bool:
    """Whether Falcon takes a piece of middleware.

    Raises:
        Exception: it does not; it says why.
    """
    falcon.asgi.App(middleware=[middleware])
    return True


def _handle_errors(app: falcon.asgi.App[Request, Response], service: Service) -> None:
    async def handle_unexpected(req: Request, resp: Response, error: Exception, _: Any) -> None:
        note = req.scope["rave"]
        _log.exception("%s %s failed (request %s)", req.method, req.path, note.request_id, exc_info=error)
        send_problem(service, req, resp, Problem("internal-error", f"request {note.request_id} failed; see the log"))

    async def handle_problem(req: Request, resp: Response, error: Problem, _: Any) -> None:
        send_problem(service, req, resp, error)

    async def handle_http(req: Request, resp: Response, error: falcon.HTTPError, _: Any) -> None:
        slug = _SLUGS.get(error.status_code, "internal-error" if error.status_code >= 500 else "bad-request")
        headers = dict(error.headers or {})
        send_problem(service, req, resp, Problem(slug, error.description or error.title or slug, headers=headers))

    async def handle_rave(req: Request, resp: Response, error: RaveError, _: Any) -> None:
        if isinstance(error, ArgumentError):
            send_problem(service, req, resp, Problem("bad-arguments", str(error)))
        elif isinstance(error, UnrenderableError):
            send_problem(service, req, resp, Problem("not-acceptable", str(error)))
        else:
            await handle_unexpected(req, resp, error, None)

    async def handle_store(req: Request, resp: Response, error: OSError, _: Any) -> None:
        # What it says names paths and addresses, which are for the log.
        note = req.scope["rave"]
        _log.error("%s %s failed (request %s): %s", req.method, req.path, note.request_id, error)
        detail = f"What is kept could not be reached for request {note.request_id}; the log says why"
        send_problem(service, req, resp, Problem("store-trouble", detail, headers={"Retry-After": "5"}))

    app.add_error_handler(Exception, handle_unexpected)
    app.add_error_handler(RaveError, handle_rave)
    app.add_error_handler(OSError, handle_store)
    app.add_error_handler(BackendError, handle_store)
    for kind in (TimeoutError, ConnectionError):  # OSErrors that no store raises
        app.add_error_handler(kind, handle_unexpected)
    app.add_error_handler(falcon.HTTPError, handle_http)
    app.add_error_handler(Problem, handle_problem)


def _route(app: falcon.asgi.App[Request, Response], service: Service, ready: ResponseCache) -> None:
    """Routes for the system's own paths, which never change; all others are asked of the catalog, which may."""
    root = catalog.Catalog(service)
    app.add_route("/", root)
    app.add_route("/-/ops", catalog.OperationList(service))
    app.add_route("/-/ops/{name:path}", catalog.Description(service))
    kept, readiness = caches.CacheFacts(service), health.Ready(service)
    app.add_route("/-/cache", kept)
    app.add_route("/-/cache/purge", caches.Purge(service))
    app.add_route("/-/namespaces", namespaces.Namespaces(service))
    app.add_route("/-/namespaces/{namespace}/reload", namespaces.Reload(service))
    app.add_route("/-/openapi.json", documents.OpenAPI(service))
    app.add_route("/-/problems/{slug}", documents.ProblemPage(service))
    app.add_route("/-/livez", health.Live())
    app.add_route("/-/readyz", readiness)
    app.add_route("/-/version", health.Version())
    app.add_route("/-/metrics", reports.MetricsResource(service))
    app.add_route("/-/statistics", reports.Statistics(service))
    app.add_route("/-/ui", ui.Home(service))
    app.add_route("/-/ui/status", status.Status(service, kept, readiness))
    app.add_route("/-/ui/{name:path}", ui.Form(service))
    # The sink that was added last is asked first.
    app.add_sink(operations.Operations(service, root, ready), "/")
    app.add_sink(products.Products(service), products.PREFIX)

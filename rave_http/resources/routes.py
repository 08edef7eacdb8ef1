"""The routes of the service: which resource answers which path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import falcon.asgi
from falcon.asgi import Request, Response

from rave_core.documents import DocumentStore
from rave_http.auth.sharing import Sharing
from rave_http.description.dashboards import FORMAT, Dashboard
from rave_http.description.saved_calls import SavedCall
from rave_http.protocol.links import RESULTS
from rave_http.representation.table_rows import TableRows
from rave_http.resources import (
    caches,
    catalog,
    documents,
    events,
    health,
    jobs,
    kept,
    log,
    namespaces,
    operations,
    products,
    reports,
    results,
    sessions,
    slate_pages,
    slates,
    static,
    status,
    ui,
)
from rave_http.resources.cache_page import CachePage
from rave_http.resources.comparison import Comparison
from rave_http.resources.dashboard_editing import EditableDashboard, route_dashboard
from rave_http.resources.explore import Explore
from rave_http.resources.forecasts import ExplainResource, Forecasts, PlanResource
from rave_http.resources.frozen_boards import FrozenBoards
from rave_http.resources.jobs_page import JobsPage
from rave_http.resources.keeping import Keeping
from rave_http.resources.ladder import Ladder
from rave_http.resources.leads import Leads
from rave_http.resources.me_page import MePage
from rave_http.resources.panel_ladder import PanelLadder
from rave_http.resources.panel_pages import PanelPages
from rave_http.resources.panels import Panels
from rave_http.resources.pins import Pins
from rave_http.resources.plugin_routes import PluginRoutes
from rave_http.resources.product_events import ProductEvents
from rave_http.resources.product_rows import ProductRows
from rave_http.resources.ready import ResponseCache
from rave_http.resources.result_pages import ResultPages
from rave_http.resources.saved import SavedAccess, SavedList, SavedResource
from rave_http.resources.shown_tables import ShownTables
from rave_http.worker.document_sender import DocumentSender
from rave_http.worker.history import History
from rave_http.worker.questions import Questions
from rave_http.worker.saved_documents import CALLS, DASHBOARDS, FROZEN, KEPT_VERSIONS, SavedDocuments
from rave_http.worker.service import Service

L = TypeVar("L", bound=Ladder)
P = TypeVar("P", bound=ResultPages)


def add_routes(
    app: falcon.asgi.App[Request, Response], service: Service, ready: ResponseCache, plugin_routes: PluginRoutes
) -> None:
    """Adds routes for the system's own paths and of plugins, which never change. All others depend on the catalog."""
    visible = catalog.VisibleOperations(service.namespaces, service.authorizer, service.links)
    sender = DocumentSender(service.plugins, service.foreign)
    root = catalog.Catalog(visible, sender)
    app.add_route("/", root)
    _route_documents(app, service, visible, sender, plugin_routes.paths)
    _route_reports(app, service)
    plugin_routes.add_to(app)
    # Falcon tries the latest sink first.
    events = ProductEvents(
        service.statuses, service.streams, service.responder, service.clock, service.jobs.is_draining
    )
    rows = TableRows()
    history = History(lambda: service.runtime.documents, service.clock)
    pages = _result_pages(service, rows, history, ResultPages)
    form = _route_pages(app, service, events, pages)
    ladder = _ladder(service, ready, pages, Ladder)
    _route_saved(app, service, history, _panels(service, ready, rows, history), form)
    app.add_sink(_operations(service, root, ready, ladder), "/")
    app.add_sink(_products(service, events, rows, sender), products.PREFIX)


def _route_documents(
    app: falcon.asgi.App[Request, Response],
    service: Service,
    visible: catalog.VisibleOperations,
    sender: DocumentSender,
    others: Mapping[str, Any],
) -> None:
    """Adds the routes that describe the service, for programs and for people."""
    exports = service.namespaces, service.authorizer
    app.add_route("/-/ops", catalog.OperationList(visible, sender))
    app.add_route("/-/ops/{name:path}", catalog.Description(*exports, service.links, sender, visible))
    app.add_route("/-/namespaces", namespaces.Namespaces(*exports))
    app.add_route("/-/namespaces/{namespace}/reload", namespaces.Reload(*exports, service.workers))
    app.add_route("/-/openapi.json", documents.OpenAPI(*exports, service.links, others))
    app.add_route("/-/problems/{slug}", documents.ProblemPage(service.links))
    app.add_route("/-/version", health.Version())
    app.add_route("/-/static/{digest}/{file}", static.StaticFile(service.links))


def _route_pages(
    app: falcon.asgi.App[Request, Response], service: Service, events: ProductEvents, pages: ResultPages
) -> ui.Form:
    """Adds the routes of pages for people, and returns the one of forms."""
    told = Forecasts(service.namespaces, service.authorizer, service.runtime, service.foreign, service.clock)
    app.add_route("/-/explain/{name:path}", ExplainResource(told, service.authorizer))
    app.add_route("/-/plan/{name:path}", PlanResource(told))
    form = ui.Form(service.namespaces, service.authorizer, service.links, told, lambda: service.runtime.documents)
    app.add_route("/-/ui", ui.Home(service.links))
    listed = JobsPage(
        service.all_jobs, service.tickets, service.statuses, service.authorizer, service.links, service.clock
    )
    app.add_route("/-/ui/jobs", listed)
    app.add_route("/-/ui/leads", Leads(service.namespaces, service.authorizer, service.links))
    _route_kept(app, service)
    app.add_route("/-/ui/{name:path}", form)
    app.add_route(f"{RESULTS}{{key:path}}", _result_page(service, events, pages, form))
    return form


def _result_page(service: Service, events: ProductEvents, pages: ResultPages, form: ui.Form) -> results.ResultPage:
    return results.ResultPage(
        service.authorizer,
        service.statuses,
        service.followers,
        events,
        Questions(service.foreign, service.tickets),
        service.responder,
        pages,
        form,
        service.copies,
        service.clock,
    )


def _route_kept(app: falcon.asgi.App[Request, Response], service: Service) -> None:
    """Adds the routes of kept results, and of comparisons."""
    access = kept.KeptAccess(service.copies, service.namespaces, service.authorizer, service.links)
    app.add_route(
        "/-/kept", kept.KeptList(access, service.statuses, _keeping(service), service.clock, service.settings)
    )
    others = service.statuses, service.copies, service.authorizer, service.foreign, service.links, service.clock
    app.add_route("/-/compare", Comparison(*others))
    app.add_route("/-/kept/{name}", kept.KeptResult(access, max_body=service.settings.max_body))


def _keeping(service: Service) -> Keeping:
    return Keeping(service.copies, service.clock, service.settings)


def _route_saved(
    app: falcon.asgi.App[Request, Response], service: Service, history: History, panels: Panels, form: ui.Form
) -> None:
    """Adds the routes of what users save and share."""
    sharing, links, max_body = Sharing(service.authorizer), service.links, service.settings.max_body
    stores = [
        SavedDocuments(lambda: service.runtime.documents, collection, keep=keep)
        for collection, keep in ((CALLS, 1), (DASHBOARDS, KEPT_VERSIONS), (FROZEN, 1))
    ]
    calls = SavedAccess(SavedCall, "rave.call/1", stores[0], sharing, links)
    app.add_route("/-/calls", SavedList(calls))
    app.add_route("/-/calls/{owner}/{name}", SavedResource(calls, max_body=max_body))
    boards = SavedAccess(Dashboard, FORMAT, stores[1], sharing, links)
    app.add_route("/-/dashboards", SavedList(boards))
    app.add_route("/-/dashboards/{owner}/{name}", SavedResource(boards, max_body=max_body))
    frozen = FrozenBoards(stores[2], _keeping(service), service.copies, service.results, panels, service.authorizer)
    board = EditableDashboard(boards, panels, frozen, form, service.clock)
    route_dashboard(app, board)
    namespaces, authorizer, clock = service.namespaces, service.authorizer, service.clock
    app.add_route("/-/ui/explore/{name:path}", Explore(namespaces, authorizer, panels, form, clock))
    app.add_route("/-/ui/me", MePage(calls, board, history, namespaces, authorizer, clock))


def _panels(service: Service, ready: ResponseCache, rows: TableRows, history: History) -> Panels:
    pages = _result_pages(service, rows, history, PanelPages)
    ladder = _ladder(service, ready, pages, PanelLadder)
    return Panels(service.namespaces, service.authorizer, ladder, pages, service.foreign, service.links)


def _result_pages(service: Service, rows: TableRows, history: History, kind: type[P]) -> P:
    return kind(
        service.authorizer,
        service.namespaces,
        service.representations,
        service.runtime,
        service.links,
        service.foreign,
        service.clock,
        rows,
        history,
        service.results,
        service.copies,
    )


def _worker_status(service: Service) -> status.WorkerStatus:
    return status.WorkerStatus(
        service.workers,
        service.jobs,
        service.waiting,
        service.streams,
        service.executors,
        service.links,
        service.clock,
    )


def _route_reports(app: falcon.asgi.App[Request, Response], service: Service) -> None:
    """Adds the routes that show the state of the service and what it keeps."""
    exports, max_body = (service.namespaces, service.authorizer), service.settings.max_body
    statistics = reports.VisibleStatistics(service.workers.statistics, *exports)
    cached = caches.CacheFacts(service.runtime, *exports)
    ready = _ready(service)
    doing = _worker_status(service)
    app.add_route("/-/events", _events(service))
    app.add_route("/-/log", log.LogResource(service.log_levels, service.authorizer, max_body=max_body))
    _route_users(app, service)
    _route_caches(app, service, cached)
    app.add_route("/-/jobs", jobs.JobList(service.all_jobs, service.authorizer, service.links))
    app.add_route("/-/livez", health.Live())
    app.add_route("/-/readyz", ready)
    app.add_route("/-/metrics", reports.MetricsResource(service.metrics, service.authorizer, service.workers))
    counted = service.workers.statistics
    shown = reports.Statistics(statistics, service.authorizer, counted, service.links, max_body=max_body)
    app.add_route("/-/statistics", shown)
    app.add_route(
        "/-/ui/status",
        status.Status(*exports, doing, statistics, cached, ready, service.services, service.links, service.clock),
    )


def _route_caches(app: falcon.asgi.App[Request, Response], service: Service, cached: caches.CacheFacts) -> None:
    """Adds the routes that show what is stored, and remove it."""
    exports, max_body = (service.namespaces, service.authorizer), service.settings.max_body
    app.add_route("/-/cache", cached)
    purge = caches.Purge(service.runtime, *exports, service.workers, max_body=max_body)
    app.add_route("/-/cache/purge", purge)
    held = Pins(*exports, service.links, max_body=max_body)
    app.add_route("/-/cache/pins", held)
    app.add_route("/-/ui/cache", CachePage(cached, purge, held, service.authorizer, service.links))


def _route_users(app: falcon.asgi.App[Request, Response], service: Service) -> None:
    """Adds the routes that belong to who asks."""
    authorizer, max_body = service.authorizer, service.settings.max_body

    def documents() -> DocumentStore:
        return service.runtime.documents

    app.add_route("/-/me", slates.SlateList(documents, authorizer))
    app.add_route("/-/me/{name}", slates.Slate(documents, authorizer, max_body=max_body))
    listed = slate_pages.SlatesPage(documents, authorizer, service.links, service.clock)
    app.add_route(slate_pages.PATH, listed)
    shown = slate_pages.SlatePage(documents, authorizer, service.links, max_body=max_body)
    app.add_route(f"{slate_pages.PATH}/{{name}}", shown)
    signing_in = sessions.SessionResource(service.sessions, service.keys, authorizer, service.links, max_body=max_body)
    app.add_route("/-/session", signing_in)


def _ready(service: Service) -> health.Ready:
    return health.Ready(
        service.namespaces,
        service.listed,
        service.authorizer,
        service.runtime,
        service.plugins,
        service.running,
        service.services,
        service.executors,
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


def _operations(service: Service, root: catalog.Catalog, ready: ResponseCache, ladder: Ladder) -> operations.Operations:
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


def _ladder(service: Service, ready: ResponseCache, pages: ResultPages, kind: type[L]) -> L:
    return kind(
        service.authorizer,
        service.results,
        service.jobs,
        service.waiting,
        service.tickets,
        Questions(service.foreign, service.tickets),
        service.responder,
        ready,
        pages,
        service.metrics,
        service.clock,
        service.settings,
    )


def _products(service: Service, events: ProductEvents, rows: TableRows, sender: DocumentSender) -> products.Products:
    questions = Questions(service.foreign, service.tickets)
    return products.Products(
        service.authorizer,
        service.statuses,
        questions,
        service.waiting,
        service.responder,
        service.workers,
        events,
        ProductRows(rows),
        ShownTables(service.namespaces, service.statuses, questions, service.links),
        service.all_jobs,
        service.followers,
        sender,
        service.copies,
        service.clock,
        service.jobs.is_draining,
        max_wait=service.settings.max_wait,
    )

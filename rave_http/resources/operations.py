"""``/{namespace}/{operation}``: turns a request into its call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.documents import asked_by
from rave_core.engine.execution import ResolvedOperation
from rave_core.model import Call, Status
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.lasting_arguments import lasting
from rave_http.description.operation_documents import nearest_operation
from rave_http.description.request_arguments import FORM, JSON, Asked, Question, bind, read_body, read_query
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.bodies import body_of
from rave_http.protocol.headers import NO_STORE, PLAIN_PREFERENCES, directives, preferences
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.resources.browsers import is_for_window, likes_pages
from rave_http.resources.catalog import Catalog
from rave_http.resources.ladder import Ladder, Wish
from rave_http.resources.ready import CachedResponse, Place, ResponseCache, place_of
from rave_http.worker.kept_results import KeptResults
from rave_http.worker.responder import Responder

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS")
CATALOG_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_SMALL: Final = 4096


class Operations:
    """The sink of the application: any path outside the system's is an operation, a namespace, or nothing."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        ladder: Ladder,
        catalog: Catalog,
        ready: ResponseCache,
        results: KeptResults,
        responder: Responder,
        foreign: ForeignCode,
        *,
        max_body: int,
    ) -> None:
        """Answers for the operations that ``namespaces`` export.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            ladder: answers calls.
            catalog: answers for a whole namespace.
            ready: answers that are held ready.
            results: counts those.
            responder: sends those.
            foreign: calls converters.
            max_body: bytes of the body of a request.
        """
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._ladder = ladder
        self._catalog = catalog
        self._ready = ready
        self._results = results
        self._responder = responder
        self._foreign = foreign
        self._max_body = max_body

    async def __call__(self, req: Request, resp: Response | None, **_: Any) -> None:
        """Answers a request."""
        assert resp is not None  # there is none for WebSockets only
        place = place_of(req.scope)
        ready = self._ready.find(place)
        if ready is not None:
            await self._send_ready(req, resp, ready)
        elif req.method in CATALOG_METHODS and "/" not in req.path[1:]:
            await self._catalog.show(req, resp, req.path[1:])
        else:
            await self._answer(req, resp, place)

    async def _send_ready(self, req: Request, resp: Response, ready: CachedResponse) -> None:
        self._authorizer.require(req, "view", ready.namespace)
        ready.note(req.scope["rave"])
        self._results.count(ready.resolved, ready.call, ready.found, Status.HIT)
        await self._responder.send_representation(req, resp, ready.product, ready.representation, Status.HIT)

    async def _answer(self, req: Request, resp: Response, place: Place | None) -> None:
        exported = self._find(req)
        if req.method == "OPTIONS":
            resp.status = "204 No Content"
            resp.set_header("Allow", ", ".join(METHODS))
            # A separate header advertises QUERY: OpenAPI 3.1, which Allow agrees with, does not know it.
            resp.set_header("Accept-Query", f"{JSON}, {FORM}")
            resp.set_header("Accept-Post", f"{JSON}, {FORM}")
            return
        question = await self._read(req, exported.name)
        resolved = exported.operation.resolved_in(exported.runtime)
        call = await bound(self._foreign, question.asked, exported, resolved, lambda: self._authorizer.user(req))
        if call.key is not None:
            record: RequestRecord = req.scope["rave"]
            record.key = call.key.text
        await self._ladder.answer(req, resp, _wish(req, exported, resolved, question, call, place))
        if not resolved.binder.is_repeatable and lasting(question.asked, call) is not question.asked:
            _forbid_reuse(resp)
        if likes_pages(req):
            resp.append_header("Vary", "Sec-Fetch-Dest")

    def _find(self, req: Request) -> ExportedOperation:
        """The operation that a request names.

        Raises:
            Problem: there is none, or the principal may not see it, or it does not take such a request.
        """
        exported = self._namespaces.find(req.path[1:])
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            raise self._missing(req, req.path[1:])
        req.scope["rave"].operation = exported.name
        if req.method not in METHODS and req.method != "QUERY":
            raise Problem(
                "method-not-allowed",
                f"An operation is asked by {', '.join(METHODS[:3])}, not by {req.method[:20]}",
                headers={"Allow": ", ".join(METHODS)},
            )
        return exported

    def _missing(self, req: Request, name: str) -> Problem:
        """The problem for a name that no operation visible to the principal has."""
        catalog, namespace = self._namespaces.catalog, name.partition("/")[0]
        if namespace not in catalog.namespaces or not self._authorizer.may(req, "view", namespace):
            return Problem("not-found", HIDDEN)
        if name == namespace:
            detail = f"{namespace!r} is a namespace: GET lists its operations"
            return Problem("method-not-allowed", detail, headers={"Allow": ", ".join(CATALOG_METHODS)})
        hint = nearest_operation(catalog, name[:200], lambda space: self._authorizer.may(req, "view", space))
        return Problem("not-found", f"There is no operation {name[:200]!r}; {hint}")

    async def _read(self, req: Request, name: str) -> Question:
        if req.method in ("GET", "HEAD"):
            return read_query(name, req.query_string)
        body = await body_of(req, self._max_body)
        return read_body(name, req.query_string, req.content_type, body)


def _forbid_reuse(resp: Response) -> None:
    """The same URL may mean another call next time, or for another user, so caches have to ask each time."""
    if resp.get_header("Cache-Control") != NO_STORE:
        resp.set_header("Cache-Control", "private, no-cache")


async def bound(
    foreign: ForeignCode,
    asked: Asked,
    exported: ExportedOperation,
    resolved: ResolvedOperation,
    user: Callable[[], str | None],
) -> Call:
    """The call that a request asks for. Converters are third-party code and may do anything.

    Args:
        foreign: calls converters.
        asked: the call as it was written.
        exported: its operation.
        resolved: the resolved operation that answers.
        user: gives who asks, if that may count.

    Raises:
        Problem: the arguments do not fit.
        TimeLimitError, BusyError: a converter does not end.
    """
    is_small = asked.document is None and sum(len(text) for _, text in asked.texts) < _SMALL
    binder = resolved.binder
    if is_small and binder.is_own and binder.is_repeatable:
        return bind(asked, exported.operation, resolved)
    try:
        with asked_by(None if binder.is_repeatable else user()):
            return await foreign.call(exported.name, bind, asked, exported.operation, resolved)
    except LeftError as error:
        raise Problem("bad-arguments", f"an argument can't be converted: {error}") from error


def _wish(
    req: Request,
    exported: ExportedOperation,
    resolved: ResolvedOperation,
    question: Question,
    call: Call,
    place: Place | None,
) -> Wish:
    controls = question.controls
    is_liked = not controls.form and likes_pages(req)
    prefer = req.get_header("Prefer") or controls.prefer
    caching = req.get_header("Cache-Control")
    return Wish(
        exported,
        resolved,
        question,
        call,
        preferences(prefer) if prefer else PLAIN_PREFERENCES,
        controls.only_cached or (caching is not None and "only-if-cached" in directives(caching)),
        None if is_liked else place,  # then the answer depends on more than a place says
        is_liked and is_for_window(req),
    )

"""``/{namespace}/{operation}``: a result: at once where it is kept, else after a wait, else by a ticket."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.engine.execution import ResolvedOperation
from rave_core.expiry import nocache
from rave_core.model import PLAIN, Call, Options, Status
from rave_core.operations.operation import Operation
from rave_core.storage.cache import Found
from rave_http.auth.authorization import HIDDEN
from rave_http.description import request_arguments
from rave_http.description.operation_documents import nearest_operation
from rave_http.description.request_arguments import Controls, read_body, read_query
from rave_http.jobs.failures import problem_of
from rave_http.jobs.jobs import Job
from rave_http.protocol.headers import Preferences, directives, preferences
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.representations import MadeProduct, Representation
from rave_http.resources.catalog import Catalog
from rave_http.resources.ready import CachedResponse, Place, ResponseCache, place_of
from rave_http.worker.responses import (
    JSON,
    URI_LIST,
    prefers,
    send_json,
    send_link,
    send_product,
    send_ticket,
    ticket_document,
)
from rave_http.worker.service import Service

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS")
_AGAIN: Final = {"Retry-After": "1"}
_SMALL: Final = 4096
_log = logging.getLogger("rave.http")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one request wants."""

    name: str
    namespace: str
    operation: Operation[..., Any]
    request: request_arguments.Question
    preferences: Preferences
    only_cached: bool
    place: Place | None

    @property
    def controls(self) -> Controls:
        """The ``rave.…`` parameters."""
        return self.request.controls


@dataclass(frozen=True, slots=True)
class _KeptResult:
    """A kept result that answers a call.

    Attributes:
        frame: the frame that memory held just before it was found, if any.
    """

    resolved: ResolvedOperation
    call: Call
    found: Found
    frame: Any
    status: Status = Status.HIT


class Operations:
    """The sink of the application: whatever is no path of the system is an operation, a namespace, or nothing."""

    def __init__(self, service: Service, catalog: Catalog, ready: ResponseCache) -> None:
        self._service = service
        self._catalog = catalog
        self._ready = ready

    async def __call__(self, req: Request, resp: Response | None, **_: Any) -> None:
        """Answers a request."""
        assert resp is not None  # there is none for WebSockets only
        place = place_of(req.scope)
        ready = self._ready.find(place)
        if ready is None:
            await self._answer(req, resp, place)
            return
        service = self._service
        service.require(req, "view", ready.namespace)
        ready.count(service, req.scope["rave"])
        await send_product(service, req, resp, ready.product, ready.representation, Status.HIT)

    async def _answer(self, req: Request, resp: Response, place: Place | None) -> None:
        name = req.path[1:]
        namespace, slash, _ = name.partition("/")
        if not slash and req.method in ("GET", "HEAD"):
            await self._catalog.show(req, resp, namespace)
            return
        operation = self._find(req, name, namespace)
        if req.method == "OPTIONS":
            resp.status = "204 No Content"
            resp.set_header("Allow", ", ".join(METHODS))
            # QUERY is advertised by a header of its own: OpenAPI 3.1, which Allow agrees with, does not know it.
            resp.set_header("Accept-Query", f"{request_arguments.JSON}, {request_arguments.FORM}")
            resp.set_header("Accept-Post", f"{request_arguments.JSON}, {request_arguments.FORM}")
            return
        request = await self._read(req, name)
        prefer = preferences(req.get_header("Prefer") or request.controls.prefer)
        cached = request.controls.only_cached or "only-if-cached" in directives(req.get_header("Cache-Control"))
        wanted = _Wanted(name, namespace, operation, request, prefer, cached, place)
        call = await self._bound(wanted)
        note: RequestRecord = req.scope["rave"]
        if call.key is not None:
            note.key = call.key.text
        await self._climb(req, resp, wanted, call)

    def _find(self, req: Request, name: str, namespace: str) -> Operation[..., Any]:
        service = self._service
        catalog = service.namespaces.catalog
        if namespace not in catalog.namespaces or not service.may(req, "view", namespace):
            raise Problem("not-found", HIDDEN)
        if name == namespace:
            detail = f"{namespace!r} is a namespace: GET lists its operations"
            raise Problem("method-not-allowed", detail, headers={"Allow": "GET, HEAD"})
        operation = service.namespaces.find(name)
        if operation is None:
            hint = nearest_operation(catalog, name[:200], lambda space: service.may(req, "view", space))
            raise Problem("not-found", f"There is no operation {name[:200]!r}; {hint}")
        req.scope["rave"].operation = name
        if req.method not in METHODS and req.method != "QUERY":
            raise Problem(
                "method-not-allowed",
                f"An operation is asked by {', '.join(METHODS[:3])}, not by {req.method[:20]}",
                headers={"Allow": ", ".join(METHODS)},
            )
        return operation

    async def _read(self, req: Request, name: str) -> request_arguments.Question:
        if req.method in ("GET", "HEAD"):
            return read_query(name, req.query_string)
        body = await self._service.read_body(req)
        return read_body(
            name, req.query_string, req.content_type, body, content_encoding=req.get_header("Content-Encoding")
        )

    async def _bound(self, wanted: _Wanted) -> Call:
        asked = wanted.request.asked
        is_small = asked.document is None and sum(len(text) for _, text in asked.texts) < _SMALL
        if is_small and wanted.operation.resolved().binder.is_repeatable:
            return request_arguments.bind(asked, wanted.operation)
        # It may read files, whose content is what it stands for, or take its time over what is large.
        return await asyncio.to_thread(request_arguments.bind, wanted.request.asked, wanted.operation)

    async def _climb(self, req: Request, resp: Response, wanted: _Wanted, call: Call) -> None:
        """One ladder: what is kept, else what is made while the client waits, else a ticket."""
        service, resolved = self._service, wanted.operation.resolved()
        options = wanted.controls.options
        found = frame = None
        if call.key is not None and options is None and resolved.strategy is not nocache:
            frame = resolved.cache.peek(call.key.text)
            found = await asyncio.to_thread(service.look, resolved.cache, call.key)
        now = service.clock.now()
        if found is not None and found.entry.is_fresh(now):
            await self._send_kept(req, resp, wanted, _KeptResult(resolved, call, found, frame))
            return
        if found is not None and now < found.entry.expires_at + resolved.spec.stale_while_revalidate:
            await self._refresh_behind(req, wanted, call, resolved)
            await self._send_kept(req, resp, wanted, _KeptResult(resolved, call, found, frame, Status.STALE))
            return
        if wanted.only_cached:
            raise Problem("not-kept", f"No result of this call of {wanted.name} is kept")
        job = self._start(req, wanted, call, options or PLAIN)
        await self._wait(req, resp, wanted, job)

    async def _refresh_behind(self, req: Request, wanted: _Wanted, call: Call, resolved: ResolvedOperation) -> None:
        """Starts to make a stale result anew, if there is room for it; whoever asked has an answer already."""
        service = self._service
        if wanted.only_cached or not service.may(req, "run", wanted.namespace):
            return
        try:
            service.jobs.join(wanted.name, wanted.request.asked, resolved, call)
        except Problem as problem:
            _log.info("%s is not refreshed now: %s", wanted.name, problem)

    def _start(self, req: Request, wanted: _Wanted, call: Call, options: Options) -> Job:
        service = self._service
        service.require(req, "run", wanted.namespace)
        if options is not PLAIN:
            service.require(req, "refresh", wanted.namespace, audited=True)
        resolved, asked = wanted.operation.resolved(), wanted.request.asked
        return service.jobs.join(wanted.name, asked, resolved, call, options, on_start=lambda: service.charge(req))

    async def _wait(self, req: Request, resp: Response, wanted: _Wanted, job: Job) -> None:
        service = self._service
        # What is never kept can't be promised: there is nothing but to wait.
        is_promising = job.key is not None and job.resolved.strategy is not nocache
        seconds = self._patience(wanted.preferences) if is_promising else service.settings.max_wait
        is_done = await service.wait(job, seconds)
        applied = wanted.preferences.applied(waited=seconds, ticket=not is_done)
        if applied and (is_done or is_promising):
            resp.set_header("Preference-Applied", applied)
        if is_done:
            await self._send_made(req, resp, wanted, job)
            return
        if not is_promising:
            raise Problem(
                "time-limit",
                f"{wanted.name} did not end in {seconds:g} s, and there are no tickets for results that are not kept",
            )
        await self._send_ticket(req, resp, wanted, job)

    def _patience(self, prefer: Preferences) -> float:
        settings = self._service.settings
        if prefer.minimal or (prefer.respond_async and prefer.wait is None):
            return 0.0
        return min(settings.wait if prefer.wait is None else prefer.wait, settings.max_wait)

    async def _send_made(self, req: Request, resp: Response, wanted: _Wanted, job: Job) -> None:
        service = self._service
        note: RequestRecord = req.scope["rave"]
        if job.failed is not None:
            error = job.task.exception() if service.may(req, "debug", wanted.namespace) else None
            raise problem_of(job.failed, service.settings.failure_time, error)
        if job.task.cancelled():
            raise Problem("busy", "The worker stopped before the result was there; ask again", headers=_AGAIN)
        outcome = job.task.result()
        note.cache = "wait"
        product = MadeProduct(wanted.name, wanted.operation.spec, outcome.value, outcome.entry)
        found = await service.representations.of(product, accept=req.get_header("Accept"), form=wanted.controls.form)
        await send_product(service, req, resp, product, found, outcome.status)

    async def _send_kept(self, req: Request, resp: Response, wanted: _Wanted, kept: _KeptResult) -> None:
        service, found = self._service, kept.found
        note: RequestRecord = req.scope["rave"]
        note.cache = kept.status.value
        service.hit(kept.resolved, kept.call, found, kept.status)
        if wanted.preferences.minimal:
            self._send_reference(req, resp, wanted, found)
            return
        product = MadeProduct(wanted.name, wanted.operation.spec, found.value, found.entry)
        representation = await service.representations.of(
            product, accept=req.get_header("Accept"), form=wanted.controls.form
        )
        self._remember(wanted, kept, product, representation)
        await send_product(service, req, resp, product, representation, kept.status)

    def _remember(
        self, wanted: _Wanted, kept: _KeptResult, product: MadeProduct, representation: Representation
    ) -> None:
        """Keeps an answer ready, where it can be seen without waiting whether it still is one."""
        service, frame, resolved = self._service, kept.frame, kept.resolved
        is_sure = (
            representation.url is None
            and frame is not None
            and resolved.cache.peek(kept.found.entry.key) is frame
            and kept.status is Status.HIT
        )
        if wanted.place is None or wanted.only_cached or not is_sure or not resolved.binder.is_repeatable:
            return
        generation = service.namespaces.generation
        ready = CachedResponse(
            generation, wanted.namespace, resolved, kept.call, kept.found, frame, product, representation
        )
        self._ready.keep(wanted.place, ready)

    def _send_reference(self, req: Request, resp: Response, wanted: _Wanted, found: Found) -> None:
        """303: where the product is (what the guide's raved answers)."""
        service = self._service
        document = ticket_document(
            service, status="ready", key=found.entry.key, operation=wanted.name, created_at=found.entry.created_at
        )
        if prefers(req, JSON, URI_LIST) == URI_LIST:
            send_link(resp, document["href"])
        else:
            send_json(resp, document)
        resp.status = "303 See Other"
        resp.set_header("Location", document["href"])
        resp.set_header("Preference-Applied", "return=minimal")
        resp.set_header("Vary", "Accept, Prefer")

    async def _send_ticket(self, req: Request, resp: Response, wanted: _Wanted, job: Job) -> None:
        key = job.call.key
        assert key is not None
        job.is_promised = True
        await asyncio.to_thread(self._service.tickets.give, key, job.asked)
        if job.task.done():  # it ended before it was promised
            await asyncio.to_thread(self._service.tickets.end, key.text, job.failed)
        req.scope["rave"].cache = "ticket"
        self._service.metrics.tickets.inc()
        send_ticket(self._service, req, resp, job)

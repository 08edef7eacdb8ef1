"""``/-/products/{key}``: what a ticket points to: the product, what is known of it, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, cast

from falcon.asgi import Request, Response, SSEvent

from rave_core.model import FOREVER, Entry, Key, Status
from rave_core.operations.operation import Operation
from rave_http.protocol.headers import Preferences, preferences
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.times import iso
from rave_http.representation.representations import MadeProduct
from rave_http.worker.job_status import JobStatus, State
from rave_http.worker.responses import AFTER, retry_after, send_json, send_product, show_ticket, ticket_document
from rave_http.worker.service import Service

PREFIX: Final = "/-/products/"
_VIEWS: Final = {"": ("GET", "HEAD", "DELETE"), "meta": ("GET", "HEAD"), "events": ("GET",)}
_HEARTBEAT: Final = 10.0
_LOOK: Final = 0.7
_LATER: Final = {"Retry-After": "5"}
_PARAMETERS: Final = ("rave.f", "rave.prefer", AFTER)


@dataclass(frozen=True, slots=True)
class _Target:
    """What one request asks for.

    Attributes:
        form: the wanted form of the product, or ``None``.
        prefer: what a header ``Prefer`` would say, or ``None``.
        after: Unix time after which the product has to be made, or ``None``: the ticket of a refresh says so.
    """

    key: Key
    name: str
    operation: Operation[..., Any]
    form: str | None
    prefer: str | None
    after: float | None


class Products:
    """The sink of all paths below ``/-/products/``: a key has slashes in it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, req: Request, resp: Response | None, **_: Any) -> None:
        """Answers a request."""
        assert resp is not None  # there is none for WebSockets only
        service = self._service
        path, view = _split(req.path.removeprefix(PREFIX))
        key, name, operation = service.products.identify(path, lambda namespace: service.may(req, "view", namespace))
        note: RequestRecord = req.scope["rave"]
        note.operation, note.key = name, key.text
        _check_method(req, resp, _VIEWS[view])
        if req.method == "OPTIONS":
            return
        asked = read(req, *_PARAMETERS)
        target = _Target(key, name, operation, asked.get("rave.f"), asked.get("rave.prefer"), _after(asked))
        if view == "meta":
            await self._meta(resp, target)
        elif view == "events":
            await self._events(req, resp, target)
        elif req.method == "DELETE":
            await self._delete(req, resp, target)
        else:
            await self._product(req, resp, target)

    async def _product(self, req: Request, resp: Response, target: _Target) -> None:
        service = self._service
        place = await self._place(req, target)
        if place.state is State.MAKING:
            prefer = preferences(req.get_header("Prefer") or target.prefer)
            place = await self._awaited(place, target, self._patience(prefer))
        if place.state is State.MAKING or place.state is State.ORPHANED:
            self._send_ticket(req, resp, place, target)
            return
        if place.state is not State.READY:
            raise service.products.refuse(place)
        await self._send(req, resp, place, target.form)

    async def _awaited(self, place: JobStatus, target: _Target, seconds: float) -> JobStatus:
        """What becomes of a product within ``seconds``, whoever makes it."""
        service = self._service
        if place.job is not None:
            is_done = await service.wait(place.job, seconds)
            return await self._locate(target) if is_done else place
        end = service.clock.monotonic() + seconds
        while place.state is State.MAKING and service.clock.monotonic() < end and not service.is_draining:
            await asyncio.sleep(_LOOK)
            place = await self._locate(target)
        return place

    async def _locate(self, target: _Target) -> JobStatus:
        return await self._service.products.locate(target.key, target.name, target.operation, after=target.after)

    def _patience(self, prefer: Preferences) -> float:
        """Whoever polls a ticket is answered at once, unless they say that they want to wait."""
        return 0.0 if prefer.wait is None else min(prefer.wait, self._service.settings.max_wait)

    async def _place(self, req: Request, target: _Target) -> JobStatus:
        """What has become of the key; what nobody makes any more is made here, for whoever may."""
        place = await self._locate(target)
        if place.state is State.ORPHANED and self._service.may(req, "run", target.name.partition("/")[0]):
            return await self._service.products.take_over(place)
        return place

    async def _send(self, req: Request, resp: Response, place: JobStatus, form: str | None) -> None:
        service = self._service
        if place.found is not None:
            value, entry = place.found.value, cast("Entry | None", place.found.entry)
            status = Status.HIT if place.found.entry.is_fresh(service.clock.now()) else Status.STALE
        else:  # no cache keeps it: the computation that just ended does, for a moment
            assert place.job is not None
            outcome = place.job.task.result()
            value, entry, status = outcome.value, outcome.entry, outcome.status
        req.scope["rave"].cache = status.value
        product = MadeProduct(place.name, place.operation.spec, value, entry)
        found = await service.representations.of(product, accept=req.get_header("Accept"), form=form)
        await send_product(service, req, resp, product, found, status)

    def _send_ticket(self, req: Request, resp: Response, place: JobStatus, target: _Target) -> None:
        req.scope["rave"].cache = "ticket"
        asked = place.ticket.asked if place.ticket is not None else None
        if place.job is not None:
            asked = place.job.asked
        document = self._document(place, target.after)
        show_ticket(self._service, req, resp, document, asked, retry_after(self._service, _since(place)))

    def _document(self, place: JobStatus, after: float | None = None) -> dict[str, Any]:
        status = "queued" if place.state is State.ORPHANED else place.state.value
        if place.state is State.MAKING and place.job is not None:
            status = place.job.status
        return ticket_document(
            self._service,
            status=status,
            key=place.key.text,
            operation=place.name,
            created_at=_since(place),
            progress=place.progress(),
            after=after,
        )

    async def _meta(self, resp: Response, target: _Target) -> None:
        place = await self._locate(target)
        if place.state is State.UNKNOWN or (place.state is State.EXPIRED and place.found is None):
            raise self._service.products.refuse(place)
        document = self._document(place, target.after)
        if place.found is not None:
            document |= _facts(place.found.entry)
        if place.failed is not None:
            document["failed"] = {"detail": place.failed.detail, "at": iso(place.failed.at)}
        send_json(resp, document)

    async def _delete(self, req: Request, resp: Response, target: _Target) -> None:
        service = self._service
        service.require(req, "purge", target.name.partition("/")[0], audited=True)
        is_forgotten = await asyncio.to_thread(target.operation.resolved().cache.forget, target.key)
        await service.forget(target.key.text)
        if not is_forgotten:
            raise Problem("not-found", f"There is no product {target.key.text[:300]!r}")
        resp.status = "204 No Content"
        resp.set_header("Cache-Control", "no-store")

    async def _events(self, req: Request, resp: Response, target: _Target) -> None:
        service = self._service
        if service.streams >= service.settings.max_events or service.is_draining:
            raise Problem("busy", "Too many event streams are open; ask for the product itself", headers=_LATER)
        place = await self._place(req, target)
        if place.state in (State.UNKNOWN, State.EXPIRED):
            raise service.products.refuse(place)
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._stream(req, place, target)

    async def _stream(self, req: Request, place: JobStatus, target: _Target) -> AsyncIterator[SSEvent | None]:
        """What becomes of a product, until it is there or failed. A ``None`` is a sign of life."""
        service = self._service
        service.streams += 1
        service.metrics.event_streams.inc()
        last: dict[str, Any] | None = None
        quiet = 0.0
        try:
            while place.state in (State.MAKING, State.ORPHANED):
                if service.is_draining:
                    return  # the client asks again, and another worker answers
                document = self._document(place, target.after)
                if document != last:
                    last, quiet = document, 0.0
                    yield SSEvent(event="progress", json=document, retry=1000)
                quiet += await self._pause(place)
                if quiet >= _HEARTBEAT:
                    quiet = 0.0
                    yield None
                if place.job is None or not place.job.is_running or place.job.ended is not None:
                    place = await self._place(req, target)  # whoever makes it may be killed meanwhile
            if place.state is State.READY:
                yield SSEvent(event="done", json=self._document(place))
            else:
                yield self._failed(service.products.refuse(place), target)
        except Problem as problem:  # it can't be made any more
            yield self._failed(problem, target)
        finally:
            service.streams -= 1
            service.metrics.event_streams.dec()

    async def _pause(self, place: JobStatus) -> float:
        """Waits for news of a product, a moment at most; the seconds that went by."""
        started = self._service.clock.monotonic()
        if place.job is None:
            await asyncio.sleep(_LOOK)
        else:
            with place.job.news() as event:
                waiters = {place.job.task, asyncio.create_task(event.wait())}
                await asyncio.wait(waiters, timeout=_HEARTBEAT / 2, return_when=asyncio.FIRST_COMPLETED)
                for waiter in waiters - {place.job.task}:
                    waiter.cancel()
            await asyncio.sleep(0.1)  # reports may come by the thousand
        return self._service.clock.monotonic() - started

    def _failed(self, problem: Problem, target: _Target) -> SSEvent:
        document = problem.document(base=self._service.base, instance=f"{PREFIX}{target.key.text}")
        return SSEvent(event="failed", json=document)


def _split(path: str) -> tuple[str, str]:
    """The key, and what is asked of it: ``meta``, ``events``, or the product itself (empty)."""
    head, _, view = path.rpartition("/")
    return (head, view) if view in ("meta", "events") else (path, "")


def _check_method(req: Request, resp: Response, allowed: tuple[str, ...]) -> None:
    allow = ", ".join((*allowed, "OPTIONS"))
    if req.method == "OPTIONS":
        resp.status = "204 No Content"
        resp.set_header("Allow", allow)
    elif req.method not in allowed:
        raise Problem(
            "method-not-allowed", f"{req.method[:20]} does not apply to this; {allow} do", headers={"Allow": allow}
        )


def _since(place: JobStatus) -> float | None:
    """When it was asked for, in Unix seconds."""
    if place.job is not None:
        return place.job.started_at
    if place.holder is not None:
        return place.holder.since
    if place.ticket is not None:
        return place.ticket.created_at
    return place.found.entry.created_at if place.found is not None else None


def _facts(entry: Entry) -> dict[str, Any]:
    """What is recorded of a result."""
    return {
        "arguments": entry.arguments,
        "version": {"strategy": entry.version_note},
        "made": iso(entry.created_at),
        "expires": None if entry.expires_at == FOREVER else iso(entry.expires_at),
        "seconds": entry.seconds,
        "size": entry.size,
        "digest": f"blake2b-256:{entry.digest}",
        "mime_type": entry.mime_type,
        "codec": entry.codec,
        "tags": entry.tags,
        "children": entry.children,
        "python": entry.python,
        "plugin": entry.plugin,
    }


def _after(asked: dict[str, str]) -> float | None:
    text = asked.get(AFTER)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        detail = f"{AFTER}={text[:40]!r} is no Unix time"
        raise Problem("bad-arguments", detail, errors=[{"parameter": AFTER, "detail": detail}]) from None

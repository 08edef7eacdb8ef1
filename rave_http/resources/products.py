"""``/-/products/{key}``: the target of a ticket: the product, its metadata, and its progress."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.model import Entry, Key, Status
from rave_core.rendering import is_table
from rave_core.storage.cache import Cache
from rave_core.storage.kept_copies import KeptCopies
from rave_http.auth.authorizer import Authorizer
from rave_http.jobs.followers import Followers
from rave_http.namespaces.exported import ExportedOperation
from rave_http.protocol.conditions import check_write, is_conditional
from rave_http.protocol.headers import Preferences, preferences
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.responses import send_events_head, send_json
from rave_http.protocol.times import iso
from rave_http.representation.representations import MadeProduct
from rave_http.resources.kept import DIGEST, is_meant, kept_of, other_than
from rave_http.resources.product_events import ProductEvents
from rave_http.resources.product_facts import after_of, asked_of, facts_of
from rave_http.resources.product_rows import ProductRows
from rave_http.resources.shown_tables import ShownTables
from rave_http.worker.all_jobs import AllJobs, Stopped
from rave_http.worker.document_sender import DocumentSender
from rave_http.worker.job_status import JobStatus, JobStatuses, State
from rave_http.worker.limits import WaitingRequests
from rave_http.worker.questions import Questions
from rave_http.worker.responder import AFTER, Responder
from rave_http.workers.workers import Workers

PREFIX: Final = "/-/products/"
VIEWS: Final = {
    "": ("GET", "HEAD", "DELETE"),
    "meta": ("GET", "HEAD"),
    "rows": ("GET", "HEAD"),
    "events": ("GET", "HEAD"),
    "job": ("DELETE",),
}
_LOOK: Final = 0.7
SAID: Final = {
    Stopped.ENDED: "The job ended; nothing makes the product any more.",
    Stopped.ASKED: "The job was cancelled, and its result is dropped. Its body can't be ended from outside: it runs "
    "until it next reports progress, or to its end.",
    Stopped.LEFT: "Others wait for the product, so its job goes on. You do not count as waiting for it any more.",
}
_PARAMETERS: Final = ("rave.f", "rave.prefer", DIGEST, AFTER)


@dataclass(frozen=True, slots=True)
class _Target:
    """What one request asks for.

    Attributes:
        form: the wanted form of the product, or ``None``.
        prefer: what a header ``Prefer`` would say, or ``None``.
        after: Unix time after which the product has to be made, or ``None``; set in the ticket of a refresh.
        digest: only the product of this digest is meant; ``None`` for any.
    """

    key: Key
    exported: ExportedOperation
    form: str | None
    prefer: str | None
    after: float | None = None
    digest: str | None = None


class Products:
    """The sink of all paths below ``/-/products/``: a key has slashes in it."""

    def __init__(
        self,
        authorizer: Authorizer,
        statuses: JobStatuses,
        questions: Questions,
        waiting: WaitingRequests,
        responder: Responder,
        workers: Workers,
        events: ProductEvents,
        rows: ProductRows,
        tables: ShownTables,
        jobs: AllJobs,
        followers: Followers,
        sender: DocumentSender,
        copies: KeptCopies,
        clock: Clock,
        is_draining: asyncio.Event,
        *,
        max_wait: float,
    ) -> None:
        """Answers for the products of all exported operations.

        Args:
            authorizer: decides who may see, make and purge them.
            statuses: give their status.
            questions: know how a query would ask for them.
            waiting: requests that wait for a job.
            responder: fills responses.
            workers: forget purged products.
            events: the streams of their progress.
            rows: send those of tables.
            tables: find those that pictures show.
            jobs: stop one.
            followers: learn who asks for a product.
            sender: sends what is recorded of a product.
            copies: kept results.
            clock: the source of time.
            is_draining: set when the worker is about to stop.
            max_wait: seconds that a request may wait.
        """
        self._authorizer = authorizer
        self._statuses = statuses
        self._questions = questions
        self._waiting = waiting
        self._responder = responder
        self._workers = workers
        self._events = events
        self._rows = rows
        self._tables = tables
        self._jobs = jobs
        self._followers = followers
        self._sender = sender
        self._copies = copies
        self._clock = clock
        self._is_draining = is_draining
        self._max_wait = max_wait

    async def __call__(self, req: Request, resp: Response | None, **_: Any) -> None:
        """Answers a request."""
        assert resp is not None  # there is none for WebSockets only
        path, view = _split(req.path.removeprefix(PREFIX))
        key, exported = self._statuses.identify(path, lambda namespace: self._authorizer.may(req, "view", namespace))
        record: RequestRecord = req.scope["rave"]
        record.operation, record.key = exported.name, key.text
        _check_method(req, resp, VIEWS[view])
        if req.method == "OPTIONS":
            return
        if view == "rows":
            await self._send_rows(req, resp, _Target(key, exported, None, None))
            return
        target = _target_of(key, exported, read(req, *_PARAMETERS))
        if view == "meta":
            await self._meta(req, resp, target)
        elif view == "events":
            await self._follow(req, resp, target)
        elif view == "job":
            await self._stop(req, resp, target)
        elif req.method == "DELETE":
            await self._delete(req, resp, target)
        else:
            await self._product(req, resp, target)

    async def _product(self, req: Request, resp: Response, target: _Target) -> None:
        place = await self._place(req, target)
        if place.state is State.MAKING:
            prefer = preferences(req.get_header("Prefer") or target.prefer)
            client = self._authorizer.identity(req)
            place = await self._awaited(place, target, self._patience(prefer), client)
        if place.state is State.MAKING or place.state is State.ORPHANED:
            self._send_ticket(req, resp, place, target)
            return
        if target.digest is not None and not is_meant(place, target.digest):
            kept = await asyncio.to_thread(kept_of, self._copies, place.key, target.digest)
            raise other_than(place, self._responder.links, kept)
        if place.state is not State.READY:
            raise self._statuses.refuse(place)
        await self._send(req, resp, place, target.form)

    async def _awaited(self, place: JobStatus, target: _Target, seconds: float, client: str) -> JobStatus:
        """The status of a product after up to ``seconds``, whichever process makes it."""
        if place.job is not None:
            is_done = await self._waiting.wait(place.job, seconds, client=client)
            return await self._locate(target) if is_done else place
        end = self._clock.monotonic() + seconds
        while place.state is State.MAKING and self._clock.monotonic() < end and not self._is_draining.is_set():
            await asyncio.sleep(_LOOK)
            place = await self._locate(target)
        return place

    async def _locate(self, target: _Target) -> JobStatus:
        return await self._statuses.locate(target.key, target.exported, after=target.after)

    def _patience(self, prefer: Preferences) -> float:
        """A client that polls a ticket gets an answer at once, unless it asks to wait."""
        return 0.0 if prefer.wait is None else min(prefer.wait, self._max_wait)

    async def _place(self, req: Request, target: _Target) -> JobStatus:
        """The status of the key. An orphaned product is made by this worker, if the principal may run its operation."""
        place = await self._locate(target)
        if place.is_awaited:
            self._followers.note(target.key.text, self._authorizer.asker(req))
        if place.state is State.ORPHANED and self._authorizer.may_start(req, target.exported.namespace):
            return await self._statuses.take_over(place, self._authorizer.asker(req))
        return place

    async def _send_rows(self, req: Request, resp: Response, target: _Target) -> None:
        wish, place = self._rows.check(req), await self._locate(target)
        if place.is_awaited:
            raise Problem("conflict", "The product is still being made; ask for its rows once it is there")
        if place.state is not State.READY:
            raise self._statuses.refuse(place)
        value, entry = _made(place)
        table = None if is_table(value) else await self._tables.url_of(place, entry)
        if table is None:
            await self._rows.send(req, resp, wish, value, "" if entry is None else entry.digest)
            return
        query = f"?{req.query_string}" if req.query_string else ""
        resp.status = "302 Found"
        resp.set_headers({"Location": f"{table}/rows{query}", "Cache-Control": "no-store"})

    async def _send(self, req: Request, resp: Response, place: JobStatus, form: str | None) -> None:
        value, entry = _made(place)
        if place.found is not None:
            status = Status.HIT if place.found.entry.is_fresh(self._clock.now()) else Status.STALE
        else:
            assert place.job is not None
            status = place.job.task.result().status
        req.scope["rave"].cache = status.value
        resolved = place.exported.resolved
        query = None
        if resolved.spec.behind is not None:
            query = await self._questions.query_of(place.exported, place.key, asked_of(place), entry)
        product = MadeProduct(place.name, resolved.spec, value, entry, resolved.cache, query)
        await self._responder.send_product(req, resp, product, status, form=form)

    def _send_ticket(self, req: Request, resp: Response, place: JobStatus, target: _Target) -> None:
        req.scope["rave"].cache = "ticket"
        document = self._events.document(place, target.after)
        self._responder.show_ticket(req, resp, document, asked_of(place), since=place.since)

    async def _meta(self, req: Request, resp: Response, target: _Target) -> None:
        async def document() -> dict[str, Any]:
            return await self._recorded(target)

        await self._sender.send(req, resp, "product", document, form=target.form)

    async def _recorded(self, target: _Target) -> dict[str, Any]:
        place = await self._locate(target)
        if place.state is State.UNKNOWN or (place.state is State.EXPIRED and place.found is None):
            raise self._statuses.refuse(place)
        document = self._events.document(place, target.after)
        if place.found is not None:
            document |= facts_of(place.found.entry)
        if place.failed is not None:
            document["failed"] = {"detail": place.failed.detail, "at": iso(place.failed.at)}
        return document

    async def _delete(self, req: Request, resp: Response, target: _Target) -> None:
        self._authorizer.require(req, "purge", target.exported.namespace, audited=True)
        cache, seen = target.exported.resolved.cache, None
        if is_conditional(req):
            seen = await self._checked(req, target)
        is_forgotten = await asyncio.to_thread(_forget, cache, target.key, seen)
        await self._workers.forget(target.key.text)
        if not is_forgotten:
            raise Problem("not-found", f"There is no product {target.key.text[:300]!r}")
        resp.status = "204 No Content"
        resp.set_header("Cache-Control", "no-store")

    async def _stop(self, req: Request, resp: Response, target: _Target) -> None:
        exported, key = target.exported, target.key
        self._authorizer.require(req, "run", exported.namespace)
        if is_conditional(req) and (await self._locate(target)).state is State.MAKING:
            check_write(req)  # a job has no version that could be meant
        self._authorizer.audit(req, "cancel", allowed=True)
        stopped = await self._jobs.stop(key, exported, self._authorizer.asker(req))
        if stopped is None:
            raise Problem("not-found", f"No job makes the product {key.text[:300]!r}")
        send_json(resp, {"key": key.text, "operation": exported.name, "done": stopped, "detail": SAID[stopped]})

    async def _checked(self, req: Request, target: _Target) -> Entry | None:
        """The entry of the product, if the conditions of a request allow to change it; ``None`` if there is none."""
        found = (await self._locate(target)).found
        if found is None:
            return None  # without conditions the request would fail, so they don't count
        resolved = target.exported.resolved
        product = MadeProduct(target.exported.name, resolved.spec, found.value, found.entry, resolved.cache)
        await self._responder.check_version(req, product)
        return found.entry

    async def _follow(self, req: Request, resp: Response, target: _Target) -> None:
        client = self._authorizer.identity(req)
        self._events.check_room(client)
        place = await self._place(req, target)
        if place.state in (State.UNKNOWN, State.EXPIRED):
            raise self._statuses.refuse(place)
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        if req.method == "HEAD":
            send_events_head(resp)
            return
        resp.sse = self._events.stream(place, lambda: self._place(req, target), client=client, after=target.after)


def _target_of(key: Key, exported: ExportedOperation, asked: dict[str, str]) -> _Target:
    form, prefer, digest = (asked.get(name) for name in ("rave.f", "rave.prefer", DIGEST))
    return _Target(key, exported, form, prefer, after_of(asked), digest)


def _made(place: JobStatus) -> tuple[Any, Entry | None]:
    """The value of a product that is ready, and what is recorded of it."""
    if place.found is not None:
        return place.found.value, place.found.entry
    assert place.job is not None  # no cache keeps it; the job that just ended does, for a moment
    outcome = place.job.task.result()
    return outcome.value, outcome.entry


def _split(path: str) -> tuple[str, str]:
    """The key, and the requested part: ``meta``, ``events``, ``job``, or the product itself (empty)."""
    head, _, view = path.rpartition("/")
    return (head, view) if view and view in VIEWS else (path, "")


def _check_method(req: Request, resp: Response, allowed: tuple[str, ...]) -> None:
    allow = ", ".join((*allowed, "OPTIONS"))
    if req.method == "OPTIONS":
        resp.status = "204 No Content"
        resp.set_header("Allow", allow)
    elif req.method not in allowed:
        raise Problem(
            "method-not-allowed", f"{req.method[:20]} does not apply here; {allow} do", headers={"Allow": allow}
        )


def _forget(cache: Cache, key: Key, seen: Entry | None) -> bool:
    """Removes a product; with ``seen`` only the version that was seen. Returns whether there was anything.

    Raises:
        Problem: it is another version by now.
    """
    if seen is not None and (found := cache.look(key)) is not None and found.entry.created_at != seen.created_at:
        raise Problem("precondition-failed", "The product has just been made anew")
    return cache.forget(key)

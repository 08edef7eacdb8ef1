"""The ladder: it answers a call with a kept result, else with one made while the client waits, else with a ticket."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.engine.execution import ResolvedOperation
from rave_core.expiry import nocache
from rave_core.model import PLAIN, Bytes, Call, Status
from rave_core.storage.cache import Found
from rave_http.auth.authorizer import Authorizer
from rave_http.description.lasting_arguments import lasting
from rave_http.description.request_arguments import Asked, Question
from rave_http.jobs.failures import problem_of
from rave_http.jobs.job import Job
from rave_http.jobs.jobs import Jobs
from rave_http.jobs.tickets import Tickets
from rave_http.namespaces.exported import ExportedOperation
from rave_http.protocol.headers import Preferences
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.representations import MadeProduct, Representation
from rave_http.resources.ready import CachedResponse, Place, ResponseCache
from rave_http.resources.result_pages import ResultPages, ShownResult
from rave_http.settings import ServiceSettings
from rave_http.worker.kept_results import KeptResults
from rave_http.worker.limits import WaitingRequests
from rave_http.worker.questions import Questions
from rave_http.worker.responder import Responder
from rave_http.workers.metrics import Metrics

_AGAIN: Final = {"Retry-After": "1"}
_PAGE_WAIT: Final = 1.0
"""Seconds after which people see how far it is; the page of a ticket turns into the result by itself."""
_log = logging.getLogger("rave.http")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request wants.

    Attributes:
        exported: the operation.
        resolved: what it was resolved to when the request came; later code does not answer it.
        question: the call as written, and the ``rave.…`` parameters.
        call: the call.
        preferences: those of the client.
        only_cached: whether only a kept result is wanted.
        place: the identity of the answer among the ready ones; ``None`` if it can't be one.
        likes_pages: whether the client likes a page about the result better than the result.
    """

    exported: ExportedOperation
    resolved: ResolvedOperation
    question: Question
    call: Call
    preferences: Preferences
    only_cached: bool
    place: Place | None
    likes_pages: bool = False

    @property
    def is_promising(self) -> bool:
        """Whether the result is available later, which it is not if it is never kept."""
        return self.call.key is not None and self.resolved.strategy is not nocache

    @property
    def lasting(self) -> Asked:
        """The call as written, so that it means the same to others and later: in jobs and tickets."""
        return lasting(self.question.asked, self.call)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A kept result that answers a call.

    Attributes:
        frame: the frame that memory held just before the result was found, if any.
        status: ``hit`` or ``stale``.
    """

    found: Found
    frame: Bytes | None
    status: Status


class Ladder:
    """Answers calls. For the event loop of one worker."""

    def __init__(
        self,
        authorizer: Authorizer,
        results: KeptResults,
        jobs: Jobs,
        waiting: WaitingRequests,
        tickets: Tickets,
        questions: Questions,
        responder: Responder,
        ready: ResponseCache,
        pages: ResultPages,
        metrics: Metrics,
        clock: Clock,
        settings: ServiceSettings,
    ) -> None:
        """Answers in the order of the arguments: with a kept result, by a job, with a ticket.

        Args:
            authorizer: decides who may run operations and refresh results.
            results: what the caches keep.
            jobs: make the results that are not kept.
            waiting: requests that wait for a job.
            tickets: issued for results that take longer.
            questions: know how a query would ask the same.
            responder: fills responses.
            ready: receives the answers that may be reused.
            pages: show results to people.
            metrics: where tickets are counted.
            clock: the source of time.
            settings: how long requests wait, and how long a failure is remembered.
        """
        self._authorizer = authorizer
        self._results = results
        self._jobs = jobs
        self._waiting = waiting
        self._tickets = tickets
        self._questions = questions
        self._responder = responder
        self._ready = ready
        self._pages = pages
        self._metrics = metrics
        self._now = clock.now
        self._wait, self._max_wait = settings.wait, settings.max_wait
        self._failure_time = settings.failure_time

    async def answer(self, req: Request, resp: Response, wish: Wish) -> None:
        """Answers one request.

        Raises:
            Problem: the result is not available, or not in this way.
        """
        kept = await self._kept(wish)
        if kept is not None:
            if kept.status is Status.STALE:
                self._refresh_behind(req, wish)
            await self._send_kept(req, resp, wish, kept)
            return
        if wish.only_cached:
            raise Problem("not-kept", f"No result of this call of {wish.exported.name} is stored")
        await self._send_job(req, resp, wish, self._job(req, wish))

    async def _kept(self, wish: Wish) -> _Kept | None:
        """The kept result that answers a call, fresh or stale within its window; ``None`` if there is none."""
        resolved, key = wish.resolved, wish.call.key
        controls = wish.question.controls
        if key is None or controls.refresh or controls.deep_refresh or resolved.strategy is nocache:
            return None
        frame = resolved.cache.peek(key.text)
        found = await asyncio.to_thread(self._results.look, resolved.cache, key)
        if found is None:
            return None
        now = self._now()
        if now < found.entry.expires_at:
            return _Kept(found, frame, Status.HIT)
        if now < found.entry.expires_at + resolved.spec.stale_while_revalidate:
            return _Kept(found, frame, Status.STALE)
        return None

    def _refresh_behind(self, req: Request, wish: Wish) -> None:
        """Starts to refresh a stale result if there is room. The client already has an answer."""
        exported = wish.exported
        if wish.only_cached or self._jobs.is_draining.is_set():
            return
        if not self._authorizer.may_start(req, exported.namespace):
            return
        try:
            asker = self._authorizer.asker(req)
            self._jobs.join(exported.name, wish.lasting, wish.resolved, wish.call, asker=asker)
        except Problem as problem:
            _log.info("%s is not refreshed now: %s", exported.name, problem)

    async def _send_kept(self, req: Request, resp: Response, wish: Wish, kept: _Kept) -> None:
        exported, found = wish.exported, kept.found
        record: RequestRecord = req.scope["rave"]
        record.cache = kept.status.value
        self._results.count(wish.resolved, wish.call, found, kept.status)
        if wish.preferences.minimal:
            entry = found.entry
            document = self._responder.ticket_document(
                status="ready", key=entry.key, operation=exported.name, created_at=entry.created_at
            )
            self._responder.send_reference(req, resp, document)
            return
        query = await self._query_behind(wish)
        product = MadeProduct(exported.name, wish.resolved.spec, found.value, found.entry, query=query)
        if await self._show(req, resp, wish, product, kept.status):
            return
        form = wish.question.controls.form
        representation = await self._responder.send_product(req, resp, product, kept.status, form=form)
        self._hold_ready(wish, kept, product, representation)

    async def _query_behind(self, wish: Wish) -> str | None:
        """The query of the link to the operation behind this one; ``None`` if there is none, or no query says it."""
        if wish.resolved.spec.behind is None:
            return None
        return await self._questions.query_of(wish.exported, wish.call.key, wish.question.asked)

    def _hold_ready(self, wish: Wish, kept: _Kept, product: MadeProduct, representation: Representation) -> None:
        """Keeps a ready answer, if its validity can be checked without waiting.

        The frame was in memory before the result was found. If another frame has replaced it since, the answer is never
        used: memory then keeps that other frame.
        """
        exported, frame = wish.exported, kept.frame
        is_sure = kept.status is Status.HIT and frame is not None and representation.url is None
        if wish.place is None or wish.only_cached or not is_sure or not wish.resolved.binder.is_repeatable:
            return
        assert frame is not None  # as above
        self._ready.keep(
            wish.place,
            CachedResponse(
                exported.generation,
                exported.namespace,
                wish.resolved,
                wish.call,
                kept.found,
                frame,
                product,
                representation,
            ),
        )

    def _job(self, req: Request, wish: Wish) -> Job:
        """The job that makes the result: one under way, or a new one.

        Raises:
            Problem: the principal may not run the operation, or there is no room for the job.
        """
        exported, options = wish.exported, wish.question.controls.options or PLAIN
        self._authorizer.require_start(req, exported.namespace)
        if options is not PLAIN:
            self._authorizer.require(req, "refresh", exported.namespace, audited=True)
        return self._jobs.join(
            exported.name,
            wish.lasting,
            wish.resolved,
            wish.call,
            options,
            asker=self._authorizer.asker(req),
            on_start=lambda: self._authorizer.charge(req),
        )

    async def _send_job(self, req: Request, resp: Response, wish: Wish, job: Job) -> None:
        """Sends the result of a job, if that ends while the client waits; else a ticket."""
        seconds = self._patience(wish) if wish.is_promising else self._max_wait
        # Where nobody waits, the ticket comes before the body, which may kill this process at once.
        is_first = not (seconds or job.task.done() or self._jobs.is_draining.is_set())
        is_done = not is_first and await self._wait_for(req, job, wish, seconds)
        applied = wish.preferences.applied(waited=seconds, ticket=not is_done)
        if applied and (is_done or wish.is_promising):
            resp.set_header("Preference-Applied", applied)
        if is_done:
            await self._send_made(req, resp, wish, job)
            return
        if not wish.is_promising:
            raise Problem(
                "time-limit",
                f"{wish.exported.name} did not end in {seconds:g} s, and there are no tickets for results that are not "
                "kept",
            )
        await self._send_ticket(req, resp, job)

    async def _wait_for(self, req: Request, job: Job, wish: Wish, seconds: float) -> bool:
        """Waits for a job. Returns whether it ended.

        Raises:
            Problem: it was given up because the worker stops, and there are no tickets for its result.
        """
        client = self._authorizer.identity(req)
        is_done = await self._waiting.wait(job, seconds, client=client, for_ticket=wish.is_promising)
        if not job.task.cancelled():
            return is_done
        if not wish.is_promising:
            raise Problem("busy", "The worker stopped before the result was ready; ask again", headers=_AGAIN)
        return False  # another worker will make the result

    def _patience(self, wish: Wish) -> float:
        prefer = wish.preferences
        if prefer.minimal or (prefer.respond_async and prefer.wait is None):
            return 0.0
        if wish.likes_pages and prefer.wait is None:
            return min(self._wait, _PAGE_WAIT)
        return min(self._wait if prefer.wait is None else prefer.wait, self._max_wait)

    async def _send_made(self, req: Request, resp: Response, wish: Wish, job: Job) -> None:
        exported = wish.exported
        if job.failed is not None:
            error = job.task.exception() if self._authorizer.may(req, "debug", exported.namespace) else None
            raise problem_of(job.failed, self._failure_time, error)
        outcome = job.task.result()
        req.scope["rave"].cache = "wait"
        resolved = wish.resolved
        query = await self._query_behind(wish)
        product = MadeProduct(exported.name, resolved.spec, outcome.value, outcome.entry, resolved.cache, query)
        if await self._show(req, resp, wish, product, outcome.status):
            return
        form = wish.question.controls.form
        await self._responder.send_product(req, resp, product, outcome.status, form=form)

    async def _show(self, req: Request, resp: Response, wish: Wish, product: MadeProduct, status: Status) -> bool:
        """Sends the page about a product, if the client likes that better, and returns whether it did.

        After a refresh it redirects to the page, since loading this address again would refresh once more.
        """
        if not wish.likes_pages or not await self._pages.is_wanted(req, product):
            return False
        if status is Status.REFRESHED and product.entry is not None:
            resp.status = "303 See Other"
            resp.set_header("Location", self._responder.links.to_result(product.entry.key))
            resp.set_header("Cache-Control", "no-store")
            return True
        shown = ShownResult(product, wish.exported, status, wish.question.asked, wish.call)
        await self._pages.send(req, resp, shown)
        return True

    async def _send_ticket(self, req: Request, resp: Response, job: Job) -> None:
        await self._promise(job)
        req.scope["rave"].cache = "ticket"
        self._metrics.tickets.inc()
        self._responder.send_ticket(req, resp, job)

    async def _promise(self, job: Job) -> None:
        """Writes a ticket for a job, which then goes on for whoever asks for its product."""
        key = job.call.key
        assert key is not None  # only such a job is promised
        await job.promise(partial(self._tickets.give, key, job.asked), self._tickets.begin)
        if job.task.done() and not job.task.cancelled():  # it ended before it was promised
            await asyncio.to_thread(self._tickets.end, key.text, job.failed)

"""The status of products: of a key, wherever its product is kept or being made."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any, Final

from cachetools import TTLCache

from rave_core.clock import Clock
from rave_core.engine.execution import ResolvedOperation
from rave_core.model import PLAIN, Call, Key, quote_operation
from rave_core.storage.cache import Found
from rave_core.storage.kept_copies import COPIES
from rave_core.storage.lease_record import LeaseRecord
from rave_core.storage.leases import LeaseWait
from rave_http.auth.asker import Asker
from rave_http.auth.authorization import HIDDEN
from rave_http.description.request_arguments import bind
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.jobs.failures import problem_of
from rave_http.jobs.job import Job, progress_document
from rave_http.jobs.jobs import Jobs
from rave_http.jobs.tickets import Failed, StoredTicket, Tickets
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.worker.kept_results import KeptResults

_log = logging.getLogger("rave.http")
_WATCHED: Final = 10_000
_WATCHED_FOR: Final = 600.0
_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class State(StrEnum):
    """The state of a product; an ``orphaned`` one is promised, but no process makes it (any more)."""

    READY = "ready"
    MAKING = "making"
    ORPHANED = "orphaned"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The known facts about one product.

    Attributes:
        exported: the operation that makes it.
        found: the result, for one that is ready, or expired and not purged yet.
        job: the one in this worker that makes it.
        holder: the lease's facts about another process that makes it; ``None`` if they can't be read.
        ticket: the record of its ticket.
        failed: how it failed, or by whom it was cancelled.
        is_elsewhere: whether another process makes it, or another body in this one.
    """

    state: State
    key: Key
    exported: ExportedOperation
    found: Found | None = None
    job: Job | None = None
    holder: LeaseRecord | None = None
    ticket: StoredTicket | None = None
    failed: Failed | None = None
    is_elsewhere: bool = False

    @property
    def name(self) -> str:
        """``namespace/operation``."""
        return self.exported.name

    @property
    def is_awaited(self) -> bool:
        """Whether it is being made, or will be."""
        return self.state in (State.MAKING, State.ORPHANED)

    @property
    def since(self) -> float | None:
        """When it was requested, in Unix seconds; ``None`` if unknown. Its ticket says the same in every worker."""
        if self.ticket is not None:
            return self.ticket.created_at
        if self.job is not None:
            return self.job.started_at if self.job.promised_at is None else self.job.promised_at
        if self.holder is not None:
            return self.holder.since
        return self.found.entry.created_at if self.found is not None else None

    @property
    def word(self) -> str:
        """The status as tickets write it: the name of the state, ``queued`` or ``cancelled``."""
        if self.state is State.ORPHANED:
            return "queued"
        if self.state is State.FAILED and self.failed is not None and self.failed.is_cancelled:
            return "cancelled"
        if self.state is State.MAKING and self.job is not None and not self.is_elsewhere:
            return self.job.status
        return self.state.value

    def progress(self) -> dict[str, Any] | None:
        """How far it is: ``done``, ``total`` (or ``None``) and ``text``; ``None`` while nothing is reported."""
        report = self.job.progress if self.job is not None else None
        if report is not None:
            return progress_document(report)
        if self.holder is not None and self.holder.done is not None:
            return {"done": self.holder.done, "total": self.holder.total, "text": self.holder.text}
        return None


class JobStatuses:
    """Finds the status of keys. For the event loop of one worker."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        jobs: Jobs,
        tickets: Tickets,
        results: KeptResults,
        links: Links,
        clock: Clock,
        foreign: ForeignCode,
        *,
        failure_time: float,
    ) -> None:
        """Checks this worker's jobs, then the stores that all workers share.

        Args:
            namespaces: whose operations the keys belong to.
            jobs: what this worker makes.
            tickets: the promises of all workers.
            results: the kept results.
            links: URLs that problems contain.
            clock: the source of time.
            foreign: calls converters.
            failure_time: seconds for which a failure is remembered.
        """
        self._namespaces = namespaces
        self._jobs = jobs
        self._tickets = tickets
        self._results = results
        self._links = links
        self._clock = clock
        self._foreign = foreign
        self._failure_time = failure_time
        self._watches: TTLCache[str, tuple[LeaseWait, Lock]] = TTLCache(_WATCHED, ttl=_WATCHED_FOR)
        self._lock = Lock()
        self._looks: dict[str, asyncio.Task[JobStatus]] = {}

    def identify(self, path: str, may_view: Callable[[str], bool]) -> tuple[Key, ExportedOperation]:
        """The key in the path of a product's URL, unquoted once, and the exported operation that made its product.

        Args:
            path: below ``/-/products/``.
            may_view: whether the principal may see the namespace of that name.

        Raises:
            Problem: it is no key, or its operation is not exported (any more), or the principal may not see it.
        """
        operation, version, arguments = (*path.rsplit("/", 2), "", "")[:3]
        if _DIGEST.fullmatch(version) and _DIGEST.fullmatch(arguments):
            for exported in self._namespaces.by_quoted_name(quote_operation(operation.removeprefix(COPIES))):
                if may_view(exported.namespace):
                    return Key(operation, version, arguments), exported
        raise Problem("not-found", HIDDEN)

    async def locate(self, key: Key, exported: ExportedOperation, *, after: float | None = None) -> JobStatus:
        """The status of a key. Starts no job; see `take_over`.

        Args:
            key: whose product.
            exported: the operation that it belongs to.
            after: only a product made after this Unix time counts, while one is being made.
        """
        here = self._jobs.find(key.text)
        if here is not None and _is_surely_made(here):
            return JobStatus(State.MAKING, key, exported, job=here)
        place = f"{key.text}?{after}"
        look = self._looks.get(place)
        if look is None:
            # Concurrent requests, such as those that follow its events, share one look-up.
            look = asyncio.create_task(asyncio.to_thread(self._look, key, exported, here, after))
            self._looks[place] = look
            look.add_done_callback(lambda _: self._looks.pop(place, None))
        return await asyncio.shield(look)

    def _look(self, key: Key, exported: ExportedOperation, here: Job | None, after: float | None) -> JobStatus:
        resolved = exported.resolved
        found = self._results.look(resolved.cache, key)
        is_here = here is not None and here.ended is None
        if after is not None and found is not None and found.entry.created_at < after:
            awaited = self._refreshed(key, exported, here if is_here else None)
            if awaited is not None:
                return awaited
            found = self._beneath(key, resolved)
        if found is not None and self._clock.now() < found.entry.expires_at + _window(found, here):
            ticket = self._tickets.find(key.text) if resolved.spec.behind is not None else None
            return JobStatus(State.READY, key, exported, found=found, ticket=ticket)
        if here is not None and is_here:
            return self._made_here(key, exported, here)
        if here is not None and not here.is_stale and (here.is_made or here.failed is not None):
            state = State.FAILED if here.failed is not None else State.READY
            return JobStatus(state, key, exported, job=here, failed=here.failed)
        return self._elsewhere(key, exported, found)

    def _made_here(self, key: Key, exported: ExportedOperation, here: Job) -> JobStatus:
        """The status of a job of this worker. While it waits for its turn, another process may make the product."""
        ticket = self._tickets.find(key.text, newest=True)
        is_held, holder = (False, None) if here.is_running else self._holder(key, exported.resolved)
        return JobStatus(State.MAKING, key, exported, job=here, holder=holder, ticket=ticket, is_elsewhere=is_held)

    def _refreshed(self, key: Key, exported: ExportedOperation, here: Job | None) -> JobStatus | None:
        """The status of a refresh that is under way or was cancelled; ``None`` if an older result answers for it."""
        if here is not None:
            return self._made_here(key, exported, here)
        is_held, holder = self._holder(key, exported.resolved)
        ticket = self._tickets.find(key.text, newest=True)
        if is_held:
            return JobStatus(State.MAKING, key, exported, holder=holder, ticket=ticket, is_elsewhere=True)
        if ticket is not None and ticket.failed is not None and ticket.failed.is_cancelled:
            return JobStatus(State.FAILED, key, exported, ticket=ticket, failed=ticket.failed)
        return None

    def _beneath(self, key: Key, resolved: ResolvedOperation) -> Found | None:
        """The kept result below the memory of this worker, which may not know the newest one."""
        if resolved.cache.blocking:
            resolved.cache.drop(key.text)
        return self._results.look(resolved.cache, key)

    def _elsewhere(self, key: Key, exported: ExportedOperation, found: Found | None) -> JobStatus:
        """The status in the store of a product that this worker does not make."""
        resolved, now = exported.resolved, self._clock.now()
        ticket = self._tickets.find(key.text, newest=True)
        is_held, holder = self._holder(key, resolved)
        if is_held:
            return JobStatus(State.MAKING, key, exported, holder=holder, ticket=ticket, is_elsewhere=True)
        if ticket is not None and ticket.ended_at is None:
            # Another process may have finished after we read the cache and before we read its lease.
            again = self._results.look(resolved.cache, key)
            if again is not None and again.entry.is_fresh(now):
                return JobStatus(State.READY, key, exported, found=again)
            return self._left(key, exported, self._tickets.find(key.text, newest=True) or ticket)
        if ticket is not None and ticket.failed is not None:
            return JobStatus(State.FAILED, key, exported, ticket=ticket, failed=ticket.failed)
        if ticket is not None and found is not None and now < found.entry.expires_at + found.entry.stale_if_error:
            # Its refresh failed, and the operation then allows this stale result as the answer.
            return JobStatus(State.READY, key, exported, found=found)
        state = State.EXPIRED if ticket is not None or found is not None else State.UNKNOWN
        return JobStatus(state, key, exported, found=found, ticket=ticket)

    def _left(self, key: Key, exported: ExportedOperation, ticket: StoredTicket) -> JobStatus:
        """The status of a product without a lease, from the newest record of its ticket."""
        failed = ticket.failed or (None if ticket.is_run else ticket.lost)
        if failed is not None:
            return JobStatus(State.FAILED, key, exported, ticket=ticket, failed=failed)
        # The process that ran it first releases the lease and then records the outcome.
        state = State.MAKING if ticket.ended_at is None and ticket.is_run else State.ORPHANED
        return JobStatus(state, key, exported, ticket=ticket)

    def _holder(self, key: Key, resolved: ResolvedOperation) -> tuple[bool, LeaseRecord | None]:
        """Whether a live process makes ``key``, and the content of its lease."""
        if resolved.leases is None:
            return False, None
        with self._lock:
            watch, lock = self._watches.setdefault(
                key.text, (LeaseWait(resolved.leases, key.text, resolved.name), Lock())
            )
        try:
            with lock:
                return (False, None) if watch.is_free() else (True, resolved.leases.holder(key.text))
        except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
            _log.warning("the lease of %s can't be read: %s", key, error)
            return False, None

    async def take_over(self, place: JobStatus, asker: Asker) -> JobStatus:
        """Starts to make an orphaned product, without charging the rate limit again.

        It stays orphaned if there is no room for it, or the worker is about to stop. The job is that of ``asker``.

        Raises:
            Problem: its code or arguments have changed, so that this very product can't be made any more.
        """
        if place.ticket is None:
            raise ValueError(place.state)
        if self._jobs.is_draining.is_set():
            return place
        asked, exported, key = place.ticket.asked, place.exported, place.key
        try:
            call: Call = await self._foreign.call(exported.name, bind, asked, exported.operation, exported.resolved)
        except (Problem, LeftError) as problem:
            raise self._gone(place) from problem
        if call.key != key:
            raise self._gone(place)
        try:
            job = self._jobs.join(exported.name, asked, exported.resolved, call, asker=asker)
        except Problem as problem:
            _log.info("%s is not resumed yet: %s", key, problem)
            return place
        job.is_resumed = job.promised_at is None and job.askers == {asker}
        job.is_suspect = job.is_resumed and place.ticket.runs > 0
        job.promised_at = place.ticket.created_at
        _log.info("%s: resumed, because the process that computed it is gone", key)
        return JobStatus(State.MAKING, key, exported, job=job, ticket=place.ticket)

    def refuse(self, place: JobStatus) -> Problem:
        """The problem for a product that is not available.

        Raises:
            ValueError: it is available.
        """
        if place.state is State.FAILED and place.failed is not None:
            problem = problem_of(place.failed, self._failure_time)
            if place.failed.is_refusal or place.failed.is_cancelled:  # the way back to the operation and its form
                problem.extensions["operation"] = self._links.to_operation(place.name)
            return problem
        if place.state is State.EXPIRED:
            return self._gone(place)
        if place.state is State.UNKNOWN:
            return Problem("not-found", f"There is no product {place.key.text[:300]!r}")
        raise ValueError(place.state)

    def _gone(self, place: JobStatus) -> Problem:
        """The problem for a product that expired, or whose operation has changed."""
        detail = "The product expired, or its operation changed since; ask the operation again"
        return Problem("gone", detail, operation=self._links.to_operation(place.name))


def _window(found: Found, here: Job | None) -> float:
    """Seconds that a result may still serve as an answer after it expired."""
    is_failing = here is not None and here.is_stale
    return max(found.entry.stale_while_revalidate, found.entry.stale_if_error if is_failing else 0.0)


def _is_surely_made(job: Job) -> bool:
    """Whether a look at the caches would find nothing: the body runs, and no older result may be kept.

    Others see a result as soon as it is kept, which is before its job ends.
    """
    is_refresh = job.options is not PLAIN
    return job.ended is None and job.is_running and not job.may_be_kept and job.is_promised and not is_refresh

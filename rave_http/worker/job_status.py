"""Products: what has become of a key, wherever it is kept or being made."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cachetools import TTLCache

from rave_core.engine.execution import ResolvedOperation
from rave_core.model import PLAIN, Call, Key, quote_operation
from rave_core.operations.operation import Operation
from rave_core.storage.cache import Found
from rave_core.storage.leases import LeaseRecord, Watch
from rave_http.auth.authorization import HIDDEN
from rave_http.description.request_arguments import bind
from rave_http.jobs.failures import problem_of
from rave_http.jobs.jobs import Job, progress_document
from rave_http.jobs.tickets import Failed, StoredTicket
from rave_http.protocol.problems import Problem

if TYPE_CHECKING:
    from rave_http.worker.service import Service

_log = logging.getLogger("rave.http")
_WATCHED: Final = 10_000
_WATCHED_FOR: Final = 600.0
_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")

_Exported: TypeAlias = tuple[str, Operation[..., Any]]
"""``namespace/operation``, and the operation."""


class State(StrEnum):
    """What has become of a product; ``orphaned`` is one that was promised and that nobody makes (any more)."""

    READY = "ready"
    MAKING = "making"
    ORPHANED = "orphaned"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What is known of one product.

    Attributes:
        name: ``namespace/operation``.
        found: the result, for one that is ready, or expired and not purged yet.
        job: the one that makes it here.
        holder: what the lease says of the process that makes it elsewhere; ``None`` where nothing can be read of it.
        ticket: the record of its ticket.
        failed: how it failed.
    """

    state: State
    key: Key
    name: str
    operation: Operation[..., Any]
    found: Found | None = None
    job: Job | None = None
    holder: LeaseRecord | None = None
    ticket: StoredTicket | None = None
    failed: Failed | None = None

    def progress(self) -> dict[str, Any] | None:
        """How far it is: ``done``, ``total`` (or ``None``) and ``text``; ``None`` while nothing is reported."""
        report = self.job.progress if self.job is not None else None
        if report is not None:
            return progress_document(report)
        if self.holder is not None and self.holder.done is not None:
            return {"done": self.holder.done, "total": self.holder.total, "text": self.holder.text}
        return None


class JobStatuses:
    """Finds out what has become of keys. For the event loop of one worker."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watches: TTLCache[str, tuple[Watch, Lock]] = TTLCache(_WATCHED, ttl=_WATCHED_FOR)
        self._lock = Lock()
        self._looks: dict[str, asyncio.Task[JobStatus]] = {}
        self._names: tuple[int, dict[str, list[_Exported]]] = (-1, {})

    def identify(self, path: str, may_view: Callable[[str], bool]) -> tuple[Key, str, Operation[..., Any]]:
        """The key in the path of a product's URL, unquoted once, and the exported operation that it belongs to.

        Args:
            path: below ``/-/products/``.
            may_view: whether whoever asks may see the namespace of that name.

        Raises:
            Problem: it is no key, or its operation is not exported (any more), or may not be seen.
        """
        operation, version, arguments = (*path.rsplit("/", 2), "", "")[:3]
        if _DIGEST.fullmatch(version) and _DIGEST.fullmatch(arguments):
            key = Key(operation, version, arguments)
            for name, exported in self._by_quoted_name().get(quote_operation(operation), ()):
                if may_view(name.partition("/")[0]):
                    return key, name, exported
        raise Problem("not-found", HIDDEN)

    def _by_quoted_name(self) -> Mapping[str, Sequence[_Exported]]:
        """The exported operations by their names as they stand in keys. Two namespaces may export one operation."""
        namespaces = self._service.namespaces
        generation = namespaces.generation
        if self._names[0] != generation:
            found: dict[str, list[_Exported]] = {}
            for name, operation in namespaces.catalog:
                found.setdefault(quote_operation(operation.resolved().name), []).append((name, operation))
            self._names = generation, found
        return self._names[1]

    async def locate(
        self, key: Key, name: str, operation: Operation[..., Any], *, after: float | None = None
    ) -> JobStatus:
        """What has become of a key. Nothing is started; see `take_over`.

        Args:
            key: whose product.
            name: ``namespace/operation``.
            operation: as exported.
            after: only a product that was made after this Unix time counts, as long as one is being made.
        """
        here = self._service.jobs.find(key.text)
        if here is not None and here.ended is None and here.is_running and not _is_refresh(here):
            return JobStatus(State.MAKING, key, name, operation, job=here)
        place = f"{key.text}?{after}"
        look = self._looks.get(place)
        if look is None:
            # All who ask at once, as those who follow its events do, have one look taken for them.
            look = asyncio.create_task(asyncio.to_thread(self._look, key, name, operation, here, after))
            self._looks[place] = look
            look.add_done_callback(lambda _: self._looks.pop(place, None))
        return await asyncio.shield(look)

    def _look(
        self, key: Key, name: str, operation: Operation[..., Any], here: Job | None, after: float | None
    ) -> JobStatus:
        service, resolved = self._service, operation.resolved()
        found = service.look(resolved.cache, key)
        is_here = here is not None and here.ended is None
        if after is not None and found is not None and found.entry.created_at < after:
            if is_here or self._holder(key, resolved)[0]:
                return JobStatus(State.MAKING, key, name, operation, job=here if is_here else None)
            found = self._beneath(key, resolved)
        if found is not None and service.clock.now() < found.entry.expires_at + _window(found, here):
            return JobStatus(State.READY, key, name, operation, found=found)
        if is_here:
            return JobStatus(State.MAKING, key, name, operation, job=here)
        if here is not None and not here.is_stale:
            state = State.FAILED if here.failed is not None else State.READY
            return JobStatus(state, key, name, operation, job=here, failed=here.failed)
        return self._elsewhere(key, name, operation, resolved, found)

    def _beneath(self, key: Key, resolved: ResolvedOperation) -> Found | None:
        """What is kept beneath the memory of this worker, which may not have heard of the newest."""
        if resolved.cache.blocking:
            resolved.cache.drop(key.text)
        return self._service.look(resolved.cache, key)

    def _elsewhere(
        self, key: Key, name: str, operation: Operation[..., Any], resolved: ResolvedOperation, found: Found | None
    ) -> JobStatus:
        """What the store tells of a product that this worker does not make."""
        service, now = self._service, self._service.clock.now()
        ticket = service.tickets.find(key.text)
        is_held, holder = self._holder(key, resolved)
        if is_held:
            return JobStatus(State.MAKING, key, name, operation, holder=holder, ticket=ticket)
        if ticket is not None and ticket.ended_at is None:
            # Another process may have finished between our look at the cache and at its lease.
            again = service.look(resolved.cache, key)
            if again is not None and again.entry.is_fresh(now):
                return JobStatus(State.READY, key, name, operation, found=again)
            return JobStatus(State.ORPHANED, key, name, operation, ticket=ticket)
        if ticket is not None and ticket.failed is not None:
            return JobStatus(State.FAILED, key, name, operation, ticket=ticket, failed=ticket.failed)
        if ticket is not None and found is not None and now < found.entry.expires_at + found.entry.stale_if_error:
            # It was made anew without success, and this is the answer that the operation allows then.
            return JobStatus(State.READY, key, name, operation, found=found)
        state = State.EXPIRED if ticket is not None or found is not None else State.UNKNOWN
        return JobStatus(state, key, name, operation, found=found, ticket=ticket)

    def _holder(self, key: Key, resolved: ResolvedOperation) -> tuple[bool, LeaseRecord | None]:
        """Whether a living process makes ``key``, and what its lease says."""
        if resolved.leases is None:
            return False, None
        with self._lock:
            watch, lock = self._watches.setdefault(key.text, (Watch(resolved.leases, key.text, resolved.name), Lock()))
        try:
            with lock:
                return (False, None) if watch.is_free() else (True, resolved.leases.holder(key.text))
        except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
            _log.warning("the lease of %s can't be read: %s", key, error)
            return False, None

    async def take_over(self, place: JobStatus) -> JobStatus:
        """Starts to make an orphaned product. Its ticket has paid for it; where there is no room now, it stays one.

        Raises:
            Problem: its code or arguments changed since, so that this very product can't be made any more.
        """
        if place.ticket is None:
            raise ValueError(place.state)
        asked, operation, key = place.ticket.asked, place.operation, place.key
        try:
            call: Call = await asyncio.to_thread(bind, asked, operation)
        except Problem as problem:
            raise gone(self._service.url_of(place.name)) from problem
        if call.key != key:
            raise gone(self._service.url_of(place.name))
        try:
            job = self._service.jobs.join(place.name, asked, operation.resolved(), call)
        except Problem as problem:
            _log.info("%s is not taken up again yet: %s", key, problem)
            return place
        job.is_promised = True
        _log.info("%s: taken up again, since whoever made it is gone", key)
        return JobStatus(State.MAKING, key, place.name, operation, job=job, ticket=place.ticket)

    def refuse(self, place: JobStatus) -> Problem:
        """The problem of a product that can't be had.

        Raises:
            ValueError: it can.
        """
        if place.state is State.FAILED and place.failed is not None:
            return problem_of(place.failed, self._service.settings.failure_time)
        if place.state is State.EXPIRED:
            return gone(self._service.url_of(place.name))
        if place.state is State.UNKNOWN:
            return Problem("not-found", f"There is no product {place.key.text[:300]!r}")
        raise ValueError(place.state)


def gone(url: str) -> Problem:
    """The problem of a product that expired, or whose operation has changed."""
    return Problem(
        "gone", "The product expired, or its operation changed since; ask the operation again", operation=url
    )


def _window(found: Found, here: Job | None) -> float:
    """Seconds for which a result is an answer after it expired."""
    is_failing = here is not None and here.is_stale
    return max(found.entry.stale_while_revalidate, found.entry.stale_if_error if is_failing else 0.0)


def _is_refresh(job: Job) -> bool:
    """Whether it makes anew what may be kept, and so is no reason to wait for those who have no use for a new one."""
    return job.options is not PLAIN

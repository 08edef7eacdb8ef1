"""Products: what has become of a key, wherever it is kept or being made."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cachetools import TTLCache

from rave_core.cache import Found
from rave_core.leases import LeaseRecord, Watch
from rave_core.model import PLAIN, Call, Key
from rave_core.operation import Operation
from rave_core.trip import Desk
from rave_http.access import HIDDEN
from rave_http.arguments import bind
from rave_http.computations import Computation
from rave_http.failures import problem_of
from rave_http.problems import Problem
from rave_http.tickets import Failed, Ticket

if TYPE_CHECKING:
    from rave_http.service import Service

_log = logging.getLogger("rave.http")
_WATCHED: Final = 10_000
_WATCHED_FOR: Final = 600.0


class State(StrEnum):
    """What has become of a product; ``orphaned`` is one that was promised and that nobody makes (any more)."""

    READY = "ready"
    MAKING = "making"
    ORPHANED = "orphaned"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of one product.

    Attributes:
        name: ``namespace/operation``.
        found: the result, for one that is ready, or expired and not purged yet.
        computation: the one that makes it here.
        holder: what the lease says of the process that makes it elsewhere; ``None`` where nothing can be read of it.
        ticket: the record of its ticket.
        failed: how it failed.
    """

    state: State
    key: Key
    name: str
    operation: Operation[..., Any]
    found: Found | None = None
    computation: Computation | None = None
    holder: LeaseRecord | None = None
    ticket: Ticket | None = None
    failed: Failed | None = None

    def progress(self) -> dict[str, Any] | None:
        """How far it is: ``done``, ``total`` (or ``None``) and ``text``; ``None`` while nothing is reported."""
        report = self.computation.progress if self.computation is not None else None
        if report is not None:
            return {"done": report.done, "total": report.total, "text": report.text}
        if self.holder is not None and self.holder.done is not None:
            return {"done": self.holder.done, "total": self.holder.total, "text": self.holder.text}
        return None


class Products:
    """Finds out what has become of keys. For the event loop of one worker."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watches: TTLCache[str, Watch] = TTLCache(_WATCHED, ttl=_WATCHED_FOR)

    def identify(self, path: str) -> tuple[Key, str, Operation[..., Any]]:
        """The key in the path of a product's URL, unquoted once, and the exported operation that it belongs to.

        Raises:
            Problem: it is no key, or its operation is not exported (any more).
        """
        operation, version, arguments = (*path.rsplit("/", 2), "", "")[:3]
        known = self._service.namespaces.by_full_name(operation) if version and arguments else None
        if known is None:
            raise Problem("not-found", HIDDEN)
        return Key(operation, version, arguments), *known

    async def locate(self, key: Key, name: str, operation: Operation[..., Any]) -> Whereabouts:
        """What has become of a key. Nothing is started; see `take_over`."""
        service = self._service
        here = service.computations.find(key.text)
        if here is not None and here.ended is None and here.options is not PLAIN:
            # What is kept is about to be replaced.
            return Whereabouts(State.MAKING, key, name, operation, computation=here)
        desk = operation.desk()
        found = await asyncio.to_thread(service.engine.look, desk.cache, key)
        now = service.clock.now()
        if found is not None and now < found.entry.expires_at + found.entry.stale_while_revalidate:
            return Whereabouts(State.READY, key, name, operation, found=found)
        if here is not None and here.ended is None:
            return Whereabouts(State.MAKING, key, name, operation, computation=here)
        if here is not None:
            state = State.FAILED if here.failed is not None else State.READY
            return Whereabouts(state, key, name, operation, computation=here, failed=here.failed)
        return await asyncio.to_thread(self._elsewhere, key, name, operation, desk, found)

    def _elsewhere(
        self, key: Key, name: str, operation: Operation[..., Any], desk: Desk, found: Found | None
    ) -> Whereabouts:
        """What the store tells of a product that this worker knows nothing of."""
        service = self._service
        ticket = service.tickets.find(key.text)
        is_held, holder = self._holder(key, desk)
        if is_held:
            return Whereabouts(State.MAKING, key, name, operation, holder=holder, ticket=ticket)
        if ticket is not None and ticket.ended_at is None:
            # Another process may have finished between our look at the cache and at its lease.
            again = service.engine.look(desk.cache, key)
            if again is not None and again.entry.is_fresh(service.clock.now()):
                return Whereabouts(State.READY, key, name, operation, found=again)
            return Whereabouts(State.ORPHANED, key, name, operation, ticket=ticket)
        failed = ticket.failed if ticket is not None else None
        if failed is not None and service.clock.now() < failed.at + service.settings.failure_time:
            return Whereabouts(State.FAILED, key, name, operation, ticket=ticket, failed=failed)
        state = State.EXPIRED if ticket is not None or found is not None else State.UNKNOWN
        return Whereabouts(state, key, name, operation, found=found, ticket=ticket)

    def _holder(self, key: Key, desk: Desk) -> tuple[bool, LeaseRecord | None]:
        """Whether a living process makes ``key``, and what its lease says."""
        if desk.leases is None:
            return False, None
        watch = self._watches.get(key.text) or self._watches.setdefault(
            key.text, desk.leases.watch(key.text, desk.name)
        )
        try:
            return (False, None) if watch.is_free() else (True, desk.leases.holder(key.text))
        except OSError as error:
            _log.warning("the lease of %s can't be read: %s", key, error)
            return False, None

    async def take_over(self, place: Whereabouts) -> Whereabouts:
        """Starts to make an orphaned product.

        Raises:
            Problem: its code or arguments changed since, so that this very product can't be made any more; or too much
                is being computed.
        """
        if place.ticket is None:
            raise ValueError(place.state)
        asked, operation, key = place.ticket.asked, place.operation, place.key
        call: Call = await asyncio.to_thread(bind, asked, operation)
        if call.key != key:
            raise gone(self._service.url_of(place.name))
        computation = self._service.computations.join(place.name, asked, operation.desk(), call)
        computation.is_promised = True
        _log.info("%s: taken up again, since whoever made it is gone", key)
        return Whereabouts(State.MAKING, key, place.name, operation, computation=computation, ticket=place.ticket)

    def refuse(self, place: Whereabouts) -> Problem:
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

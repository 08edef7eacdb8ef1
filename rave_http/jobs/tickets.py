"""Tickets: what is remembered of a product that was promised, by every worker and host that shares the cache.

A ticket is the URL of a product; its record holds the call as it was asked, so any worker that is asked for the product
can make it after a crash. The records are entries of the data cache, under the operation ``-/tickets``: sealed,
expiring and purged like all others.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec
from cachetools import TTLCache

from rave_core.clock import Clock
from rave_core.host import host_id, is_alive, process_start
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache
from rave_http.description.request_arguments import Asked

OPERATION: Final = "-/tickets"
MOST_RUNS: Final = 2
"""Processes that the body of one ticket may take along. A death may come from a neighbour, so the first is no proof."""

_VERSION: Final = "1"
_KNOWN: Final = 10_000
_RECENTLY: Final = 60.0
_log = logging.getLogger("rave.http")


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """How a job failed.

    Attributes:
        slug: of the problem that tells it.
        detail: class and message of the exception.
        at: Unix seconds.
        status: the HTTP status, where it is not that of the kind of problem.
        errors: one for each wrong parameter, where the operation refused its arguments.
    """

    slug: str
    detail: str
    at: float
    status: int | None = None
    errors: list[dict[str, Any]] = []

    @property
    def is_refusal(self) -> bool:
        """Whether the operation did not fail, but refused the request."""
        return self.slug in ("refused", "bad-arguments")


class Runner(msgspec.Struct, frozen=True):
    """The process that runs a body (see `rave_core.host`)."""

    host: str
    pid: int
    start: str


class StoredTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of one ticket.

    Attributes:
        key: text of the product's key.
        asked: the call, as it was written.
        created_at: Unix seconds at which the ticket was first given out.
        ended_at: Unix seconds at which the product was made, or failed; ``None`` before.
        failed: how it failed, or ``None``.
        runs: how often its body was begun, and neither came to an end nor was cut off by a worker that stops.
        runner: the process that began it last; ``None`` while none does.
    """

    key: str
    asked: Asked
    created_at: float
    ended_at: float | None = None
    failed: Failed | None = None
    runs: int = 0
    runner: Runner | None = None

    @property
    def is_run(self) -> bool:
        """Whether the process that runs its body lives on this host, and has not said yet how it ended."""
        runner = self.runner
        return runner is not None and runner.host == host_id() and is_alive(runner.pid, runner.start)

    @property
    def lost(self) -> Failed | None:
        """How it failed, where its body has ended the process that ran it as often as it may: it is not run again."""
        if self.ended_at is not None or self.runs < MOST_RUNS:
            return None
        detail = f"WorkerLostError: the process that ran it died, {self.runs} times; ask the operation to run it again"
        return Failed(slug="operation-failed", detail=detail, at=self.created_at)


class Tickets:
    """The records of tickets in one cache. Every method may wait for the store; trouble in it is logged, not raised."""

    def __init__(self, cache: Cache, clock: Clock, *, keep: float) -> None:
        """Keeps records in ``cache``, each for ``keep`` seconds after it was last given out."""
        self._cache = cache
        self._clock = clock
        self._keep = keep
        # What was given out here a moment ago need not be written again.
        self._given: TTLCache[str, StoredTicket] = TTLCache(_KNOWN, ttl=_RECENTLY, timer=clock.monotonic)
        self._lock = threading.Lock()

    def give(self, key: Key, asked: Asked) -> StoredTicket:
        """The ticket for ``key``, whose record is there for others when this returns."""
        with self._lock:
            known = self._given.get(key.text)
        if known is not None:
            return known
        found = self.find(key.text)
        ticket = StoredTicket(key=key.text, asked=asked, created_at=found.created_at if found else self._clock.now())
        self._put(ticket)
        return ticket

    def end(self, key: str, failed: Failed | None = None) -> None:
        """Notes that the product of ``key`` was made, or how it failed."""
        found = self.find(key)
        if found is not None:
            now = self._clock.now()
            self._put(msgspec.structs.replace(found, ended_at=now, failed=failed, runs=0, runner=None))
        with self._lock:
            self._given.pop(key, None)

    def begin(self, key: str) -> bool:
        """Notes that this process begins to run the body; whether there is a ticket to note it in."""
        found = self.find(key, newest=True)
        if found is None:
            return False
        runner = Runner(host_id(), os.getpid(), process_start(os.getpid()))
        self._put(msgspec.structs.replace(found, ended_at=None, failed=None, runs=found.runs + 1, runner=runner))
        return True

    def cut(self, key: str) -> None:
        """Notes that a body was cut off since its worker stops, which is no fault of its own."""
        found = self.find(key)
        if found is not None:
            self._put(msgspec.structs.replace(found, runs=max(0, found.runs - 1), runner=None))

    def find(self, key: str, *, newest: bool = False) -> StoredTicket | None:
        """The record of the ticket for ``key``; ``None`` where none was given out, or too long ago.

        Args:
            key: text of the product's key.
            newest: whether to look beneath the memory of this worker, which does not hear of what others write.
        """
        if newest and self._cache.blocking:
            self._cache.drop(_key(key).text)
        try:
            found = self._cache.find(_key(key))
            if found is None or not found.entry.is_fresh(self._clock.now()):
                return None
            ticket = msgspec.json.decode(bytes(found.value), type=StoredTicket)
        except Exception as error:  # noqa: BLE001  # a store may raise anything; without its record a ticket is unknown
            _log.warning("the record of the ticket for %s can't be read: %s", key, error)
            return None
        return ticket if ticket.key == key else None

    def _put(self, ticket: StoredTicket) -> None:
        now = self._clock.now()
        key = _key(ticket.key)
        draft = partial(
            Entry,
            key=key.text,
            created_at=now,
            expires_at=now + self._keep,
            mime_type="application/json",
            arguments={"key": ticket.key},
        )
        try:
            self._cache.put(key, draft, self._cache.encode(msgspec.json.encode(ticket)))
        except Exception as error:  # noqa: BLE001  # a store may raise anything; this worker knows the job
            _log.warning("the record of the ticket for %s can't be kept: %s", ticket.key, error)
            return
        with self._lock:
            self._given[ticket.key] = ticket


def _key(key: str) -> Key:
    return Key(OPERATION, _VERSION, blake2b(key.encode(), digest_size=20).hexdigest())

"""Tickets: what is remembered of a product that was promised, by every worker and host that shares the cache.

A ticket is the URL of a product; its record holds the call as it was asked, so any worker that is asked for the product
can make it after a crash. The records are entries of the data cache, under the operation ``-/tickets``: sealed,
expiring and purged like all others.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec
from cachetools import TTLCache

from rave_core.clock import Clock
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache
from rave_http.description.request_arguments import Asked

OPERATION: Final = "-/tickets"
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


class StoredTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of one ticket.

    Attributes:
        key: text of the product's key.
        asked: the call, as it was written.
        created_at: Unix seconds at which the ticket was first given out.
        ended_at: Unix seconds at which the product was made, or failed; ``None`` before.
        failed: how it failed, or ``None``.
    """

    key: str
    asked: Asked
    created_at: float
    ended_at: float | None = None
    failed: Failed | None = None


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
            self._put(msgspec.structs.replace(found, ended_at=self._clock.now(), failed=failed))
        with self._lock:
            self._given.pop(key, None)

    def find(self, key: str) -> StoredTicket | None:
        """The record of the ticket for ``key``; ``None`` where none was given out, or too long ago."""
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

"""Tickets: the records of promised products, shared by every worker and host that uses the cache.

A ticket is the URL of a product. Its record holds the original call, so any worker can make the product after a crash.
The records are entries of the data cache, under the operation ``-/tickets``: sealed,
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
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache
from rave_core.storage.listing import foremost, prefix_of
from rave_core.system.host import host_id, is_alive, process_start
from rave_http.description.request_arguments import Asked
from rave_http.protocol.json_texts import to_json

OPERATION: Final = "-/tickets"
MOST_RUNS: Final = 2
"""Processes that the body of one ticket may kill. Another body may have caused the first death, so one is no proof."""

CANCELLED: Final = "cancelled"
"""The slug of a job that was cancelled."""

_VERSION: Final = "1"
_KNOWN: Final = 10_000
_RECENTLY: Final = 60.0
_RECORDING: Final = 5.0
_LOOK: Final = 0.05
_log = logging.getLogger("rave.http")


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """How a job failed.

    Attributes:
        slug: of its problem.
        detail: class and message of the exception.
        at: Unix seconds.
        status: the HTTP status, if it differs from that of the kind of problem.
        errors: one for each wrong parameter, if the operation refused its arguments.
        by: the name of the user who cancelled it; ``None`` if nobody did.
    """

    slug: str
    detail: str
    at: float
    status: int | None = None
    errors: list[dict[str, Any]] = []
    by: str | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self.slug == CANCELLED

    @property
    def is_failure(self) -> bool:
        """Whether the operation or the service failed; neither a refusal nor a cancellation is a failure."""
        return not (self.is_refusal or self.is_cancelled)

    @property
    def is_refusal(self) -> bool:
        """Whether the operation refused the request rather than failed."""
        return self.slug in ("refused", "bad-arguments")


class Runner(msgspec.Struct, frozen=True):
    """The process that runs a body (see `rave_core.system.host`)."""

    host: str
    pid: int
    start: str


class StoredTicket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of one ticket.

    Attributes:
        key: text of the product's key.
        asked: the call, as it was written.
        created_at: Unix seconds at which the ticket was first issued.
        ended_at: Unix seconds at which the product was made, failed or was cancelled; ``None`` before.
        failed: how it failed, or by whom it was cancelled; else ``None``.
        runs: how often its body started and neither ended nor was interrupted by a stopping worker.
        runner: the process that started it last; ``None`` while none runs it.
        ran_by: the same, also once it has ended.
        began_at: Unix seconds at which that was; ``None`` before.
    """

    key: str
    asked: Asked
    created_at: float
    ended_at: float | None = None
    failed: Failed | None = None
    runs: int = 0
    runner: Runner | None = None
    ran_by: Runner | None = None
    began_at: float | None = None

    @property
    def is_run(self) -> bool:
        """Whether the process that runs its body is alive on this host and has not yet recorded the outcome."""
        runner = self.runner
        return runner is not None and runner.host == host_id() and is_alive(runner.pid, runner.start)

    @property
    def lost(self) -> Failed | None:
        """The failure of a body that has killed its process too often to run again."""
        if self.ended_at is not None or self.runs < MOST_RUNS:
            return None
        detail = f"WorkerLostError: the process that ran it died, {self.runs} times; ask the operation to run it again"
        return Failed(slug="operation-failed", detail=detail, at=self.created_at)


class Tickets:
    """The records of tickets in one cache. Every method may wait for the store; trouble in it is logged, not raised."""

    def __init__(self, cache: Cache, clock: Clock, *, keep: float) -> None:
        """Keeps records in ``cache``, each for ``keep`` seconds after the ticket was last issued."""
        self._cache = cache
        self._clock = clock
        self._keep = keep
        # A ticket that this worker issued a moment ago need not be written again.
        self._given: TTLCache[str, StoredTicket] = TTLCache(_KNOWN, ttl=_RECENTLY, timer=clock.monotonic)
        self._lock = threading.Lock()
        self._pause = threading.Event()  # never set

    def give(self, key: Key, asked: Asked) -> StoredTicket:
        """The ticket for ``key``: an open one, else a new one. Others can see its record when this returns."""
        found = self.find(key.text, newest=True)
        is_open = found is not None and found.ended_at is None and found.lost is None
        with self._lock:
            is_recent = key.text in self._given
        if found is None or not is_open:
            found = StoredTicket(key=key.text, asked=asked, created_at=self._clock.now())
            self._put(found)
        elif not is_recent:
            self._put(found)  # it stays valid for longer
        return found

    def end(self, key: str, failed: Failed | None = None) -> None:
        """Records that the product of ``key`` was made, or how it failed."""
        found = self.find(key, newest=True)
        if found is not None:
            now = self._clock.now()
            self._put(msgspec.structs.replace(found, ended_at=now, failed=failed, runs=0, runner=None))
        with self._lock:
            self._given.pop(key, None)

    def cancel(self, key: str, asked: Asked, failed: Failed) -> StoredTicket:
        """Records that the job of ``key`` was cancelled. Returns the ticket as it was before.

        Args:
            key: text of the product's key.
            asked: the call as it was written.
            failed: by whom, and when.
        """
        found = self.find(key, newest=True)
        ticket = found or StoredTicket(key=key, asked=asked, created_at=failed.at)
        self._put(msgspec.structs.replace(ticket, ended_at=failed.at, failed=failed, runs=0, runner=None))
        return ticket

    def reopen(self, ticket: StoredTicket) -> None:
        """Restores a record whose job was not cancelled after all, unless another one replaced it meanwhile."""
        found = self.find(ticket.key, newest=True)
        if found is not None and found.failed is not None and found.failed.is_cancelled:
            self._put(ticket)

    def begin(self, key: str, seconds: float = 0.0) -> bool:
        """Records that this process has run the body for ``seconds``. Returns whether there is a ticket for that."""
        found = self.find(key, newest=True)
        if found is None:
            return False
        runner = Runner(host_id(), os.getpid(), process_start(os.getpid()))
        began = {"runner": runner, "ran_by": runner, "began_at": self._clock.now() - seconds}
        self._put(msgspec.structs.replace(found, ended_at=None, failed=None, runs=found.runs + 1, **began))
        return True

    def cut(self, key: str) -> None:
        """Records that a body was interrupted because its worker stops, which is not its fault."""
        found = self.find(key, newest=True)
        if found is not None:
            self._put(msgspec.structs.replace(found, runs=max(0, found.runs - 1), runner=None))

    def find(self, key: str, *, newest: bool = False) -> StoredTicket | None:
        """The record of the ticket for ``key``; ``None`` if none was issued, or too long ago.

        Args:
            key: text of the product's key.
            newest: whether to bypass the memory of this worker, which does not see what others write.
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

    def ended(self, most: int) -> list[StoredTicket]:
        """The tickets whose jobs have ended: made, failed or cancelled, the latest first.

        Args:
            most: how many of the tickets that were changed last are looked at.
        """
        try:
            newest, _ = foremost(self._cache, prefix_of(OPERATION), most, lambda entry: -entry.created_at)
        except OSError as error:
            _log.warning("the records of tickets can't be listed: %s", error)
            return []
        tickets = (self.find(entry.arguments.get("key", ""), newest=True) for entry in newest)
        found = [ticket for ticket in tickets if ticket is not None and ticket.ended_at is not None]
        return sorted(found, key=lambda ticket: -(ticket.ended_at or 0.0))

    def recorded(self, key: str) -> StoredTicket | None:
        """The newest record of the ticket for ``key``, once a process that has just run its body has recorded how.

        It releases the lease first. Waits for a few seconds at most.
        """
        end = self._clock.monotonic() + _RECORDING
        while (found := self.find(key, newest=True)) is not None and found.is_run:
            if self._clock.monotonic() >= end:
                break
            self._pause.wait(_LOOK)
        return found

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
            self._cache.put(key, draft, self._cache.encode(to_json(ticket)))
        except Exception as error:  # noqa: BLE001  # a store may raise anything; this worker knows the job
            _log.warning("the record of the ticket for %s can't be kept: %s", ticket.key, error)
            return
        with self._lock:
            self._given[ticket.key] = ticket


def _key(key: str) -> Key:
    return Key(OPERATION, _VERSION, blake2b(key.encode(), digest_size=20).hexdigest())

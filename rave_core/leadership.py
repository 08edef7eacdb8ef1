"""Leadership: one process at a time among all processes and hosts that share a store of leases.

    with Leadership(runtime, "reports") as leadership:
        if leadership.is_leader:
            runtime.documents.save("reports", "today", payload, expect=0, author="r", fence=leadership.fence)

A lease says who leads, and a fence makes sure of it. A lease alone can't: a process that is stopped between its look at
`is_leader` and its save goes on as if nothing had happened, however long that took. So each leader gets a number from
the document store that is larger than those of all leaders before, and passes it with each save. From the moment when
the store has given out a number, it refuses saves with smaller ones.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from rave_core.backend import SupportsLease
from rave_core.documents import Fence
from rave_core.errors import ConfigurationError, DocumentError, describe_error
from rave_core.model import Progress
from rave_core.runtime.runtime import Runtime
from rave_core.storage.leases import Lease, Leases, LeaseWait
from rave_core.storage.silence import SilentHolders

__all__ = ["Leadership"]

_log = logging.getLogger("rave")
_LOOK_EVERY: Final = 0.5
"""Seconds between looks at the lease, of a store that is near."""
_REMOTE_LOOK_EVERY: Final = 3.0
_SURE: Final = 0.8
"""The part of the lease time after which a leader that could not renew its lease no longer counts as one."""


@dataclass(frozen=True, slots=True)
class _Term:
    """The time during which this process leads."""

    lease: Lease
    fence: Fence


class _SilentLeader(SilentHolders):
    """A leader that fell silent, for one look at its lease: once it is back and leads again, it counts as any other."""

    def add(self, name: str, key: str, lease_time: float) -> None:
        """Remembers it."""
        self._until[name] = math.inf

    def forget(self) -> None:
        """Forgets it."""
        self._until.clear()


class Leadership:
    """Leads, or waits to lead, from its making until it is closed. Safe for many threads.

    It works in a thread of its own. A leader that is gone is noticed at once on the same host, and on others after
    ``lease_time``. Clocks of hosts need not agree, and may jump: that can end a term, but never makes a second leader.

    If the store of leases can't be reached, the leader steps down before others may take over. If the documents can't
    be reached, nobody begins to lead, because there is no fence; who leads goes on.

    A forked child does not lead, whatever its parent does; it makes a `Leadership` of its own.
    """

    def __init__(self, runtime: Runtime, name: str) -> None:
        """Begins to try.

        Args:
            runtime: whose cache of values has the leases, in its last layer, and whose documents give the fences.
            name: of what is led; whoever uses the same name and stores competes.

        Raises:
            ConfigurationError: the cache has no leases that others could see.
        """
        self.name = name
        self._runtime = runtime
        self._lease_time = runtime.settings.lease_time
        is_near = not runtime.cache.backend.remote
        self._pause = min(_LOOK_EVERY if is_near else _REMOTE_LOOK_EVERY, self._lease_time / 5)
        self._silent = _SilentLeader(None, runtime.clock, runtime.cache.url)
        self._leases = self._opened()
        self._term: _Term | None = None
        self._fence = Fence(0, name)
        self._callbacks: dict[Callable[[bool], object], bool] = {}  # with what each was told last
        self._trouble: str | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="rave-leadership", daemon=True)
        self._thread.start()

    def _opened(self) -> Leases:
        """The leases of the cache."""
        cache, settings = self._runtime.cache, self._runtime.settings
        store = cache.backend.capability(SupportsLease)
        if store is None:
            raise ConfigurationError(
                f"nobody can lead {self.name!r}: the cache {cache.url} has no leases; end the setting 'cache' with a "
                "store that processes share, such as a directory (file:///…) or a bucket (s3://…)"
            )
        return Leases(
            store,
            self._runtime.clock,
            lease_time=settings.lease_time,
            heartbeat=settings.heartbeat,
            report=self._complain,
            silent=self._silent,
        )

    @property
    def is_leader(self) -> bool:
        """Whether this process leads, as far as it can know: pass ``fence`` with each save, which makes sure."""
        term = self._term
        return term is not None and self._is_sure(term)

    @property
    def fence(self) -> Fence:
        """The number of this process's latest term: larger than those of all leaders before it.

        Before its first term it is 0, with which nothing can be saved.
        """
        return self._fence

    @property
    def trouble(self) -> str | None:
        """Why nobody can lead at present as far as this process sees; ``None`` if a leader is there or can be."""
        return self._trouble

    def on_change(self, callback: Callable[[bool], object]) -> Callable[[bool], object]:
        """Calls ``callback(True)`` when this process begins to lead and ``callback(False)`` when it ceases.

        Calls come from one thread, one after the other. If this process leads already, the callback hears of it soon.
        What it raises is logged. Returns the callback, so this works as a decorator.
        """
        with self._changed:
            self._callbacks[callback] = False
        return callback

    def wait(self, seconds: float) -> bool:
        """Waits until this process leads, at most ``seconds``; returns whether it does."""
        with self._changed:
            self._changed.wait_for(lambda: self._term is not None, seconds)
        return self.is_leader

    def close(self) -> None:
        """Steps down, and lets others lead at once."""
        if self._pid != os.getpid():
            return
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_sure(self, term: _Term) -> bool:
        """Whether nobody else can have taken the lease over yet."""
        if self._pid != os.getpid() or self._leases.may_be_lost(term.lease):
            return False
        ages = (now - then for now, then in zip(self._leases.times(), term.lease.renewed_at, strict=True))
        return max(ages) < _SURE * self._lease_time

    def _run(self) -> None:
        wait = LeaseWait(self._leases, f"leadership/{self.name}", f"leadership of {self.name}")
        while not self._stop.is_set():
            try:
                self._step(wait)
                self._trouble = None
            except Exception as error:  # noqa: BLE001  # a store may raise anything, and is tried again
                self._complain("look for the leader", error)
            self._stop.wait(self._pause)
        self._step_down()

    def _step(self, wait: LeaseWait) -> None:
        if self._term is None:
            self._campaign(wait)
        elif not self._is_sure(self._term) or self._is_fenced_off(self._term):
            self._step_down()
        else:
            self._tell_all()

    def _campaign(self, wait: LeaseWait) -> None:
        """Leads, if nobody else does."""
        self._silent.forget()
        if not wait.is_free():
            return
        # Hosts whose documents are apart still see growing numbers: that of the leader before, and the time.
        before = self._leases.holder(wait.key)
        above = max(int((before and before.done) or 0), int(self._leases.times()[1] * 1000))
        lease = wait.attempt()
        if lease is None:
            return
        try:
            fence = self._runtime.documents.next_fence(self.name, above=above)
        except BaseException:
            self._leases.release(lease)
            raise
        lease.progress = lambda: Progress(done=int(fence))
        self._leases.publish()
        term = _Term(lease, fence)
        if self._is_sure(term):
            self._begin(term)
        else:
            self._leases.release(lease)

    def _begin(self, term: _Term) -> None:
        with self._changed:
            self._term, self._fence = term, term.fence
            self._changed.notify_all()
        _log.info("this process leads %s, with fence %d", self.name, term.fence)
        self._tell_all()

    def _step_down(self) -> None:
        with self._changed:
            term, self._term = self._term, None
        if term is None:
            return
        _log.info("this process no longer leads %s", self.name)
        self._tell_all()
        self._leases.release(term.lease)  # after the callbacks, which may have something to finish

    def _is_fenced_off(self, term: _Term) -> bool:
        """Whether another process got a newer fence; no if the documents can't be reached."""
        try:
            return self._runtime.documents.fence(self.name) > term.fence
        except DocumentError:
            return False

    def _tell_all(self) -> None:
        """Tells those callbacks that have not heard yet whether this process leads."""
        leads = self._term is not None
        with self._changed:
            unaware = [callback for callback, told in self._callbacks.items() if told is not leads]
            self._callbacks.update(dict.fromkeys(unaware, leads))
        for callback in unaware:
            try:
                callback(leads)
            except Exception:  # noqa: BLE001  # a callback may raise anything, and the others are called as well
                _log.exception("a callback of the leadership of %s failed", self.name)

    def _complain(self, action: str, error: Exception) -> None:
        if self._trouble is None:
            _log.warning("leadership of %s: could not %s: %s", self.name, action, describe_error(error))
        self._trouble = describe_error(error)

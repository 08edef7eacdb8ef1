"""Leases: one computation per key among all processes and hosts that share a store.

A lease is a promise to work, never a right to be correct: if two processes compute one key after all, both results
are valid. It is kept alive by a heartbeat that changes its record. A record that did not change for the lease time,
by the watcher's own monotonic clock, belongs to a process that is gone or stuck, and anyone may take it over. The
clocks of hosts therefore need not agree. A dead holder on the same host is noticed at once.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from rave_core.backend import SupportsLease
from rave_core.clock import Clock
from rave_core.model import Progress
from rave_core.storage.lease_record import LeaseRecord, read_record
from rave_core.storage.silence import SilentHolders
from rave_core.system.host import host_id, is_alive, process_start

_log = logging.getLogger("rave")

_MOST_FOLLOWED = 256
"""The maximum number of keys that a cycle of waits is looked for among."""
_PATIENCE = 300.0
"""Seconds of a wait for one holder until the log says so; it says so again after each doubling."""
_encode = msgspec.json.Encoder().encode


class Lease:
    """A claim held by this process. ``lost`` once another process has taken it over: the work may then be done twice.

    ``is_over`` once the work is done: what could not be given back at once goes with the next heartbeat.
    ``progress`` is asked at each heartbeat how far the work is. ``waits`` holds the keys of other processes that the
    work waits for. ``renewed_at`` is when it was claimed or last renewed, by the monotonic and by the wall clock: a
    process that was suspended may see it in one of them only. ``overslept`` once that was longer ago than others wait:
    they may have held and released the lease since.
    """

    def __init__(self, key: str, record: LeaseRecord, data: bytes, renewed_at: tuple[float, float]) -> None:
        self.key = key
        self.record = record
        self.data = data
        self.renewed_at = renewed_at
        self.lost = False
        self.overslept = False
        self.is_over = False
        self.waits: set[str] = set()
        self.lock = threading.RLock()
        self.progress: Callable[[], Progress | None] = lambda: None


class Leases:
    """Claims, keeps alive and releases leases in one store. Safe for many threads."""

    def __init__(
        self,
        store: SupportsLease,
        clock: Clock,
        *,
        lease_time: float,
        heartbeat: float,
        report: Callable[[str, Exception], object] | None = None,
        silent: SilentHolders | None = None,
    ) -> None:
        """Leases in ``store``.

        Args:
            store: where they live.
            clock: for times in records, and for how long a record has not changed.
            lease_time: seconds after which a lease that does not change is free.
            heartbeat: seconds between renewals of those held here.
            report: called on trouble with a description of what failed and the error; by default, trouble is logged.
            silent: the holders that fell silent; by default, those that the records name.
        """
        self._store = store
        self._report = report or _log_trouble
        self.silent = silent or SilentHolders(None, clock, "the store")
        self._clock = clock
        self.lease_time = lease_time
        self._heartbeat = heartbeat
        self._held: dict[str, Lease] = {}  # by the owner of its record, which is its own
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._stop = threading.Event()
        weakref.finalize(self, self._stop.set)

    def release(self, lease: Lease) -> None:
        """Releases the lease. A lost lease stays with its present holder.

        Trouble in the store is reported. The next heartbeat then releases the lease, or it ends within the lease time.
        """
        try:
            self._give_back(lease)
        except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
            self._report("release a lease", error)

    def may_be_lost(self, lease: Lease) -> bool:
        """Whether others may have taken the lease over: they did, or it was not renewed for the lease time."""
        ages = (now - then for now, then in zip(self.times(), lease.renewed_at, strict=True))
        lease.overslept = lease.overslept or max(ages) >= self.lease_time
        return lease.lost or lease.overslept

    def times(self) -> tuple[float, float]:
        """The monotonic and the wall clock."""
        return self._clock.monotonic(), self._clock.now()

    def _give_back(self, lease: Lease) -> None:
        lease.is_over = True  # first: if the stack is used up, a heartbeat releases it
        with lease.lock:
            if not lease.lost:
                self._store.swap_lease(lease.key, lease.data, None)
        self._held.pop(lease.record.owner, None)

    def holder(self, key: str) -> LeaseRecord | None:
        """The holder that computes ``key`` now, as far as the store knows; ``None`` for nobody."""
        return read_record(self._store.lease(key))

    def note_wait(self, keys: Collection[str], other: str) -> None:
        """Publishes that the work on ``keys``, as far as it is held here, waits for the key ``other``."""
        for lease in list(self._held.values()):
            if lease.key in keys and not lease.is_over and other not in lease.waits:
                lease.waits.add(other)
                self._renew(lease)

    def forget_wait(self, keys: Collection[str], other: str) -> None:
        """Ends what `note_wait` noted; the next heartbeat publishes it."""
        for lease in list(self._held.values()):
            if lease.key in keys:
                lease.waits.discard(other)

    def waits_for(self, key: str, others: Collection[str]) -> bool:
        """Whether the work on ``key`` waits for one of ``others``, directly or through further keys.

        Raises:
            OSError: the store is in trouble.
        """
        seen, ahead = {key}, [key]
        while ahead and len(seen) < _MOST_FOLLOWED:
            record = self.holder(ahead.pop())
            for each in record.waits if record is not None else ():
                if each in others:
                    return True
                if each not in seen:
                    seen.add(each)
                    ahead.append(each)
        return False

    def beat(self) -> None:
        """Renews every lease held here; one that another took over is marked lost."""
        for lease in list(self._held.values()):
            if lease.is_over:
                self._release_late(lease)
            else:
                self._renew(lease)

    def publish(self) -> None:
        """Renews the leases that are out of date: those never renewed yet, and those with progress since.

        A store may hide a claim until it is first renewed. Code that reports on work under way calls this from time
        to time, so that others see it before the next heartbeat.
        """
        for lease in list(self._held.values()):
            if not lease.is_over and (not lease.record.beat or _has_progressed(lease)):
                self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        with lease.lock:
            self.may_be_lost(lease)
            record, data = _renewed(lease)
            try:
                renewed = self._held.get(lease.record.owner) is not lease or self._store.swap_lease(
                    lease.key, lease.data, data
                )
            except OSError as error:
                _log.warning("the lease of %s could not be renewed: %s", lease.key, error)
                return
            lease.lost = not renewed
            lease.renewed_at = self.times() if renewed else lease.renewed_at
            lease.record, lease.data = record, data
        if lease.lost:
            self._held.pop(lease.record.owner, None)
            _log.warning("the lease of %s was taken over by another process", lease.key)

    def _release_late(self, lease: Lease) -> None:
        try:
            self._give_back(lease)
        except OSError as error:
            _log.warning("the lease of %s could not be given back: %s", lease.key, error)

    def _start(self) -> None:
        """Starts the heartbeat, unless it is running."""
        with self._lock:
            if self._thread is None:
                self._thread = self._started()

    def _started(self) -> threading.Thread | None:
        beat = (weakref.ref(self), self._stop, self._heartbeat)
        thread = threading.Thread(target=_keep_beating, args=beat, name="rave-heartbeat", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads now, or none at all since the interpreter shuts down
            _log.warning("leases are held without a heartbeat: %s", error)
            return None
        return thread


def _has_progressed(lease: Lease) -> bool:
    progress, record = lease.progress(), lease.record
    return progress is not None and (progress.done, progress.total, progress.text) != (
        record.done,
        record.total,
        record.text,
    )


def _renewed(lease: Lease) -> tuple[LeaseRecord, bytes]:
    try:
        record = _with_progress(lease)
        return record, _encode(record)
    except Exception as error:  # noqa: BLE001  # a body may report anything, and its lease must survive
        _log.warning("the progress of %s can't be published: %s", lease.key, error)
        record = msgspec.structs.replace(lease.record, beat=lease.record.beat + 1)
        return record, _encode(record)


def _with_progress(lease: Lease) -> LeaseRecord:
    beat, progress, waits = lease.record.beat + 1, lease.progress(), tuple(sorted(lease.waits))
    if progress is None:
        return msgspec.structs.replace(lease.record, beat=beat, waits=waits)
    return msgspec.structs.replace(
        lease.record, beat=beat, done=progress.done, total=progress.total, text=progress.text, waits=waits
    )


def _keep_beating(leases: weakref.ref[Leases], stop: threading.Event, seconds: float) -> None:
    while not stop.wait(seconds):  # in real time, since others watch; a fake clock's wait would let time run away
        alive = leases()
        if alive is None:
            return
        alive.beat()
        del alive


def _log_trouble(action: str, error: Exception) -> None:
    _log.warning("could not %s: %s", action, error)


@dataclass(slots=True, eq=False)
class LeaseWait:
    """One caller's wait for one key. Not for sharing between threads.

    Attributes:
        leases: in which the key is claimed.
        key: its text.
        operation: the name that the record of a claim gives.
        took_over: whether another process held the lease before.
    """

    leases: Leases
    key: str
    operation: str
    took_over: bool = False
    _holder: str = ""
    _seen: bytes | None = None
    _since: float = 0.0
    _claim: str | None = None
    _began: float = 0.0
    _patience: float = _PATIENCE

    def attempt(self) -> Lease | None:
        """The lease, if nobody holds it or its holder is gone; else ``None``: look for the entry, then try again.

        Raises:
            OSError: the store is in trouble, or somebody keeps it from changing leases.
        """
        leases = self.leases
        record = LeaseRecord(
            owner=os.urandom(12).hex(),
            host=host_id(),
            pid=os.getpid(),
            start=process_start(os.getpid()),
            operation=self.operation,
            since=leases._clock.now(),
        )
        data = _encode(record)
        lease = Lease(self.key, record, data, self.leases.times())
        if not leases._store.claim(self.key, data) and not self._take_over(data):
            return None
        leases._held[record.owner] = lease
        if leases._thread is None:
            leases._start()
        return lease

    def _take_over(self, data: bytes) -> bool:
        """Whether this process has taken the lease over from a holder that is gone."""
        leases = self.leases
        seen = leases._store.lease(self.key)
        if seen is None or not self._is_stale(seen):
            return False
        self.took_over = leases._store.swap_lease(self.key, seen, data)
        return self.took_over

    def is_free(self) -> bool:
        """Whether an attempt may succeed: nobody holds the lease, or its holder is gone. It claims nothing.

        Raises:
            OSError: the store is in trouble.
        """
        seen = self.leases._store.lease(self.key)
        return seen is None or self._is_stale(seen)

    def _is_stale(self, seen: bytes) -> bool:
        leases, now, record = self.leases, self.leases._clock.monotonic(), read_record(seen)
        if seen != self._seen:
            process = f"process {record.pid} of {record.host}" if record is not None else ""
            self._seen, self._since, self._holder = seen, now, leases.silent.name(self.key, process)
        if record is not None and record.host == host_id() and not is_alive(record.pid, record.start):
            return True
        self._complain(now, "" if record is None else record.owner)
        if now - self._since >= leases.lease_time:
            leases.silent.add(self._holder, self.key, leases.lease_time)
        return self._holder in leases.silent

    def _complain(self, now: float, claim: str) -> None:
        """Says now and then that the wait for a claim is long: it may be renewed, and its work never end."""
        if claim != self._claim:
            self._claim, self._began, self._patience = claim, now, _PATIENCE
        if now - self._began < self._patience:
            return
        self._patience *= 2
        _log.warning(
            "%s has held the lease of %s for over %g s, and gives signs of life, so calls that need it wait; "
            "rave_timeout bounds that",
            self._holder,
            self.key,
            now - self._began,
        )

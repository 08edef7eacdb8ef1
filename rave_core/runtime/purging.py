"""Purging: removes expired entries from time to time, in the background of a call that puts an entry (R12)."""

from __future__ import annotations

import logging
import threading

from rave_core.backend import Purged, SupportsPurge
from rave_core.clock import Clock
from rave_core.model import Entry
from rave_core.settings import Settings
from rave_core.storage.cache import Cache

SLICE = 60.0
"""Seconds that one automatic purge may take, and the pause before the next if it needs more."""

_log = logging.getLogger("rave")


class Maintenance:
    """Purges the caches of one runtime when they are due, values and files apart."""

    def __init__(self, settings: Settings, clock: Clock, cache: Cache, products: Cache) -> None:
        self._clock = clock
        self._grace = settings.products_grace
        self._every = {
            id(cache.backend): settings.data_purge_every,
            id(products.backend): settings.products_purge_every,
        }
        self._data_every = settings.data_purge_every
        self._due: dict[int, float] = {}
        self._lock = threading.RLock()

    def after_put(self, cache: Cache) -> None:
        """Starts a purge of ``cache`` in a thread of its own if one is due; costs next to nothing otherwise."""
        try:
            self._start_if_due(cache)
        except Exception:  # noqa: BLE001  # a store may raise anything, threads may run out, and the entry is put
            _log.exception("cache %s could not be purged", cache.url)

    def _start_if_due(self, cache: Cache) -> None:
        due = self._due.get(id(cache.backend))
        if due is None:
            self._due[id(cache.backend)] = due = self._first_due(cache)
        if self._clock.monotonic() < due:
            return
        with self._lock:
            if self._clock.monotonic() < self._due[id(cache.backend)]:
                return
            self._due[id(cache.backend)] = self._clock.monotonic() + self._interval(cache)
        threading.Thread(target=self._purge_quietly, args=(cache,), name="rave-purge", daemon=True).start()

    def purge(self, cache: Cache, *, seconds: float | None = None) -> Purged:
        """Removes what expired from ``cache``, what crashes left behind, and what exceeds its budget.

        With ``seconds`` it may stop after about so many; the next such purge goes on from there.

        Raises:
            OSError: the store is in trouble.
        """
        store = cache.backend.capability(SupportsPurge)
        if store is None:
            return Purged()
        return store.purge(self._is_dead, grace=self._grace, seconds=seconds)

    def _is_dead(self, entry: Entry) -> bool:
        return self._clock.now() >= entry.expires_at + max(entry.stale_while_revalidate, entry.stale_if_error)

    def _interval(self, cache: Cache) -> float:
        return self._every.get(id(cache.backend), self._data_every)

    def _first_due(self, cache: Cache) -> float:
        """By this process's monotonic clock; counted from the last purge that any process made."""
        interval, store = self._interval(cache), cache.backend.capability(SupportsPurge)
        last = store.last_purge() if store is not None else None
        since = 0.0 if last is None else min(max(self._clock.now() - last, 0.0), interval)
        return self._clock.monotonic() + interval - since

    def _purge_quietly(self, cache: Cache) -> None:
        try:
            purged = self.purge(cache, seconds=SLICE)
        except Exception:  # noqa: BLE001  # nobody waits for it, and the next one may succeed
            _log.exception("cache %s could not be purged", cache.url)
            return
        if not purged.is_complete:
            self._due[id(cache.backend)] = self._clock.monotonic() + SLICE
        _log.info("cache %s: purged %d entries, %d bytes", cache.url, purged.entries, purged.bytes)

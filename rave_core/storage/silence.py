"""Holders of leases that fell silent: for each, others wait for the lease time once, not for each key that it holds."""

from __future__ import annotations

import logging

from rave_core.backend import SupportsLeaseOwners
from rave_core.clock import Clock

_log = logging.getLogger("rave")

MEMORY = 3600.0
"""Seconds for which nobody waits for a holder that fell silent."""
_MOST = 1024
_LONGEST = 80


class SilentHolders:
    """Who held a lease of one store for the lease time without a sign of life. Safe for many threads.

    Someone who may write in a store can claim all keys, and never compute. A holder is the owner that the store names;
    else the process that the record names, or all that have not published a record. Not to wait for one costs at most
    a second computation of the same result.
    """

    def __init__(self, owners: SupportsLeaseOwners | None, clock: Clock, store: str) -> None:
        """For the leases of the store called ``store``, whose ``owners`` it may know."""
        self._owners = owners
        self._clock = clock
        self._store = store
        self._until: dict[str, float] = {}

    def name(self, key: str, process: str) -> str:
        """Who holds the lease of ``key``, in words.

        Args:
            key: its text.
            process: whom the record names; empty if it names nobody.
        """
        owner = self._owners.lease_owner(key) if self._owners is not None else None
        return owner or process[:_LONGEST] or "a process that did not name itself"

    def __contains__(self, name: str) -> bool:
        return self._clock.monotonic() < self._until.get(name, 0.0)

    def add(self, name: str, key: str, lease_time: float) -> None:
        """Remembers a holder, and says so in the log."""
        if name in self:
            return
        while len(self._until) >= _MOST:
            self._until.pop(next(iter(self._until)), None)
        self._until[name] = self._clock.monotonic() + MEMORY
        _log.warning(
            "%s: %s held the lease of %s for %g s without a sign of life; nobody waits for it for the next %g s",
            self._store,
            name,
            key,
            lease_time,
            MEMORY,
        )

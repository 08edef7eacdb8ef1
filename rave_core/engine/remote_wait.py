"""Waiting for another process's lease, which may wait for one of ours: cycles of keys across processes."""

from __future__ import annotations

from rave_core.engine.single_flight import Flights, SingleFlight
from rave_core.storage.leases import Leases

LONG = 0.03
"""Seconds between attempts to claim a lease from which on a cycle of waits is looked for."""


class RemoteWait:
    """A flight's wait for a key that another process computes. Used by the call that leads the flight."""

    def __init__(self, leases: Leases, flights: Flights, key: str, flight: SingleFlight) -> None:
        """Prepares a wait.

        Args:
            leases, flights: those of this process.
            key: what the other process computes.
            flight: that of the key in this process. The body of another flight may have joined it, whoever leads it.
        """
        self._leases = leases
        self._flights = flights
        self._key = key
        self._flight = flight
        self._noted: set[str] = set()

    def is_circular(self) -> bool:
        """Whether the holder of the key waits for a body that waits for this flight, directly or through others.

        It also publishes the wait in the leases of all that waits for it here, so that others find the cycle too. A
        store in trouble finds none.
        """
        waiting = self._flights.needing(self._flight) - {self._key}
        if not waiting:
            return False
        self._noted |= waiting
        try:
            self._leases.note_wait(waiting, self._key)
            return self._leases.waits_for(self._key, waiting)
        except Exception:  # noqa: BLE001  # a store may raise anything; the wait ends with the lease in any case
            return False

    def end(self) -> None:
        """Ends the wait: the next heartbeat no longer tells of it."""
        self._leases.forget_wait(self._noted, self._key)

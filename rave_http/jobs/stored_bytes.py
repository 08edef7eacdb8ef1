"""How many bytes of results each client has stored lately, and the limit of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from rave_core.clock import Clock
from rave_core.text.humanize import size
from rave_http.protocol.problems import Problem

_WINDOW: Final = 3600.0
_CLIENTS: Final = 10_000


@dataclass(slots=True)
class _Account:
    """What one client stored in the window ``since``, numbered from the clock's zero, and in the one before."""

    since: int
    now: int = 0
    before: int = 0


class StoredBytes:
    """Counts bytes for each client. For the event loop of one worker.

    The hour slides: what was stored in the previous hour of the clock counts for the part that still overlaps.
    """

    def __init__(self, clock: Clock, *, most: int) -> None:
        """Allows each client ``most`` bytes within an hour; a result may exceed that, the next job is refused."""
        self._clock = clock
        self._most = most
        self._accounts: LRUCache[str, _Account] = LRUCache(_CLIENTS)

    def add(self, client: str, count: int) -> None:
        """Counts a result that a client has stored."""
        self._account(client).now += count

    def check(self, client: str) -> None:
        """Returns if a client may store more.

        Raises:
            Problem: ``too-many-requests``.
        """
        account = self._account(client)
        passed = self._clock.monotonic() / _WINDOW - account.since
        if account.now + account.before * (1 - passed) < self._most:
            return
        if account.now < self._most:  # soon enough of the previous hour is past
            wait = 1 - (self._most - account.now) / account.before - passed
        else:
            wait = 1 - passed + 1 - self._most / account.now
        raise Problem(
            "too-many-requests",
            f"results of one client may take {size(self._most)} of the cache within an hour; yours have taken them",
            headers={"Retry-After": str(max(math.ceil(wait * _WINDOW), 1))},
        )

    def _account(self, client: str) -> _Account:
        window = int(self._clock.monotonic() / _WINDOW)
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = _Account(window)
        if account.since < window:
            account.before = account.now if account.since == window - 1 else 0
            account.since, account.now = window, 0
        return account

"""Followers: who asked a worker for a product lately, so that nobody else stops the job that they wait for."""

from __future__ import annotations

from typing import Final

from cachetools import TTLCache

from rave_core.clock import Clock
from rave_http.auth.asker import Asker

LATELY: Final = 60.0
"""Seconds for which a request for a product counts. Clients that poll ask again after ten seconds at most."""

_MOST: Final = 10_000


class Followers:
    """The askers of products in one worker. For its event loop alone."""

    def __init__(self, clock: Clock) -> None:
        """Measures time by ``clock``."""
        self._askers: TTLCache[tuple[str, Asker], None] = TTLCache(_MOST, ttl=LATELY, timer=clock.monotonic)

    def note(self, key: str, asker: Asker) -> None:
        """Records that ``asker`` asks for the product of ``key`` now."""
        self._askers[key, asker] = None

    def of(self, key: str) -> frozenset[Asker]:
        """Who asked for the product of ``key`` lately."""
        return frozenset(asker for other, asker in list(self._askers) if other == key)

    def forget(self, key: str, asker: Asker) -> None:
        """Forgets that ``asker`` asked for the product of ``key``."""
        self._askers.pop((key, asker), None)

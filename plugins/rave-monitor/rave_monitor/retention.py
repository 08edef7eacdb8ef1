"""Retention: old samples are thinned out, and older ones removed."""

from __future__ import annotations

import math
from typing import Final

from rave_core import Runtime
from rave_monitor.configuration import MonitorConfig
from rave_monitor.sample_store import SampleStore
from rave_monitor.trusted_clock import TrustedClock

_EVERY: Final = 60.0
"""Seconds between rounds."""
_AT_ONCE: Final = 86400.0
"""Seconds of samples that one transaction thins out."""


class Retention:
    """Applies ``keep``, ``thin_after`` and ``thin_to`` of a configuration. One thread uses it."""

    def __init__(self, store: SampleStore, fence: int, runtime: Runtime, trusted: TrustedClock) -> None:
        """Begins with the oldest samples, whose age is that by ``trusted``."""
        self._store, self._fence, self._clock, self._trusted = store, fence, runtime.clock, trusted
        self._due = self._clock.monotonic()
        self._thinned: float | None = None

    def apply(self, config: MonitorConfig) -> None:
        """Does what is due, at most once a minute.

        Raises:
            FenceError: a later leader has claimed the checkpoint.
            StoreAwayError: the database can't be reached.
        """
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + _EVERY
        now = self._trusted.now
        if config.keep is not None:
            self._store.expire(self._fence, now - config.keep)
        if config.thin_after is not None:
            self._thin(now - config.thin_after, config.thin_to)

    def _thin(self, until: float, width: float) -> None:
        """Thins out what became old enough since the last round, in whole parts of ``width``."""
        until = math.floor(until / width) * width
        start = self._store.oldest() if self._thinned is None else self._thinned
        while start is not None and start < until:
            end = min(math.floor(start / width) * width + max(_AT_ONCE, width), until)
            self._store.thin(self._fence, start, end, width)
            start = end
        self._thinned = until

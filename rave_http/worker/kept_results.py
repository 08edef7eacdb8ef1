"""Kept results, as requests look them up."""

from __future__ import annotations

import asyncio
from functools import partial

from rave_core.engine.execution import ResolvedOperation
from rave_core.model import Call, Key, Status
from rave_core.runtime.runtime import Runtime
from rave_core.storage.cache import Cache, Found
from rave_core.storage.directory_cache import DirectoryCache
from rave_core.storage.product_cache import ProductCache


class KeptResults:
    """Looks up results in the caches of a runtime, and counts those that answer a request."""

    def __init__(self, runtime: Runtime, *, url_seconds: float | None) -> None:
        """Looks in the caches of ``runtime``.

        Args:
            runtime: the worker's.
            url_seconds: how long the redirect URL of a file that is elsewhere stays valid; ``None`` to fetch such files
                instead.
        """
        self._runtime = runtime
        self._engine = runtime.container.engine
        self._url_seconds = url_seconds

    def look(self, cache: Cache, key: Key) -> Found | None:
        """The result under ``key`` in ``cache``, fresh or not. It may wait for a store. Safe for threads."""
        if isinstance(cache, DirectoryCache):
            cache = cache.archives
        if self._url_seconds is not None and isinstance(cache, ProductCache):
            cache = cache.elsewhere_for(self._url_seconds)
        return cache.look(key)

    def count(self, resolved: ResolvedOperation, call: Call, found: Found, status: Status) -> None:
        """Counts a kept result that answers a request, and notifies the observers. Call it in the event loop."""
        if not self._runtime.observed:
            self._engine.count_hit(resolved, found.entry, status)
            return
        outcome = self._engine.hit(resolved, call, found, self._runtime.context, status)
        observe = partial(self._runtime.diagnostics.observe, "rave_called", call=call, outcome=outcome, seconds=0.0)
        asyncio.get_running_loop().run_in_executor(None, observe)  # a plugin's code may take its time

"""The leaderships that the plugins of one worker compete for."""

from __future__ import annotations

import threading

from rave_core.leadership import Leadership
from rave_core.runtime.runtime import Runtime


class Leaderships:
    """One `Leadership` for each name, from when it is first asked for until the worker stops. Safe for threads."""

    def __init__(self, runtime: Runtime) -> None:
        """Competes for nothing yet."""
        self._runtime = runtime
        self._lock = threading.Lock()
        self._by_name: dict[str, Leadership] = {}

    def named(self, name: str) -> Leadership:
        """The leadership of that name; errors as those of `Leadership`."""
        with self._lock:
            found = self._by_name.get(name)
            if found is None:
                found = self._by_name[name] = Leadership(self._runtime, name)
            return found

    def close(self) -> None:
        """Steps down from all of them, so that other processes lead at once."""
        with self._lock:
            for leadership in self._by_name.values():
                leadership.close()
            self._by_name.clear()

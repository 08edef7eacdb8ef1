"""What earlier workers imported late: a new one imports it before it serves, so that no request waits for that."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import sysconfig
from typing import Final

from rave_core.clock import Clock
from rave_http.workers.run_directory import RunDirectory

_FACT: Final = "imports"
_LONGEST: Final = 10.0  # seconds
_log = logging.getLogger("rave.http")


class SharedImports:
    """Installed modules that the workers of one service import late: forms of results, schemas, what namespaces need.

    Code of namespaces that are directories is none of them, since that changes. For one thread at a time.
    """

    def __init__(self, run_directory: RunDirectory, clock: Clock, *, workers: int) -> None:
        """Is for a service that should have so many ``workers``."""
        self._run_directory = run_directory
        self._clock = clock
        self._workers = workers
        self._known = set(sys.modules)
        self._places = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

    def note(self) -> None:
        """Records for others what this worker has imported since the last time."""
        if len(sys.modules) == len(self._known):
            return
        late = [name for name in list(sys.modules) if name not in self._known]
        self._known.update(late)
        names = [name for name in late if self._is_installed(name)]
        if names:
            with contextlib.suppress(OSError):  # the directory is gone, or full
                self._run_directory.update(_FACT, lambda found: list(dict.fromkeys([*(found or ()), *names])))

    def repeat(self) -> None:
        """Imports what others recorded, unless a worker is missing. Takes some seconds at most, and never fails."""
        if len(self._run_directory.workers()) < self._workers:
            return  # one has died: it is better to serve soon
        end = self._clock.monotonic() + _LONGEST
        for name in self._run_directory.read(_FACT) or ():
            if self._clock.monotonic() > end:
                return
            try:
                importlib.import_module(name)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # a module may raise anything
                _log.info("%s, which an earlier worker imported, can't be imported: %r", name, error)

    def _is_installed(self, name: str) -> bool:
        origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)
        return isinstance(origin, str) and origin.startswith(self._places)

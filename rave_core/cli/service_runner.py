"""Runs services: each in a thread, started again when it ends, and in one process at a time where it says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rave_core.errors import RaveError, describe_error
from rave_core.leadership import Leadership
from rave_core.lifecycle import Service
from rave_core.runtime.runtime import Runtime

_log = logging.getLogger("rave.services")
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_LOOK: Final = 0.5
"""Seconds between looks at who leads, and between requests to end."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service is.

    Attributes:
        name, scope: of the service.
        state: ``waiting``: another process runs it; ``running``; ``pausing``: it ended, and starts again soon;
            ``ended``: it was asked to end.
        starts: how often it was started.
        error: what is wrong; empty if all is well.
    """

    name: str
    scope: str
    state: str
    starts: int
    error: str = ""


class ServiceRunner:
    """Runs services until it is stopped. Safe for many threads."""

    def __init__(self, services: Iterable[Service], runtime: Runtime) -> None:
        """Starts nothing yet; ``runtime`` has the leases of those that run in one process at a time."""
        self._supervisors = [_Supervisor(service, runtime) for service in services]

    def start(self) -> None:
        """Starts them."""
        for each in self._supervisors:
            each.start()

    def stop(self, seconds: float) -> list[str]:
        """Asks all of them to end, and waits for that. Returns the names of those that did not end in time."""
        for each in self._supervisors:
            each.end()
        until = self._supervisors[0].now() + seconds if self._supervisors else 0.0
        for each in self._supervisors:
            each.join(max(until - each.now(), 0.0))
        return [each.service.name for each in self._supervisors if each.is_alive()]

    def states(self) -> list[ServiceState]:
        """How each of them is, in their order."""
        return [each.look() for each in self._supervisors]


class _Supervisor(threading.Thread):
    """The thread that runs one service, again and again."""

    def __init__(self, service: Service, runtime: Runtime) -> None:
        super().__init__(name=f"rave-service {service.name}", daemon=True)
        self.service = service
        self.now = runtime.clock.monotonic
        self._runtime = runtime
        self._ending = threading.Event()
        self._state = "waiting"
        self._starts = 0
        self._error = ""

    def run(self) -> None:
        """Runs the service until it is asked to end."""
        pause = _FIRST_PAUSE
        leadership = self._leadership()
        try:
            while self._may_start(leadership):
                began = self.now()
                was_asked = self._run_once(leadership)
                pause = _FIRST_PAUSE if was_asked or self.now() - began > pause else min(2 * pause, _LONGEST_PAUSE)
                if not was_asked:
                    self._state = "pausing"
                    _log.warning("service %s %s; it starts again in %g s", self.service.name, self._error, pause)
                    self._ending.wait(pause)
        finally:
            self._state = "ended"
            if leadership is not None:
                leadership.close()

    def end(self) -> None:
        """Asks the service to end."""
        self._ending.set()

    def look(self) -> ServiceState:
        """How it is."""
        error = self._error
        if self._state == "running" and not error:
            try:
                error = self.service.check() or ""
            except (Exception, SystemExit) as caught:  # noqa: BLE001  # a stranger's code may raise anything
                error = f"its check failed: {describe_error(caught)}"
        return ServiceState(self.service.name, self.service.scope, self._state, self._starts, error)

    def _leadership(self) -> Leadership | None:
        while self.service.scope == "cluster" and not self._ending.is_set():
            try:
                return Leadership(self._runtime, f"service:{self.service.name}")
            except (RaveError, OSError) as error:
                self._error = f"nobody can lead it: {describe_error(error)}"
                _log.error("service %s: %s", self.service.name, self._error)
                self._ending.wait(_LONGEST_PAUSE)
        return None

    def _may_start(self, leadership: Leadership | None) -> bool:
        """Waits until the service may start here. Returns ``False`` if it is asked to end."""
        while not self._ending.is_set():
            if leadership is None or leadership.wait(_LOOK):
                return True
            self._state, self._error = "waiting", leadership.trouble or ""
        return False

    def _run_once(self, leadership: Leadership | None) -> bool:
        """Runs the service once. Returns whether it was asked to end, by us or because another process leads."""
        asked, over = threading.Event(), threading.Event()
        asking = threading.Thread(target=self._ask, args=(leadership, asked, over), daemon=True)
        asking.start()
        self._starts += 1
        self._state, self._error = "running", ""
        try:
            self.service.start()
            self._error = "" if asked.is_set() else "ended, though nobody asked it to"
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            self._error = f"failed: {describe_error(error)}"
            _log.debug("service %s failed", self.service.name, exc_info=error)
        finally:
            over.set()
            asking.join()
        return asked.is_set()

    def _ask(self, leadership: Leadership | None, asked: threading.Event, over: threading.Event) -> None:
        """Asks the service to end, once it has to, and again until it does: it may not listen yet."""
        while not over.wait(_LOOK):
            if self._ending.is_set() or (leadership is not None and not leadership.is_leader):
                asked.set()
                try:
                    self.service.stop()
                except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
                    _log.error("service %s can't be stopped: %s", self.service.name, describe_error(error))

"""How the services of plugins are: their process writes it to the run directory, and each worker reads it there."""

from __future__ import annotations

from typing import Any, Final

from rave_core.clock import Clock
from rave_http.workers.run_directory import RunDirectory

FACT: Final = "services"
"""The document in the run directory.

``at`` (Unix seconds), ``services``, a list of `ServiceState` as dicts, and ``is_over``, whether their process has ended
since there are none.
"""
PULSE: Final = 2.0
"""Seconds between reports."""
_SILENCE: Final = 15.0


class ServicesReport:
    """What a worker knows of the services. Reading it may wait for a disk."""

    def __init__(self, run_directory: RunDirectory, clock: Clock, *, has_services: bool) -> None:
        """Reads nothing yet; ``has_services`` is whether a plugin may have services."""
        self._run_directory = run_directory
        self._now = clock.now
        self._started = clock.now()
        self._has_services = has_services

    def services(self) -> list[dict[str, Any]]:
        """The services as last reported, in the order of their plugins; empty if there are none."""
        document = self._run_directory.read(FACT) if self._has_services else None
        return [] if document is None else list(document["services"])

    def problems(self) -> dict[str, str]:
        """What is wrong, by ``service NAME``; also that their process does not report."""
        if not self._has_services:
            return {}
        document = self._run_directory.read(FACT)
        if document is not None and document["is_over"]:
            return {}
        silent = self._now() - (self._started if document is None else document["at"])
        if silent > _SILENCE:
            return {"services": f"their process has not reported for {silent:.0f} s"}
        found = [] if document is None else document["services"]
        return {f"service {each['name']}": each["error"] for each in found if each["error"]}

"""Monitors that ``rave serve`` runs beside the workers."""

from __future__ import annotations

from pathlib import Path

from rave_core import current_runtime
from rave_core.lifecycle import Service
from rave_monitor.monitor import Monitor


class MonitorService:
    """Runs one configuration as a service. Which process leads is the monitor's own affair."""

    def __init__(self, path: Path) -> None:
        """Reads the configuration each time that it starts."""
        self._path = path
        self._monitor: Monitor | None = None

    def start(self) -> None:
        """Runs until it is asked to end.

        Raises:
            MonitorConfigError: the configuration has mistakes.
        """
        monitor = self._monitor = Monitor(self._path, current_runtime())
        monitor.run()

    def stop(self) -> None:
        """Asks it to end."""
        if self._monitor is not None:
            self._monitor.stop()

    def check(self) -> str | None:
        """What is wrong with it."""
        return self._monitor.trouble if self._monitor is not None else None


def services_of(configs: tuple[str, ...]) -> list[Service]:
    """A service for each configuration, named for its file."""
    found = []
    for config in configs:
        path = Path(config).expanduser()
        running = MonitorService(path)
        found.append(Service(f"monitor:{path.stem}", running.start, running.stop, check=running.check))
    return found

"""A monitor: leads when it may, and goes on from the checkpoint of whoever led before."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from rave_core import Runtime, using
from rave_core.errors import RaveError, describe_error
from rave_core.leadership import Leadership
from rave_monitor.configuration import MonitorConfig
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_store import SampleStore
from rave_monitor.term import Term

_log = logging.getLogger("rave.monitor")
_PAUSE: Final = 0.5


def _runtime_to_lead(config: MonitorConfig, runtime: Runtime) -> Runtime:
    """The runtime whose documents give fences: with those that the configuration names, if it does."""
    if config.documents is None or config.documents == runtime.settings.documents:
        return runtime
    return Runtime(replace(runtime.settings, documents=config.documents), plugins=runtime.plugins, clock=runtime.clock)


def store_of(config: MonitorConfig, runtime: Runtime) -> SampleStore:
    """The samples of a monitor.

    Raises:
        ConfigurationError: they can't be kept where the documents are.
    """
    return SampleStore(SampleDatabase(config.documents or runtime.settings.documents), config.name)


class Monitor:
    """Runs a configuration until it is stopped. Any number may run, on any hosts that share caches; one leads.

    Any thread may ask for its `trouble`.
    """

    def __init__(self, path: Path, runtime: Runtime) -> None:
        """Reads the configuration.

        Raises:
            MonitorConfigError: it has mistakes.
            ConfigurationError: its samples can't be kept where the documents are.
        """
        self._trouble: str | None = None
        self._term: Term | None = None
        self._config = MonitorConfig.load(path)
        self._runtime = runtime
        self._store = store_of(self._config, runtime)
        self._wake, self._reload, self._stopping = threading.Event(), threading.Event(), threading.Event()

    @property
    def trouble(self) -> str | None:
        """Why it does not work at present; ``None`` while it leads and can write, or waits to lead."""
        term = self._term
        return self._trouble or (None if term is None else term.trouble)

    def run(self) -> None:
        """Runs it.

        Raises:
            ConfigurationError: nobody can lead, because the cache has no leases that other processes could see.
        """
        leading = _runtime_to_lead(self._config, self._runtime)
        try:
            with using(self._runtime), Leadership(leading, f"monitor:{self._config.name}") as leadership:
                while not self._stopping.is_set():
                    if leadership.wait(_PAUSE):
                        self._lead(leadership)
                    else:
                        self._trouble = leadership.trouble
        finally:
            self._store.database.close()
            if leading is not self._runtime:
                leading.close()

    def stop(self) -> None:
        """Asks it to end. Any thread may call it."""
        self._stopping.set()
        self._wake.set()

    def reload(self) -> None:
        """Asks it to load its configuration again. Any thread may call it."""
        self._reload.set()
        self._wake.set()

    def _lead(self, leadership: Leadership) -> None:
        def goes_on() -> bool:
            return leadership.is_leader and not self._stopping.is_set()

        try:
            term = self._term = Term(self._fresh_config(), self._store, leadership.fence, self._runtime)
            self._trouble = None
            _log.info("monitor %s: leads from event %d on", self._config.name, term.events)
            term.run(goes_on, self._wake, self._reload)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it runs for ever: whatever it was, the next term may work
            _log.debug("monitor %s: the term failed", self._config.name, exc_info=error)
            self._pause(error)
        finally:
            self._term = None

    def _fresh_config(self) -> MonitorConfig:
        """The configuration as it is now; the one before if that has mistakes."""
        try:
            config = MonitorConfig.load(self._config.path)
        except RaveError as error:
            _log.error("monitor %s: goes on with the configuration before: %s", self._config.name, error)
            return self._config
        if (config.name, config.documents) == (self._config.name, self._config.documents):
            self._config = config
        return self._config

    def _pause(self, error: BaseException) -> None:
        if self._trouble is None:
            _log.warning("monitor %s: %s; tries again", self._config.name, describe_error(error))
        self._trouble = describe_error(error)
        self._runtime.clock.wait(self._stopping, _PAUSE)

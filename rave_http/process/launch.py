"""The request of a command: the sources of the service's settings, at its start and at every reload."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rave_core.errors import ConfigurationError
from rave_core.settings import Settings
from rave_http.process.log_setup import Log
from rave_http.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start the service. Paths in it are absolute, since a daemon changes its working directory.

    Attributes:
        directory: where the search for the project's settings file begins.
        working_directory: of the service; of a daemon another one.
        environ: the environment variables, as they were at the start.
        settings, service: values that override all files and variables.
        log: where the log goes.
    """

    directory: str
    working_directory: str
    environ: Mapping[str, str]
    settings: Mapping[str, Any]
    service: Mapping[str, Any]
    log: Log

    def read(self) -> tuple[Settings, ServiceSettings]:
        """The settings as they are now.

        Raises:
            ConfigurationError: one is wrong.
        """
        settings = Settings.load(environ=self.environ, cwd=self.directory, overrides=self.settings)
        return settings, ServiceSettings.of(settings, self.service)


def environment(config: str | None) -> dict[str, str]:
    """The environment variables, with ``config`` as the settings file if given."""
    environ = dict(os.environ)
    named = config or environ.get("RAVE_CONFIG")
    return {**environ, "RAVE_CONFIG": absolute(named)} if named else environ


def here() -> str:
    """The working directory.

    Raises:
        ConfigurationError: it was removed.
    """
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise ConfigurationError("the working directory was removed; change to one that exists") from error


def absolute(path: str) -> str:
    """The path in a form that stays valid when the working directory changes."""
    return os.path.abspath(os.path.expanduser(path))

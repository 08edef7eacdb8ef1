"""The log of the service: where it goes, in one form for everything, gunicorn's own lines included.

Loggers: ``rave`` and those below it, among them ``rave.http`` (the service) and ``rave.server`` (its processes).
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.config
import logging.handlers
import os
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rave_core.errors import ConfigurationError, RaveWarning, describe_error
from rave_core.settings.trust import doubt
from rave_core.telemetry.log_format import protect

FORM: Final = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_SYSTEM_FORM: Final = "raved[%(process)d]: %(levelname)s %(name)s: %(message)s"
_SYSTEM_SOCKET: Final = "/dev/log"
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Log:
    """Where the log goes.

    Attributes:
        config: a logging configuration: for the standard library's ``fileConfig``, or TOML or JSON for its
            ``dictConfig``, by suffix; ``None`` for none. Relative paths in it start at the working directory.
        destination: where it goes without one: empty for standard error, ``system`` for the system's log, or a path.
    """

    config: str | None = None
    destination: str = ""

    def start(self) -> None:
        """Sends the log there from now on, in this process and in those forked from it.

        Raises:
            ConfigurationError: that is not possible; the message names the file and the reason.
        """
        _forget_handlers()
        logging.captureWarnings(True)
        # Each of these warnings is logged too: once is enough.
        warnings.simplefilter("ignore", RaveWarning)
        if self.config is None:
            _start(self._handler())
        else:
            _read(Path(self.config))
        for handler in _handlers():
            protect(handler)

    def _handler(self) -> logging.Handler:
        form = _SYSTEM_FORM if self.destination == SYSTEM else FORM
        try:
            handler = _opened(self.destination)
        except OSError as error:
            raise ConfigurationError(f"the log {self.destination} can't be written: {error.strerror}") from error
        handler.setFormatter(logging.Formatter(form))
        return handler

    def __str__(self) -> str:
        if self.config is not None:
            return f"as {self.config} says"
        return {"": "on standard error", SYSTEM: "in the system's log"}.get(self.destination, f"in {self.destination}")


def of_daemon(directory: Path) -> Log:
    """The log of a daemon without a configuration: the system's, else ``raved.log`` in ``directory``."""
    return Log(destination=SYSTEM if os.path.exists(_SYSTEM_SOCKET) else str(directory / "raved.log"))


def reopen() -> None:
    """Reopens every log file, as log rotation requires."""
    for handler in _handlers():
        if isinstance(handler, logging.FileHandler):
            # If it can't be reopened, the old one is better than none.
            with contextlib.suppress(OSError):
                old = handler.setStream(handler._open())
                if old is not None:
                    old.close()


def _opened(destination: str) -> logging.Handler:
    if destination == SYSTEM:
        return logging.handlers.SysLogHandler(_SYSTEM_SOCKET, logging.handlers.SysLogHandler.LOG_DAEMON)
    if destination:
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(destination, encoding="utf-8")
    return logging.StreamHandler()


def _start(handler: logging.Handler) -> None:
    """Logs the events of the service, and only warnings and errors of libraries."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("rave").setLevel(logging.INFO)


def _forget_handlers() -> None:
    """Removes the handlers of a command or of an earlier setup."""
    for logger in (logging.getLogger(), logging.getLogger("rave")):
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            if isinstance(handler, (logging.FileHandler, logging.handlers.SysLogHandler)):
                handler.close()
    logging.getLogger("rave").setLevel(logging.NOTSET)


def _read(path: Path) -> None:
    """Sets up the log from a file. What such a file names is called, so it counts as code.

    Raises:
        ConfigurationError: others may change it, it can't be read, or does not make sense.
    """
    reason = doubt(path)
    if reason is not None:
        raise ConfigurationError(f"the logging configuration {path} is refused: {reason}")
    try:
        if path.suffix in (".toml", ".json"):
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **_table(path)})
        else:
            path.read_text("utf-8")  # fileConfig takes a file that is not there for an empty one
            logging.config.fileConfig(path, disable_existing_loggers=False, encoding="utf-8")
    except Exception as error:  # handlers are made by whatever class the file names
        raise ConfigurationError(
            f"{path}: is not a logging configuration that can be used: {_reason(error)}"
        ) from error


def _table(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8")
    table = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    if not isinstance(table, dict):
        raise ValueError("expected a table")
    return table


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"section or key {error.args[0]!r} is missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    cause = f" ({describe_error(error.__cause__)})" if error.__cause__ is not None else ""
    return f"{error}{cause}" if str(error) else describe_error(error)


def _handlers() -> Iterator[logging.Handler]:
    names = list(logging.root.manager.loggerDict)
    seen = set()
    for logger in (logging.getLogger(), *map(logging.getLogger, names)):
        for handler in logger.handlers:
            if handler not in seen:
                seen.add(handler)
                yield handler

"""The state of one command line run: its settings, runtime and catalog, made when first needed."""

from __future__ import annotations

import logging
import os
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from rave_core.errors import ConfigurationError, RaveWarning
from rave_core.runtime.runtime import default_with
from rave_core.settings import Settings
from rave_core.settings.settings import known_settings
from rave_core.telemetry.log_format import protect

if TYPE_CHECKING:
    from rave_core.operations.catalog import Catalog
    from rave_core.runtime.runtime import Runtime
    from rave_core.storage.cache import Cache

_log = logging.getLogger("rave")
_TABLES = ("plugins", "namespaces", "service")


class Session:
    """One run of the command line.

    Attributes:
        verbose: 0, 1 for what happens, 2 for everything.
    """

    def __init__(self, context: click.Context, config: str | None, given: Iterable[str], verbose: int) -> None:
        self.verbose = verbose
        self._context = context
        self._config = config
        self._given = tuple(given)
        self._handler = _Handler()
        protect(self._handler)
        self._start_logging()
        context.with_resource(default_with(lambda: self.settings))  # commands of plugins ask for the current runtime

    @cached_property
    def settings(self) -> Settings:
        """The settings in force, ``--config`` and ``--set`` included.

        Raises:
            ConfigurationError: one is wrong.
        """
        environ: Mapping[str, str] = os.environ
        if self._config is not None:
            environ = {**os.environ, "RAVE_CONFIG": os.path.abspath(self._config)}
        return Settings.load(environ=environ, overrides=overrides(self._given))

    @cached_property
    def runtime(self) -> Runtime:
        """The runtime of these settings, in use until the command ends.

        Raises:
            ConfigurationError: a setting is wrong.
            PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
        """
        from rave_core.runtime.runtime import Runtime, as_default

        runtime = self._context.with_resource(Runtime(self.settings))
        return self._context.with_resource(as_default(runtime))

    @cached_property
    def catalog(self) -> Catalog:
        """The installed namespaces. Their problems are logged, and thus shown on standard error.

        Raises:
            PluginError: there is a problem, and ``load_error_fatal`` is set.
        """
        from rave_core.operations.catalog import Catalog

        _ = self.runtime
        return Catalog.installed(self.settings.namespaces, load_error_fatal=self.settings.load_error_fatal)

    def caches(self, *, data: bool, products: bool) -> list[tuple[str, Cache]]:
        """The caches that the switches ``--data`` and ``--products`` choose, by name; without a switch, both."""
        both = data == products
        chosen = [("data", self.runtime.cache, data), ("products", self.runtime.products, products)]
        return [(name, cache) for name, cache, wanted in chosen if wanted or both]

    def hush(self) -> None:
        """Keeps warnings from standard error, for a command that shows the problems itself."""
        if not self.verbose:
            self._handler.setLevel(logging.CRITICAL)

    def _start_logging(self) -> None:
        level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(self.verbose, 2)]
        before, logger = _log.level, logging.getLogger() if self.verbose else _log
        self._handler.setLevel(level)
        logger.addHandler(self._handler)
        _log.setLevel(level)
        # Each of these warnings is logged too: once is enough.
        self._context.with_resource(warnings.catch_warnings())
        warnings.simplefilter("ignore", RaveWarning)

        def stop() -> None:
            logger.removeHandler(self._handler)
            _log.setLevel(before)

        self._context.call_on_close(stop)


class _Handler(logging.Handler):
    """Writes records to standard error in the format of the command line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes ``rave: warning: …``."""
        from rave_core.cli.output import note, say

        try:
            first, *more = self.format(record).split("\n")
            note(f"{record.levelname.lower()}: {first}")
            for line in more:  # of a traceback
                say(line, err=True)
        except Exception:  # noqa: BLE001  # as every handler of the standard library does
            self.handleError(record)


def current_session() -> Session:
    """The session of the command that runs now."""
    return session_of(click.get_current_context())


def session_of(context: click.Context) -> Session:
    """The session of a click context, made from the switches before the command."""
    root = context.find_root()
    if not isinstance(root.obj, Session):
        params = root.params
        root.obj = Session(root, params.get("config"), params.get("given") or (), params.get("verbose") or 0)
    return root.obj


def overrides(given: Iterable[str]) -> dict[str, Any]:
    """The settings that ``--set NAME=VALUE`` gives; ``plugins.flow.directory=/data`` for those in tables.

    Raises:
        ConfigurationError: one is not written like that; names and values are checked later, with all others.
    """
    values: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(f"--set {text!r}: expected NAME=VALUE, as in --set data_expire_after=2h")
        first, *rest = name.strip().split(".")
        if rest and first in _TABLES:
            _put(values.setdefault(first, {}), rest, _toml(value))
        else:
            setting = known_settings().get(name)
            values[name] = setting.read(value) if setting is not None and setting.in_environment else value
    return values


def _put(table: dict[str, Any], path: list[str], value: object) -> None:
    for step in path[:-1]:
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise ConfigurationError(f"--set: {step!r} is given both a value and a table; keep one")
    table[path[-1]] = value


def _toml(text: str) -> object:
    """A value in TOML notation; any other text stands for itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text

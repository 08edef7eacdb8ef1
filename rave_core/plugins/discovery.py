"""Discovery: stevedore finds what is installed, pluggy calls it. No other file touches either.

One broken plugin does not stop the others: what is wrong with it is a `LoadProblem`, shown by ``rave plugins`` and
``rave doctor``, and fatal only where ``load_error_fatal`` is set.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from stevedore import ExtensionManager

from rave_core import expiry, hookspecs
from rave_core.backend import BackendFactory
from rave_core.clock import Clock
from rave_core.codecs import Codecs
from rave_core.converters import Converter, named
from rave_core.errors import PluginError, RaveError, RaveWarning, describe_error, nearest
from rave_core.events import BusFactory
from rave_core.plugins.provenance import doubt_of
from rave_core.plugins.slow import Waiting
from rave_core.registry import Registry
from rave_core.settings import Settings
from rave_core.versions import strategies
from rave_core.versions.loaded_files import State, state_of

_log = logging.getLogger("rave")

PLUGINS = "rave.plugins"
NAMESPACES = "rave.namespaces"


@dataclass(frozen=True, slots=True)
class LoadProblem:
    """A problem with a plugin or namespace.

    Attributes:
        name: of the entry point.
        origin: what the entry point names, such as ``rave_flow.plugin``.
        error: what is wrong, in words.
    """

    name: str
    origin: str
    error: str

    def __str__(self) -> str:
        return f"{self.name} ({self.origin}): {self.error}"


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that was found: a module or object with hooks."""

    name: str
    origin: str
    plugin: object


def found_entry_points(group: str) -> list[EntryPoint]:
    """The installed entry points of ``group``, by name.

    stevedore caches them for the life of the process, and on disk by times rounded to two minutes. This function
    gives it the present list, so that it sees a fresh install.
    """
    return _in_order(group, entry_points(group=group))


def _in_order(group: str, found: Iterable[EntryPoint]) -> list[EntryPoint]:
    ExtensionManager.ENTRY_POINT_CACHE[group] = list(found)
    manager: ExtensionManager[Any] = ExtensionManager.make_test_instance([], namespace=group)
    unique = {(entry.name, entry.value): entry for entry in manager.list_entry_points()}
    return [unique[key] for key in sorted(unique)]


def load(entry: EntryPoint) -> tuple[Any, LoadProblem | None]:
    """What an entry point names, or the problem that prevents loading, including an exit or a failed assertion.

    Installed code that others may change is not loaded, with a warning; see `rave_core.plugins.provenance`.
    """
    reason = doubt_of(entry)
    if reason is not None:
        problem = LoadProblem(entry.name, entry.value, f"is refused: {reason}")
        warnings.warn(str(problem), RaveWarning, stacklevel=2)  # programs seldom show what is logged
        return None, problem
    try:
        return entry.load(), None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # third-party modules may raise anything
        _log.debug("%s could not be loaded", entry, exc_info=True)
        return None, LoadProblem(entry.name, entry.value, f"could not be loaded: {type(error).__name__}: {error}")


def _seen_before(group: str) -> list[EntryPoint]:
    """The entry points of ``group``, which are read together with the other's: that takes 8 ms of a first call.

    They are read again if anything was installed since then.
    """
    return _in_order(group, _entry_points(tuple((path, state_of(path or ".")) for path in sys.path))[group])


@lru_cache(maxsize=1)
def _entry_points(_: tuple[tuple[str, State | None], ...]) -> dict[str, list[EntryPoint]]:
    found = entry_points()
    return {group: list(found.select(group=group)) for group in (PLUGINS, NAMESPACES)}


def found_plugins(group: str, disabled: Collection[str]) -> tuple[list[FoundPlugin], list[LoadProblem]]:
    """The plugins of a group of entry points, except those named in ``disabled``, and what kept others from loading.

    Each problem is logged.
    """
    return _loaded(found_entry_points(group), disabled)


def _loaded(entries: Iterable[EntryPoint], disabled: Collection[str]) -> tuple[list[FoundPlugin], list[LoadProblem]]:
    found, problems = [], []
    with Waiting() as waiting:
        for entry in entries:
            if entry.name in disabled:
                continue
            waiting.on(entry.name, f"the import of {entry.value}")
            plugin, problem = load(entry)
            if problem is None:
                found.append(FoundPlugin(entry.name, entry.value, plugin))
            else:
                problems.append(problem)
                _log.warning("plugin %s", problem)
    return found, problems


class Plugins:
    """The loaded plugins, what they registered, and what went wrong.

    Attributes:
        hooks: pluggy's relay, for questions and observers.
        backends, buses, strategies, versions, converters, pools, documents: by name.
        codecs: in the order in which they are asked.
        problems: in the order found.
    """

    def __init__(self, found: Iterable[FoundPlugin] = (), problems: Iterable[LoadProblem] = ()) -> None:
        self.problems: list[LoadProblem] = list(problems)
        self.backends: Registry[BackendFactory] = Registry("backend")
        self.buses: Registry[BusFactory] = Registry("bus of events")
        self.strategies: Registry[expiry.Strategy] = _registry("expiration strategy", expiry.BUILTIN)
        self.versions: Registry[strategies.VersionStrategy] = _registry("version strategy", strategies.BUILTIN)
        self.converters: Registry[Converter] = _registry("converter", named.BUILTIN)
        self.documents: Registry[Callable[[str, Clock], object]] = Registry("document store")
        self.pools: Registry[Callable[[Settings], object]] = Registry("pool")
        self.codecs = Codecs()
        self._manager = pluggy.PluginManager("rave")
        self._manager.add_hookspecs(hookspecs)
        self.hooks: Any = self._manager.hook
        self.found: list[FoundPlugin] = []
        with Waiting() as waiting:
            for each in found:
                self._add(each, waiting)

    @cached_property
    def commands(self) -> Registry[Any]:
        """The commands of ``rave``, by name.

        They are collected, and their problems added, on first use: they import what only a command needs, and
        programs that call operations do not need that.
        """
        registry: Registry[Any] = Registry("command")
        for each in self.found:
            self._collect(each, "rave_register_commands", registry)
        return registry

    @classmethod
    def installed(cls, disabled: Sequence[str] = ()) -> Plugins:
        """The plugins of the entry-point group ``rave.plugins`` except those in ``disabled``. Cached per process."""
        return _installed(tuple(disabled))

    def implements(self, hook: str) -> bool:
        """Whether any plugin implements ``hook``; if not, a fast path can skip it."""
        return bool(getattr(self.hooks, hook).get_hookimpls())

    def calls(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Each plugin by the name of its entry point, with a function that calls one hook of it, by name."""
        for each in self.found:
            yield each.name, partial(self._call, each)

    def _call(self, found: FoundPlugin, hook: str, **arguments: Any) -> Any:
        others = [plugin for _, plugin in self._manager.list_name_plugin() if plugin not in (None, found.plugin)]
        return self._manager.subset_hook_caller(hook, others)(**arguments)

    def mistakes(self, settings: Settings) -> list[str]:
        """What is wrong in the tables of plugins, the service's among them, in words: one text for each plugin."""
        found = []
        with Waiting() as waiting:
            for each in self.found:
                waiting.on(each.name, "rave_check_settings")
                try:
                    self._call(each, "rave_check_settings", settings=settings)
                except RaveError as error:
                    found.append(str(error))
                except Exception as error:  # noqa: BLE001  # third-party hooks may raise anything
                    _log.debug("rave_check_settings of %s failed", each.name, exc_info=True)
                    found.append(f"rave_check_settings of {each.name} failed: {describe_error(error)}")
        return found

    def check(self) -> None:
        """Raises an error if there are problems.

        Raises:
            PluginError: there are; the message lists them.
        """
        if self.problems:
            raise PluginError("; ".join(map(str, self.problems)))

    def _add(self, found: FoundPlugin, waiting: Waiting) -> None:
        problem = self._register(found)
        if problem:
            if self._manager.get_plugin(found.name) is found.plugin:
                self._manager.unregister(name=found.name)
            self._complain(found, problem)
            return
        self.found.append(found)
        for hook, registry in (
            ("rave_register_backends", self.backends),
            ("rave_register_buses", self.buses),
            ("rave_register_codecs", self.codecs),
            ("rave_register_strategies", self.strategies),
            ("rave_register_versions", self.versions),
            ("rave_register_converters", self.converters),
            ("rave_register_documents", self.documents),
            ("rave_register_pools", self.pools),
        ):
            waiting.on(found.name, hook)
            self._collect(found, hook, registry)

    def _register(self, found: FoundPlugin) -> str | None:
        try:
            self._manager.register(found.plugin, name=found.name)
            return self._misspelt(found.plugin)
        except Exception as error:  # noqa: BLE001  # a third-party object may raise anything, even on access
            return str(error) or type(error).__name__

    def _misspelt(self, plugin: object) -> str | None:
        known = [name for name in vars(hookspecs) if name.startswith("rave_")]
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                return f"there is no hook {caller.name!r}; {nearest(caller.name, known)}"
        for name in dir(plugin):
            if name in known and not hasattr(getattr(plugin, name), "rave_impl") and callable(getattr(plugin, name)):
                return f"{name} lacks its decorator @hookimpl (from rave_core.hookspecs), so it would never be called"
        return None

    def _collect(self, found: FoundPlugin, hook: str, registry: object) -> None:
        try:
            self._call(found, hook, registry=registry)
        except Exception as error:  # noqa: BLE001  # third-party hooks may raise anything
            _log.debug("%s of %s failed", hook, found.name, exc_info=True)
            self._complain(found, f"{hook} failed: {type(error).__name__}: {error}")

    def _complain(self, found: FoundPlugin, error: str) -> None:
        problem = LoadProblem(found.name, found.origin, error)
        self.problems.append(problem)
        _log.warning("plugin %s", problem)


def _registry(kind: str, builtin: dict[str, Any]) -> Registry[Any]:
    registry: Registry[Any] = Registry(kind)
    for name, thing in builtin.items():
        registry.add(name, thing, origin="rave_core")
    return registry


@lru_cache(maxsize=8)
def _installed(disabled: tuple[str, ...]) -> Plugins:
    return Plugins(*_loaded(_seen_before(PLUGINS), disabled))


@lru_cache(maxsize=1)
def namespace_packages() -> dict[str, str]:
    """A mapping from the packages that are namespaces to the namespaces' names; nothing is imported.

    Of two packages that claim one name, the first keeps it.
    """
    packages: dict[str, str] = {}
    names: set[str] = set()
    for entry in _seen_before(NAMESPACES):
        if entry.name not in names and doubt_of(entry) is None:
            packages.setdefault(entry.value.partition(":")[0].strip(), entry.name)
            names.add(entry.name)
    return packages

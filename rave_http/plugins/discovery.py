"""Discovery of the service's own plugins: the entry-point group ``rave.http``, whose hooks the core does not know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import pluggy

from rave_core.errors import PluginError, nearest
from rave_core.plugins.discovery import FoundPlugin, LoadProblem, found_plugins
from rave_core.plugins.slow import Waiting
from rave_core.registry import Registry
from rave_core.settings import Settings
from rave_http import hookspecs
from rave_http.executors import ExecutorFactory
from rave_http.executors.builtin import BUILTIN
from rave_http.hookspecs import ResourceContext, Route

GROUP = "rave.http"
_log = logging.getLogger("rave.http")


class HttpPlugins:
    """The loaded plugins of the service, what they registered, and what went wrong.

    Attributes:
        hooks: pluggy's relay.
        executors: by name.
        problems: in the order found. A broken plugin does not stop the others.
    """

    def __init__(self, found: Iterable[FoundPlugin] = (), problems: Iterable[LoadProblem] = ()) -> None:
        self.problems = list(problems)
        self.executors: Registry[ExecutorFactory] = Registry("executor")
        for name, factory in BUILTIN.items():
            self.executors.add(name, factory, origin="rave_http")
        self._origins: dict[str, str] = {}
        self._manager = pluggy.PluginManager("rave_http")
        self._manager.add_hookspecs(hookspecs)
        self.hooks: Any = self._manager.hook
        with Waiting() as waiting:
            for each in found:
                waiting.on(each.name, "rave_register_executors")
                self._add(each)

    @classmethod
    def installed(cls, disabled: Collection[str] = ()) -> HttpPlugins:
        """The plugins of the group ``rave.http``, except those named in ``disabled``."""
        return cls(*found_plugins(GROUP, disabled))

    def check(self) -> None:
        """Raises if there are problems.

        Raises:
            PluginError: there are; the message lists them.
        """
        if self.problems:
            raise PluginError("; ".join(map(str, self.problems)))

    def middleware(
        self,
        settings: Settings,
        is_sound: Callable[[object], bool],
        kept_apart: Callable[[object, str], object] = lambda component, _plugin: component,
    ) -> list[object]:
        """The middleware of all plugins, the outermost first. A plugin that fails is left out and becomes a problem.

        Args:
            settings: all of them, for those that depend on any.
            is_sound: raises any exception, or returns false, for anything that is not middleware.
            kept_apart: what is used in place of a piece of middleware, and the name of its plugin.
        """
        found: list[object] = []
        impls = self.hooks.rave_http_middleware.get_hookimpls()
        for impl in reversed(impls):  # pluggy asks the plugin that came last first
            others = [each.plugin for each in impls if each.plugin is not impl.plugin]
            try:
                with Waiting() as waiting:
                    waiting.on(impl.plugin_name, "rave_http_middleware")
                    answers = self._manager.subset_hook_caller("rave_http_middleware", others)(settings=settings)
                given = [each for answer in answers for each in answer or ()]
                unsound = [each for each in given if not is_sound(each)]
                if unsound:
                    raise PluginError(f"{unsound[0]!r} is not middleware")
            except Exception as error:  # noqa: BLE001  # a stranger's hook may raise anything
                self._note(impl.plugin_name, f"rave_http_middleware failed: {str(error) or type(error).__name__}")
            else:
                found.extend(kept_apart(each, impl.plugin_name) for each in given)
        return found

    def routes(self, context: ResourceContext, taken: Collection[str]) -> list[tuple[str, Route]]:
        """The routes of all plugins, each with the name of its plugin, in the order found.

        If one route of a plugin is wrong or clashes with another's, all routes of the plugin are left out, and that
        becomes a problem.

        Args:
            context: what the plugins get.
            taken: the first parts of the service's own paths.
        """
        owners = dict.fromkeys(taken, "the service itself")
        found: list[tuple[str, Route]] = []
        for impl in self.hooks.rave_http_resources.get_hookimpls():
            try:
                with Waiting() as waiting:
                    waiting.on(impl.plugin_name, "rave_http_resources")
                    given = self._routes_of(impl, context)
                _check_routes(given, owners)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # a stranger's hook may raise anything
                self._note(impl.plugin_name, f"rave_http_resources failed: {str(error) or type(error).__name__}")
            else:
                owners |= {route.owned: f"the plugin {impl.plugin_name!r}" for route in given}
                found.extend((impl.plugin_name, route) for route in given)
        return found

    def _routes_of(self, impl: pluggy.HookImpl, context: ResourceContext) -> list[Route]:
        others = [plugin for _, plugin in self._manager.list_name_plugin() if plugin is not impl.plugin]
        answers = self._manager.subset_hook_caller("rave_http_resources", others)(context=context)
        return [route for answer in answers for route in answer or ()]

    def _note(self, name: str, error: str) -> None:
        self.problems.append(LoadProblem(name, self._origins[name], error))
        _log.warning("plugin %s", self.problems[-1])

    def _add(self, found: FoundPlugin) -> None:
        self._origins[found.name] = found.origin
        try:
            self._manager.register(found.plugin, name=found.name)
            self._refuse_misspelt(found.plugin)
            others = [plugin for _, plugin in self._manager.list_name_plugin() if plugin not in (None, found.plugin)]
            self._manager.subset_hook_caller("rave_register_executors", others)(registry=self.executors)
        except Exception as error:  # noqa: BLE001  # a stranger's object may raise anything, even when looked at
            if self._manager.get_plugin(found.name) is found.plugin:
                self._manager.unregister(name=found.name)
            self._note(found.name, str(error) or type(error).__name__)

    def _refuse_misspelt(self, plugin: object) -> None:
        known = [name for name in vars(hookspecs) if name.startswith("rave_")]
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                raise PluginError(f"there is no hook {caller.name!r}; {nearest(caller.name, known)}")


def _check_routes(routes: Iterable[Route], owners: Mapping[str, str]) -> None:
    """Raises if the routes of a plugin are wrong, or clash.

    Raises:
        PluginError: the message says with what.
    """
    shapes: dict[str, str] = {}
    for route in routes:
        if not isinstance(route, Route):
            raise PluginError(f"{route!r} is not a Route")
        route.check()
        if route.owned in owners:
            raise PluginError(f"route {route.path!r}: '/-/{route.owned}' belongs to {owners[route.owned]}")
        if route.shape in shapes:
            raise PluginError(f"route {route.path!r} clashes with {shapes[route.shape]!r}")
        shapes[route.shape] = route.path

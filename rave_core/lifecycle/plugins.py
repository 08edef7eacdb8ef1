"""The plugins of a process that runs for long: started in the order of what they require, stopped in reverse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rave_core.clock import Clock
from rave_core.errors import PluginError, describe_error
from rave_core.events import Events
from rave_core.lifecycle.declaration import Declaration, starting_order
from rave_core.lifecycle.machine import Lifecycle, State
from rave_core.lifecycle.release_order import check_release, release_order
from rave_core.lifecycle.service import Service
from rave_core.settings import Settings

_log = logging.getLogger("rave")

HookCall = Callable[..., Any]
"""Calls one hook of one plugin, by its name and with keywords."""


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plugin gets when it starts. `rave_core.current_runtime` gives caches, documents and the rest.

    Attributes:
        settings: with the table of every plugin.
        events: where to publish what happens, and to subscribe to it.
        clock: the source of time.
        args: what the release gives this plugin; empty without one.
    """

    settings: Settings
    events: Events
    clock: Clock
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PluginState:
    """How a plugin is.

    Attributes:
        name: that it declares; by default, that of its entry point.
        version: that it declares; ``0`` by default.
        requires: the plugins that have to run before it does.
        state: of its life.
        error: why it is in the state ``error``; empty otherwise.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    state: State
    error: str = ""


class _Member:
    """One plugin with its life."""

    def __init__(self, entry: str, call: HookCall, context: PluginContext) -> None:
        self.entry = entry
        self.call = call
        self.error = ""
        self.declaration = Declaration(entry)
        self.context = context
        handlers: dict[str, Callable[[], object]] = {
            "activate": lambda: call("rave_start", context=self.context),
            "deactivate": self._drain,
            "terminate": lambda: call("rave_stop", context=self.context),
        }
        self.grace = 0.0
        self.life = Lifecycle(f"plugin {entry}", handlers, self._changed)

    def declare(self) -> None:
        try:
            found = next((each for each in self.call("rave_plugin") if each is not None), None)
            if found is not None and not isinstance(found, Declaration):
                raise PluginError(f"rave_plugin returned {found!r}; expected a Declaration")
            self.declaration = found or self.declaration
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's hook may raise anything
            self.fail(f"rave_plugin failed: {describe_error(error)}")

    def fail(self, error: str) -> None:
        self.error = error
        self.life.fail()

    def enter(self, event: str) -> bool:
        """Lets an event happen. Returns whether it went well; if not, the error is kept and logged."""
        try:
            self.life.enter(event)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
            self.error = f"{event} failed: {describe_error(error)}"
            _log.error("plugin %s: %s", self.declaration.name, self.error, exc_info=error)
            return False
        return True

    def _drain(self) -> None:
        self.call("rave_drain", seconds=self.grace)

    def _changed(self, state: State) -> None:
        data = {"plugin": self.declaration.name, "state": str(state), "error": self.error}
        self.context.events.publish("plugin.state", data)


class RunningPlugins:
    """Starts and stops the plugins of one process. One thread at a time may start and stop them."""

    def __init__(self, calls: Iterator[tuple[str, HookCall]], context: PluginContext) -> None:
        """Calls nothing yet.

        Args:
            calls: the plugins, each with the name of its entry point, as `Plugins.calls` gives them.
            context: what they get.
        """
        self._members = [_Member(entry, call, context) for entry, call in calls]
        self._order: list[_Member] = []
        self._context = context

    def start(self) -> None:
        """Starts them: those of the release, or all. One that fails leaves the others up; see `states`."""
        named, order = self._declared
        for member in self._members:
            if member.error:
                _log.error("plugin %s does not start: %s", member.declaration.name, member.error)
        for member in self._chosen(named, order):
            self._begin(member, named)

    def check(self) -> None:
        """Starts nothing.

        Raises:
            ConfigurationError: the release names a plugin that is not there, or can't start.
        """
        settings = self._context.settings
        if settings.release is None:
            return
        named, _ = self._declared
        wrong = {member.declaration.name: member.error for member in self._members if member.error}
        declared = {name: member.declaration for name, member in named.items()}
        check_release(settings.release, declared, wrong, settings.disabled_plugins)

    def declare(self) -> list[PluginState]:
        """What they declare, and why some could not start; starts nothing. In the order of a start, those last."""
        named, order = self._declared
        wrong = [member for member in self._members if member.error]
        return [_state(each) for each in (*(named[name] for name in order), *wrong)]

    @cached_property
    def _declared(self) -> tuple[dict[str, _Member], list[str]]:
        """The members by the names that they declare, and the names of those that can start, in order."""
        for member in self._members:
            member.declare()
        named: dict[str, _Member] = {}
        for member in self._members:
            if member.life.state is not State.ERROR:
                earlier = named.setdefault(member.declaration.name, member)
                if earlier is not member:
                    member.fail(f"another plugin is named {member.declaration.name!r}, too")
        order, wrong = starting_order({name: member.declaration for name, member in named.items()})
        for name, error in wrong.items():
            named[name].fail(error)
        return named, order

    def _chosen(self, named: dict[str, _Member], order: list[str]) -> Iterator[_Member]:
        """Those to start, in their order, with the arguments of the release."""
        apps = self._context.settings.release
        if apps is None:
            yield from (named[name] for name in order)
            return
        begun: set[str] = set()
        for name, app in release_order(apps, {name: named[name].declaration for name in order}):
            member = named[name]
            if name in begun:
                member = _Member(member.entry, member.call, self._context)
                member.declaration = named[name].declaration
                self._members.append(member)
            begun.add(name)
            if app is not None:
                member.context = replace(self._context, args=app.args)
            yield member

    def drain(self, seconds: float) -> None:
        """Tells them, in reverse order, that the process stops in about so many seconds."""
        for member in reversed(self._order):
            if member.life.state is State.ACTIVE:
                member.grace = seconds
                member.enter("deactivate")

    def stop(self) -> None:
        """Stops those that run, in reverse order."""
        self.drain(0.0)
        for member in reversed(self._order):
            if member.life.state is State.READY:
                member.enter("terminate")

    def services(self) -> list[Service]:
        """The services of the plugins that run, in the order of their start. One that fails to give them has none."""
        found: list[Service] = []
        for member in self._order:
            if member.life.state is State.ACTIVE:
                found.extend(self._services_of(member, {service.name for service in found}))
        return found

    def states(self) -> list[PluginState]:
        """How each plugin is, in the order found."""
        return [_state(each) for each in self._members]

    def _begin(self, member: _Member, named: dict[str, _Member]) -> None:
        for requirement in member.declaration.requirements():
            needed = named[requirement.name]
            if needed.life.state is not State.ACTIVE:
                member.fail(f"{member.declaration.name} requires {requirement}: {needed.error}")
                return
        if member.enter("initialize") and member.enter("activate"):
            self._order.append(member)

    def _services_of(self, member: _Member, taken: set[str]) -> list[Service]:
        try:
            given = [each for answer in member.call("rave_services", context=member.context) for each in answer or ()]
            for service in given:
                if not isinstance(service, Service):
                    raise PluginError(f"{service!r} is not a Service")
                if service.name in taken:
                    raise PluginError(f"another plugin has a service {service.name!r}, too")
                taken.add(service.name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
            member.error = f"rave_services failed: {describe_error(error)}"
            _log.error("plugin %s: %s", member.declaration.name, member.error, exc_info=error)
            return []
        return given


def _state(member: _Member) -> PluginState:
    declared = member.declaration
    return PluginState(declared.name, declared.version, tuple(declared.requires), member.life.state, member.error)

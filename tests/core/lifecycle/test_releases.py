"""A release says which plugins start, in which order, and with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rave_core import Runtime
from rave_core.errors import ConfigurationError
from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Declaration, PluginContext, RunningPlugins, Service, State
from rave_core.plugins.discovery import FoundPlugin, Plugins

Make = Callable[..., Runtime]


class Plugin:
    """Notes how it starts."""

    def __init__(self, name: str, requires: tuple[str, ...], started: list[tuple[str, Any]], fails: bool) -> None:
        self.name, self.requires, self.started, self.fails = name, requires, started, fails

    @hookimpl
    def rave_plugin(self) -> Declaration:
        """Its name."""
        return Declaration(self.name, "1.5", self.requires)

    @hookimpl
    def rave_start(self, context: PluginContext) -> None:
        """Notes its arguments."""
        self.started.append((self.name, dict(context.args)))
        if self.fails:
            raise RuntimeError("no luck")

    @hookimpl
    def rave_services(self, context: PluginContext) -> list[Service]:
        """One, named by the arguments."""
        return [Service(f"{self.name}{context.args.get('n', '')}", int, int)]


@pytest.fixture(name="start")
def _start(make_runtime: Make) -> Callable[..., tuple[RunningPlugins, list[tuple[str, Any]]]]:
    """Makes the plugins ``a``, ``b`` (which requires ``a``) and ``c`` with a release, and what they note."""

    def make(*apps: dict[str, Any], fails: str = "") -> tuple[RunningPlugins, list[tuple[str, Any]]]:
        started: list[tuple[str, Any]] = []
        plugins = {"c": (), "b": ("a>=1",), "a": ()}
        found = [
            FoundPlugin(name, f"{name}.module", Plugin(name, requires, started, name == fails))
            for name, requires in plugins.items()
        ]
        runtime = make_runtime(release={"apps": apps}, disabled_plugins=["off"])
        context = PluginContext(runtime.settings, runtime.events, runtime.clock)
        return RunningPlugins(Plugins(found).calls(), context), started

    return make


def test_only_its_apps_start_in_its_order_after_what_they_require(start: Any) -> None:
    """Others stay as they are, and have no services."""
    running, started = start({"name": "b", "args": {"x": 1}})
    running.check()
    running.start()
    assert started == [("a", {}), ("b", {"x": 1})]
    assert [service.name for service in running.services()] == ["a", "b"]
    assert {each.name: each.state for each in running.states()} == {
        "a": State.ACTIVE,
        "b": State.ACTIVE,
        "c": State.INIT,
    }
    running.stop()
    running, started = start({"name": "c"}, {"name": "a", "args": {"y": 2}}, {"name": "b"})
    running.start()
    assert started == [("c", {}), ("a", {"y": 2}), ("b", {})]


def test_mult_starts_an_app_once_more(start: Any) -> None:
    """With arguments of its own, and whether or not the first start went well."""
    apps = ({"name": "c", "args": {"n": 1}}, {"name": "a"}, {"name": "c", "mult": True, "args": {"n": 2}})
    running, started = start(*apps)
    running.start()
    assert started == [("c", {"n": 1}), ("a", {}), ("c", {"n": 2})]
    assert [service.name for service in running.services()] == ["c1", "a", "c2"]
    running.stop()
    assert [each.name for each in running.states() if each.state is State.TERMINATED] == ["c", "a", "c"]
    running, started = start(*apps, fails="c")
    running.start()
    assert [name for name, _ in started] == ["c", "a", "c"]
    assert [each.error for each in running.states() if each.name == "c"] == [
        "activate failed: RuntimeError: no luck"
    ] * 2


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ({"name": "bb"}, "app 'bb' can't start: no such plugin is installed; did you mean 'b'?"),
        ({"name": "off"}, "app 'off' can't start: the setting 'disabled_plugins' names it"),
        (
            {"name": "a", "version": ">=2"},
            "app 'a' can't start: the release wants the version >=2, and 1.5 is installed",
        ),
    ],
)
def test_what_can_not_start_is_an_error_that_names_it(start: Any, app: dict[str, Any], said: str) -> None:
    """Before anything starts."""
    running, started = start({"name": "a"} if app["name"] != "a" else {"name": "c"}, app)
    with pytest.raises(ConfigurationError) as caught:
        running.check()
    assert said in str(caught.value)
    assert started == []


def test_an_app_that_misses_what_it_requires_is_an_error(make_runtime: Make) -> None:
    """With the chain of requirements."""
    runtime = make_runtime(release={"apps": [{"name": "b"}]})
    found = FoundPlugin("b", "b.module", Plugin("b", ("a",), [], fails=False))
    running = RunningPlugins(Plugins([found]).calls(), PluginContext(runtime.settings, runtime.events, runtime.clock))
    with pytest.raises(ConfigurationError, match="app 'b' can't start: b requires a: no plugin 'a' is installed"):
        running.check()


def test_an_empty_release_starts_nothing(start: Any) -> None:
    """An empty list is no missing one."""
    running, started = start()
    running.start()
    assert (started, running.services()) == ([], [])

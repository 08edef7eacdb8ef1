"""Plugins start in the order of what they require, stop in reverse, and one that fails leaves the others up."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.errors import PluginError
from rave_core.events import Event
from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Declaration, PluginContext, RunningPlugins, Service, State
from rave_core.plugins.discovery import FoundPlugin, Plugins

CALLS: list[str] = []


def plugin(name: str, *requires: str, version: str = "1.0", **behaviour: Any) -> FoundPlugin:
    """A plugin that records its calls; ``behaviour`` is what a hook does, by its name without ``rave_``."""

    def do(hook: str) -> Any:
        CALLS.append(f"{hook} {name}")
        return behaviour.get(hook.split()[0], lambda: None)()

    class Plugin:
        @hookimpl
        def rave_plugin(self) -> Declaration:
            return do("plugin") or Declaration(name, version, requires)

        @hookimpl
        def rave_start(self, context: PluginContext) -> None:
            do("start")

        @hookimpl
        def rave_drain(self, seconds: float) -> None:
            do(f"drain {seconds:g}")

        @hookimpl
        def rave_stop(self) -> None:
            do("stop")

        @hookimpl
        def rave_services(self) -> Any:
            return do("services")

    return FoundPlugin(name, f"{name}.module", Plugin())


def fail(error: BaseException | None = None) -> Any:
    """Raises an exception when it is called."""

    def raise_it() -> Any:
        raise error or RuntimeError("no luck")

    return raise_it


@pytest.fixture(name="runtime")
def _runtime() -> Any:
    CALLS.clear()
    runtime = Runtime(Settings(cache="memory://"))
    yield runtime
    runtime.close()


def running(runtime: Runtime, *found: FoundPlugin) -> RunningPlugins:
    """These plugins, started."""
    context = PluginContext(runtime.settings, runtime.events, runtime.clock)
    made = RunningPlugins(Plugins(found).calls(), context)
    made.start()
    return made


def told(plugins: RunningPlugins) -> dict[str, str]:
    """The errors of those that have one."""
    return {each.name: each.error for each in plugins.states() if each.error}


def called(*hooks: str) -> list[str]:
    """The calls of these hooks, in order."""
    return [call for call in CALLS if call.split()[0] in hooks]


def test_they_start_after_what_they_require_and_stop_in_reverse(runtime: Runtime) -> None:
    """Whatever the order in which they were found; each change of state is an event."""
    seen: SimpleQueue[Event] = SimpleQueue()
    with runtime.events.subscribe("plugin.state", seen.put):
        made = running(runtime, plugin("c", "b>=1"), plugin("a"), plugin("b", "a>=1,<2"))
        assert called("start") == ["start a", "start b", "start c"]
        made.drain(5)
        made.stop()
        states = [seen.get(timeout=10).data for _ in range(12)]
    assert called("drain", "stop") == [
        "drain 5 c", "drain 5 b", "drain 5 a", "stop c", "stop b", "stop a",
    ]  # fmt: skip
    assert {each.state for each in made.states()} == {State.TERMINATED}
    assert [each["state"] for each in states if each["plugin"] == "a"] == ["ready", "active", "ready", "terminated"]


@pytest.mark.parametrize(
    ("found", "errors", "up"),
    [
        (
            [plugin("c", "b"), plugin("b", "a"), plugin("x")],
            {
                "b": "b requires a: no plugin 'a' is installed",
                "c": "c requires b: b requires a: no plugin 'a' is installed",
            },
            ["start x"],
        ),
        ([plugin("b", "a>=2"), plugin("a")], {"b": "b requires a>=2: the installed version is 1.0"}, ["start a"]),
        (
            [plugin("a", "b"), plugin("b", "a"), plugin("c", "a")],
            dict.fromkeys("ab", "the requirements go in a circle: {} → {} → {}")
            | {"c": "c requires a: the requirements go in a circle: {} → {} → {}"},
            [],
        ),
        (
            [plugin("b", "a"), plugin("a", start=fail()), plugin("c")],
            {
                "a": "activate failed: RuntimeError: no luck",
                "b": "b requires a: activate failed: RuntimeError: no luck",
            },
            ["start a", "start c"],
        ),
        ([plugin("a", start=fail(SystemExit(3)))], {"a": "activate failed: SystemExit: 3"}, ["start a"]),
        ([plugin("a", plugin=fail())], {"a": "rave_plugin failed: RuntimeError: no luck"}, []),
        (
            [plugin("a", plugin=lambda: 3)],
            {"a": "rave_plugin failed: PluginError: rave_plugin returned 3; expected a Declaration"},
            [],
        ),
        (
            [plugin("a", "b >>"), plugin("x")],
            {"a": "rave_plugin failed: PluginError: the declaration of 'a' can't be read"},
            ["start x"],
        ),
    ],
)  # fmt: skip
def test_what_can_not_start_says_why_and_leaves_the_others_up(
    runtime: Runtime, found: list[FoundPlugin], errors: dict[str, str], up: list[str]
) -> None:
    """With the chain of requirements."""
    made = running(runtime, *found)
    assert called("start") == up
    said = told(made)
    assert said.keys() == errors.keys()
    for name, error in errors.items():
        assert said[name].startswith(error.partition("{}")[0]), said
        assert error.count("→") == said[name].count("→")
    made.stop()
    failed = {call.split()[1] for call in up} - set(said)
    assert {call.split()[1] for call in called("stop")} == failed


def test_two_of_one_name_are_an_error_of_the_second(runtime: Runtime) -> None:
    """By what they declare, not by their entry points."""
    made = running(runtime, plugin("a"), plugin("b", plugin=lambda: Declaration("a")))
    assert [(each.name, each.state) for each in made.states()] == [("a", State.ACTIVE), ("a", State.ERROR)]
    assert called("start") == ["start a"]


def test_a_plugin_that_fails_to_stop_does_not_keep_others_from_it(runtime: Runtime) -> None:
    """It is logged and in its state."""
    made = running(runtime, plugin("a"), plugin("b", drain=fail(), stop=fail()), plugin("c", stop=fail()))
    made.stop()
    assert [str(each.state) for each in made.states()] == ["terminated", "error", "error"]
    assert "terminate failed: RuntimeError: no luck" in told(made)["c"]


def test_services_have_names_of_their_own(runtime: Runtime) -> None:
    """A plugin that takes another's name, or gives something else, has none, and says so."""
    service = Service("tidy", lambda: None, lambda: None)
    made = running(
        runtime,
        plugin("a", services=lambda: [service]),
        plugin("b", services=lambda: [service]),
        plugin("c", services=lambda: [3]),
        plugin("d", services=fail()),
        plugin("e", start=fail(), services=lambda: [Service("late", lambda: None, lambda: None)]),
    )
    assert made.services() == [service]
    said = told(made)
    assert "another plugin has a service 'tidy', too" in said["b"]
    assert "3 is not a Service" in said["c"]
    assert "no luck" in said["d"]


def test_a_declaration_that_can_not_be_read_is_refused() -> None:
    """Its version, or a requirement."""
    for wrong in ({"version": "one"}, {"requires": ["journal >> 1"]}):
        with pytest.raises(PluginError, match="the declaration of 'x' can't be read"):
            Declaration("x", **wrong)  # type: ignore[arg-type]  # what a user may give

"""Routes of plugins are checked before the service starts; what is wrong is told with what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core.errors import PluginError
from rave_core.plugins.discovery import FoundPlugin
from rave_http.hookspecs import Route, hookimpl
from rave_http.plugins.discovery import HttpPlugins


class Answer:
    """A resource."""

    def on_get(self, req: Any, resp: Any) -> None:
        """Answers."""


VIEW = {"GET": "view"}


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route("/lab/x", Answer(), VIEW), "route '/lab/x': expected a path below '/-/', such as '/-/guests'"),
        (Route("/-/{x}/y", Answer(), VIEW), "must be a name in lower case"),
        (Route("/-/", Answer(), VIEW), "must be a name in lower case"),
        (Route("/-/x", Answer(), {}), "it needs 'permissions', such as"),
        (Route("/-/x", Answer(), {"get": "view"}), "unknown method 'get'"),
        (Route("/-/x", Answer(), {"GET": "veiw"}), "unknown permission 'veiw'; did you mean 'view'?"),
        (Route("/-/x", Answer(), {"POST": "write"}), "Answer has no 'on_post'"),
        (Route("/-/x/{a}", Answer(), VIEW, namespace="{b}"), "'namespace' names the field 'b'; known: a"),
        (Route("/-/x/{a}", Answer(), VIEW, title="X"), "a page in the menu has no fields"),
        (Route("/-/x", Answer(), VIEW, limit=0), "'limit' is 0; expected at least 1"),
    ],
)
def test_a_wrong_route_is_refused(route: Route, said: str) -> None:
    """With its path, what is wrong, and what would be right."""
    with pytest.raises(PluginError) as caught:
        route.check()
    assert said in str(caught.value)


def found(name: str, give: Any) -> FoundPlugin:
    """A plugin whose hook gives what ``give`` returns."""

    class Plugin:
        @hookimpl
        def rave_http_resources(self) -> Any:
            return give()

    return FoundPlugin(name, f"{name}.module", Plugin())


def fail() -> Any:
    """Ends the process, if it may."""
    raise SystemExit(3)


def test_routes_of_a_wrong_plugin_are_left_out_together() -> None:
    """One that clashes with itself, with another or with the service; one that gives no route; one that leaves."""
    one = Route("/-/journal:{name}/{key}", Answer(), VIEW)
    other = Route("/-/journal", Answer(), VIEW)
    made = HttpPlugins(
        [
            found("first", lambda: [one, other]),
            found("again", lambda: [Route("/-/fine", Answer(), VIEW), Route("/-/journal:{x}", Answer(), VIEW)]),
            found("twice", lambda: [Route("/-/a/{x}", Answer(), VIEW), Route("/-/a/{y}", Answer(), VIEW)]),
            found("core", lambda: [Route("/-/cache", Answer(), VIEW)]),
            found("odd", lambda: [object()]),
            found("none", lambda: None),
            found("leaves", fail),
        ]
    )
    assert made.routes(None, {"cache"}) == [("first", one), ("first", other)]  # type: ignore[arg-type]  # none asks it
    told = {problem.name: problem.error for problem in made.problems}
    assert "'/-/journal:{}' belongs to the plugin 'first'" in told["again"]
    assert "'/-/a/{y}' clashes with '/-/a/{x}'" in told["twice"]
    assert "'/-/cache' belongs to the service itself" in told["core"]
    assert "is not a Route" in told["odd"]
    assert told["leaves"] == "rave_http_resources failed: 3"
    assert set(told) == {"again", "twice", "core", "odd", "leaves"}

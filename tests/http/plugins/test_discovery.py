"""Plugins of the service: one that fails does not take the others with it."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core import Settings
from rave_core.errors import PluginError
from rave_core.plugins.discovery import FoundPlugin
from rave_http.app import is_sound
from rave_http.hookspecs import hookimpl
from rave_http.plugins.discovery import HttpPlugins


class Mark:
    """Middleware that does nothing."""

    async def process_request(self, req: Any, resp: Any) -> None:
        """Lets everything pass."""


def plugin(name: str, give: Any) -> FoundPlugin:
    """A plugin whose hook does what ``give`` does."""

    class Plugin:
        @hookimpl
        def rave_http_middleware(self) -> Any:
            return give()

    return FoundPlugin(name, f"{name}.module", Plugin())


def fail() -> Any:
    """Fails as a stranger's code may."""
    raise RuntimeError("of a stranger")


def test_the_middleware_of_a_failing_plugin_is_left_out_and_told_of() -> None:
    """One that raises, one whose middleware is none, one that gives no list; the others are asked all the same."""
    first, last = Mark(), Mark()
    made = HttpPlugins(
        [
            plugin("first", lambda: [first]),
            plugin("fails", fail),
            plugin("odd", lambda: [Mark(), object()]),
            plugin("number", lambda: 3),
            plugin("none", lambda: None),
            plugin("last", lambda: [last]),
        ]
    )
    assert made.middleware(Settings(), is_sound) == [last, first]
    assert {problem.name: problem.origin for problem in made.problems} == {
        each: f"{each}.module" for each in ("number", "odd", "fails")
    }
    with pytest.raises(PluginError, match="of a stranger"):
        made.check()

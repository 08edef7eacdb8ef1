"""The testing kit's isolated plugins: those that a test names, and nothing else that is installed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core import Runtime, Settings, op, using
from rave_core.errors import ConfigurationError
from rave_core.hookspecs import hookimpl
from rave_core.testing import isolated_plugins


class Weekly:
    """A plugin with one strategy."""

    @hookimpl
    def rave_register_strategies(self, registry: Any) -> None:
        """Adds ``weekly``."""
        registry.add("weekly", lambda request: request.generated_at + 7 * 86400, origin="Weekly")


def test_only_the_named_plugins_are_there() -> None:
    """Ours and the backends, but not the flow plugin, which is installed beside them."""
    plugins = isolated_plugins(Weekly())
    assert [found.name for found in plugins.found] == ["backends", "Weekly-0"]
    assert sorted(plugins.strategies) == ["forever", "nocache", "weekly"]
    assert "flow_measure" not in plugins.converters
    assert plugins.problems == []


def test_a_runtime_answers_with_them(tmp_path: Path) -> None:
    """What the plugin registered works, as it would for a user who installed it."""

    @op(name="report", expires="weekly")
    def report(x: int) -> int:
        return x

    settings = Settings(cache=f"file://{tmp_path}/data", products=f"file://{tmp_path}/products")
    with using(Runtime(settings, plugins=isolated_plugins(Weekly()))):
        entry = report.resolve(1).entry
        assert entry is not None
        assert entry.expires_at - entry.created_at == 7 * 86400


def test_what_is_wrong_with_a_plugin_shows_as_it_would_for_a_user() -> None:
    """A hook without its decorator would never be called, and that is said."""
    plugins = isolated_plugins(SimpleNamespace(rave_called=lambda call, outcome, seconds: None))
    assert "lacks its decorator @hookimpl" in str(plugins.problems[0])


def test_without_backends_nothing_can_be_opened() -> None:
    """Isolation is complete where it is asked for."""
    with pytest.raises(ConfigurationError, match="no backend is called 'memory'"):
        Runtime(Settings(cache="memory://", products="memory://"), plugins=isolated_plugins(keep=()))


def test_a_plugin_to_keep_must_be_installed() -> None:
    """The message lists those that are."""
    with pytest.raises(LookupError, match=r"no installed plugin is called 'backend'; installed: .*backends"):
        isolated_plugins(keep=["backend"])

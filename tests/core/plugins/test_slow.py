"""A program that waits for a plugin while it starts says for which one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core import Settings
from rave_core.hookspecs import hookimpl
from rave_core.plugins import discovery, slow
from rave_core.plugins.discovery import FoundPlugin, LoadProblem, Plugins
from rave_http.hookspecs import hookimpl as http_hookimpl
from rave_http.plugins.discovery import HttpPlugins

SECONDS = 20.0


class Told(logging.Handler):
    """What is said; a plugin can wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_told = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes it over."""
        self.words.append(record.getMessage())
        self._is_told.set()

    def wait(self) -> None:
        """Stands for what a plugin does that does not end."""
        assert self._is_told.wait(SECONDS), "nobody said what the program waits for"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What is said, soon."""
    monkeypatch.setattr(slow, "TELL_AFTER", 0.02)
    handler, log = Told(), logging.getLogger("rave")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


class Idle:
    """A plugin that is one hook."""

    def __init__(self, hook: str, function: object) -> None:
        setattr(self, hook, function)


def of(mark: Callable[[Any], Any], hook: str, function: Callable[..., None]) -> list[FoundPlugin]:
    """The plugin of that hook, as it is found."""
    return [FoundPlugin("idle", "idle.plugin", Idle(hook, mark(function)))]


START: dict[str, Callable[[Told], object]] = {
    "rave_register_converters": lambda told: Plugins(
        of(hookimpl, "rave_register_converters", lambda registry: told.wait())
    ),
    "rave_check_settings": lambda told: Plugins(
        of(hookimpl, "rave_check_settings", lambda settings: told.wait())
    ).mistakes(Settings()),
    "rave_register_executors": lambda told: HttpPlugins(
        of(http_hookimpl, "rave_register_executors", lambda registry: told.wait())
    ),
    "rave_http_middleware": lambda told: HttpPlugins(
        of(http_hookimpl, "rave_http_middleware", lambda settings: told.wait())
    ).middleware(Settings(), bool),
    "rave_http_resources": lambda told: HttpPlugins(
        of(http_hookimpl, "rave_http_resources", lambda context: told.wait())
    ).routes(SimpleNamespace(), ()),  # type: ignore[arg-type]  # the plugin does not look at it
}


@pytest.mark.parametrize("hook", START)
def test_a_plugin_that_does_not_end_is_named(hook: str, told: Told) -> None:
    """With its hook, and how to start without it."""
    START[hook](told)
    (words,) = told.words
    assert words.startswith(f"plugin idle: {hook} does not end")
    assert "disabled_plugins" in words


def test_an_import_that_does_not_end_is_named(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the module."""

    def load(_entry: EntryPoint) -> tuple[Any, LoadProblem | None]:
        told.wait()
        return SimpleNamespace(), None

    monkeypatch.setattr(discovery, "load", load)
    monkeypatch.setattr(discovery, "found_entry_points", lambda group: [EntryPoint("idle", "idle.plugin", group)])
    found, _ = discovery.found_plugins("rave.plugins", ())
    assert [each.name for each in found] == ["idle"]
    assert told.words[0].startswith("plugin idle: the import of idle.plugin does not end")


def test_of_plugins_that_are_quick_nothing_is_said(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no thread stays."""
    monkeypatch.setattr(slow, "TELL_AFTER", 3600.0)
    before = threading.active_count()
    with slow.Waiting() as waiting:
        waiting.on("quick", "rave_register_converters")
    assert threading.active_count() == before
    assert told.words == []

"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, using


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings and caches of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    for name in ("RAVE_CONFIG", "RAVE_CACHE", "RAVE_PRODUCTS", "RAVE_SIGNING_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_runtime(tmp_path: Path) -> Callable[..., Runtime]:
    """Makes runtimes over one pair of directories, as several processes would have them; keywords are settings."""

    def make(*, clock: Any = None, plugins: Any = None, **settings: Any) -> Runtime:
        settings.setdefault("cache", ["memory://", f"file://{tmp_path}/data"])
        settings.setdefault("products", [f"file://{tmp_path}/products"])
        return Runtime(Settings(**settings), clock=clock, plugins=plugins)

    return make


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Iterator[Runtime]:
    """A runtime of the test's own, in use: memory over a directory, products in another."""
    with using(make_runtime()) as entered:
        yield entered

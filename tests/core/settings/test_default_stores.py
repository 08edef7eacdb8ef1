"""The stores of those who configured none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rave_core.errors import RaveWarning
from rave_core.settings import Settings


def test_a_user_without_a_home_keeps_values_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container may run as a user without account: a warning says what to set, and nothing is in the way."""

    def unknown(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_path", unknown)
    monkeypatch.setattr("platformdirs.user_config_path", unknown)
    with pytest.warns(RaveWarning, match="no home directory.*XDG_CACHE_HOME"):
        settings = Settings.load(environ={}, cwd=tmp_path)
    assert settings.cache == ("memory://",)
    Settings.load(environ={"XDG_CACHE_HOME": str(tmp_path)}, cwd=tmp_path)
    Settings.load(environ={"RAVE_CACHE": "memory://"}, cwd=tmp_path)


def test_the_stores_that_nobody_configured_have_a_limit(tmp_path: Path) -> None:
    """Each is a twentieth of its disk."""
    settings = Settings.load(environ={"XDG_CACHE_HOME": str(tmp_path)}, cwd=tmp_path)
    share = shutil.disk_usage(tmp_path).total // 20 >> 20
    for url in (settings.cache[-1], *settings.products):
        assert url.endswith(f"?max_bytes={max(share, 64)}MiB")

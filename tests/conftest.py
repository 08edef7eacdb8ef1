"""Fixtures that every test may use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from rave_core import Runtime, Settings, using
from rave_core.testing.clock import FakeClock

# How long an example takes tells more of the machine than of the code.
hypothesis_settings.register_profile("rave", deadline=None)
hypothesis_settings.load_profile("rave")


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


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Runs Python in a process of its own over the directories of ``make_runtime``; gives what it printed, stripped.

    Keywords but ``cwd`` and ``fails`` are environment variables. No bytecode is kept: a test edits too fast for it.
    """

    def run(*arguments: str, cwd: Path | None = None, fails: bool = False, **environment: str) -> str:
        environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        environ |= {"RAVE_CACHE": f"file://{tmp_path}/data", "RAVE_PRODUCTS": f"file://{tmp_path}/products"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=cwd or tmp_path, env=environ | environment, capture_output=True, text=True
        )
        assert (done.returncode != 0) is fails, done.stderr
        return (done.stderr if fails else done.stdout).strip()

    return run


@pytest.fixture
def as_root() -> None:
    """For tests that mount a file system or give up root's rights: CI runs as root, and must; elsewhere they say so."""
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "CI runs these tests as root, so that none of them is left out"
        pytest.skip("this test mounts a file system, or gives up root's rights: run it as root, as CI does")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that goes only when told to."""
    return FakeClock()


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Gives what was printed since it was last asked, line by line: bodies print when they run."""
    return lambda: capsys.readouterr().out.splitlines()

"""What the tests here share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core.testing.clock import FakeClock
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import Access
from rave_http.settings import ServiceSettings
from tests.http.auth.principals import hooks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "config" / "keys.json"


@pytest.fixture
def store(path: Path, clock: FakeClock) -> KeyStore:
    """A store without keys yet."""
    return KeyStore(path, clock)


@pytest.fixture
def keys(tmp_path: Path, clock: FakeClock) -> KeyStore:
    """A store without keys yet."""
    return KeyStore(tmp_path / "keys.json", clock)


@pytest.fixture
def access(keys: KeyStore, clock: FakeClock) -> Callable[..., Access]:
    """Makes it from plugins and settings."""
    return lambda *plugins, **settings: Access(ServiceSettings(**settings), keys, hooks(*plugins), clock)

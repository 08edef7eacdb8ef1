"""The backend among processes that die or race each other, and in trouble: the contracts of `rave_core.testing`."""

from __future__ import annotations

import pytest
from rave_valkey.plugin import open_valkey

from rave_core.backend import StoreURL
from rave_core.testing import (
    ClockContract,
    CrashContract,
    DamageContract,
    NetworkContract,
    ProcessContract,
    SpaceContract,
)


class TestValkeyAmongProcesses(CrashContract, ProcessContract, ClockContract):
    opening = """
from rave_core.backend import StoreURL
from rave_valkey.plugin import open_valkey

def open_backend(place):
    return open_valkey(StoreURL(place))
"""
    lacks = frozenset({"files", "objects", "unpacking"})
    kills = 12

    @pytest.fixture
    def place(self, url):
        """The URL of an empty cache."""
        return url


class TestDamagedValkey(DamageContract):
    @pytest.fixture(autouse=True)
    def _where(self, url):
        self.url = url

    def open_backend(self, place):
        """An empty cache."""
        return open_valkey(StoreURL(self.url))


class TestFullValkey(SpaceContract):
    @pytest.fixture
    def cramped(self, start_valkey):
        """A server that evicts nothing, with room for some megabytes."""
        server = start_valkey("--maxmemory", "12mb", "--maxmemory-policy", "noeviction")
        return open_valkey(StoreURL(server.url()))


class TestValkeyOverBadNetwork(NetworkContract):
    @pytest.fixture
    def server(self, start_valkey):
        """A server of the test's own."""
        return "127.0.0.1", start_valkey().port

    def open_at(self, address):
        """A backend with little patience."""
        return open_valkey(StoreURL(f"valkey://127.0.0.1:{address[1]}/0?timeout=0.5s"))

"""What this package adds to RAVE: the backend ``valkey``, and the bus of events ``valkey``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.backend import Backend, BackendFactory, StoreURL
    from rave_core.events import Bus, BusFactory
    from rave_core.registry import Registry


@hookimpl
def rave_register_backends(registry: Registry[BackendFactory]) -> None:
    """Adds ``valkey``."""
    registry.add("valkey", open_valkey, origin=__name__)


@hookimpl
def rave_register_buses(registry: Registry[BusFactory]) -> None:
    """Adds ``valkey``."""
    registry.add("valkey", open_valkey_bus, origin=__name__)


def open_valkey_bus(url: StoreURL) -> Bus:
    """The bus at ``valkey://[user:password@]host:port/database?channel=rave:events&timeout=5s&tls=false``."""
    from rave_valkey.bus import ValkeyBus

    return ValkeyBus.from_url(url)


def open_valkey(url: StoreURL) -> Backend:
    """The backend at ``valkey://[user:password@]host:port/database?prefix=rave&timeout=5s&tls=false``."""
    from rave_valkey.backend import ValkeyBackend

    return ValkeyBackend.from_url(url)

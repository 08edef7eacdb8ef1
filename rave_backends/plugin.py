"""The hooks of this package: backends (``memory``, ``file``, ``s3``, ``gs``, ``az``), layers, a bus, documents, and
slates as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.backend import Backend, BackendFactory, StoreURL
from rave_core.hookspecs import hookimpl
from rave_core.registry import Registry

if TYPE_CHECKING:
    from rave_core.clock import Clock
    from rave_core.documents import DocumentFactory, DocumentStore
    from rave_core.events import Bus, BusFactory


@hookimpl
def rave_register_backends(registry: Registry[BackendFactory]) -> None:
    """Adds ``memory``, ``file``, and the object stores ``s3``, ``gs`` and ``az``."""
    registry.add("memory", open_memory, origin="rave_backends")
    registry.add("file", open_filesystem, origin="rave_backends")
    for scheme in ("s3", "gs", "az"):
        registry.add(scheme, open_object_store, origin="rave_backends")


@hookimpl
def rave_register_buses(registry: Registry[BusFactory]) -> None:
    """Adds ``postgresql``."""
    registry.add("postgresql", open_postgresql_bus, origin="rave_backends")


@hookimpl
def rave_register_documents(registry: Registry[DocumentFactory]) -> None:
    """Adds ``sqlite`` and ``postgresql``, the latter with and without the name of its driver."""
    for scheme in ("sqlite", "postgresql", "postgresql+psycopg"):
        registry.add(scheme, open_documents, origin="rave_backends")


@hookimpl
def rave_register_converters(registry: Registry[Any]) -> None:
    """Adds ``slate``: JSON, or what the user who asks keeps under a name."""
    from rave_core.operations.slate_argument import SlateConverter

    registry.add("slate", SlateConverter(), origin="rave_backends")


@hookimpl(trylast=True)
def rave_layer_backends(backends: list[Backend]) -> Backend:
    """The backends as layers. A single one stays as it is, unless it is remote and may need pauses."""
    if len(backends) == 1 and not backends[0].remote:
        return backends[0]
    from rave_backends.layered.backend import LayeredBackend

    return LayeredBackend(backends)


def open_memory(url: StoreURL) -> Backend:
    """The backend at ``memory://?max_bytes=256MiB&policy=lru|lfu&max_age=…``."""
    from rave_backends.memory.backend import MemoryBackend

    return MemoryBackend.from_url(url)


def open_filesystem(url: StoreURL) -> Backend:
    """The backend at ``file:///directory?durable=false&max_bytes=10GiB&policy=lru|cost&mode=700&max_age=…``."""
    from rave_backends.filesystem.backend import FilesystemBackend

    return FilesystemBackend.from_url(url)


def open_object_store(url: StoreURL) -> Backend:
    """The backend at ``s3://bucket/prefix?endpoint=https://…&region=…&profile=…&timeout=15s``; also of ``gs://`` and ``az://``."""
    from rave_backends.object_store.backend import ObjectStoreBackend

    return ObjectStoreBackend.from_url(url)


def open_postgresql_bus(url: StoreURL) -> Bus:
    """The bus at ``postgresql://[user:password@]host:port/database?channel=rave_events&sslmode=prefer``."""
    from rave_backends.documents.postgresql_bus import PostgresBus

    return PostgresBus.from_url(url)


def open_documents(url: str, clock: Clock) -> DocumentStore:
    """The documents at ``sqlite:///path?max_payload=16MiB`` or ``postgresql+psycopg://user@host/database``."""
    from rave_backends.documents.opening import open_documents

    return open_documents(url, clock)

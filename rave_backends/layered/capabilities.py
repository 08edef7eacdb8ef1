"""What several layers can do together, by capability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from rave_core.backend import (
    Backend,
    SupportsHoldings,
    SupportsLease,
    SupportsLeaseOwners,
    SupportsObjects,
    SupportsPeek,
    SupportsPins,
    SupportsStats,
    SupportsUnpacking,
    SupportsUrl,
)

T = TypeVar("T")
_FAR_FIRST = (SupportsLease, SupportsStats, SupportsPins, SupportsObjects, SupportsUnpacking)
Guards: TypeAlias = Mapping[int, Callable[..., Any]]
"""Each remote layer's circuit breaker, which calls its methods, by the layer's ``id``."""


class Guarded:
    """A capability of a remote layer, each call of which goes through the layer's breaker."""

    def __init__(self, capability: object, guard: Callable[..., Any]) -> None:
        self._capability = capability
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._capability, name)
        return partial(self._guard, found) if callable(found) else found


def those(layers: Sequence[Backend], kind: type[T]) -> list[T]:
    """The capability ``kind`` of each layer that has it, nearest first."""
    return [found for layer in layers if (found := layer.capability(kind)) is not None]


def guarded(layer: Backend, kind: type[T], guards: Guards) -> T | None:
    """The capability ``kind`` of one layer, behind its breaker if it has one."""
    found, guard = layer.capability(kind), guards.get(id(layer))
    if found is None or guard is None:
        return found
    behind: Any = Guarded(found, guard)
    checked: T = behind
    return checked


def delegated(layers: Sequence[Backend], guards: Guards) -> dict[type, object]:
    """The capabilities that one layer provides: the first layer that peeks, otherwise the last layer."""
    far_first = list(reversed(layers))
    orders: list[tuple[type[Any], Sequence[Backend]]] = [(SupportsPeek, layers), (SupportsHoldings, [layers[-1]])]
    orders += [(kind, far_first) for kind in _FAR_FIRST]
    found: dict[type, object] = {}
    for kind, order in orders:
        first = next((each for layer in order if (each := guarded(layer, kind, guards)) is not None), None)
        if first is not None:
            found[kind] = first
    leasing = next((layer for layer in far_first if layer.capability(SupportsLease) is not None), None)
    if leasing is not None and (owners := guarded(leasing, SupportsLeaseOwners, guards)) is not None:
        found[SupportsLeaseOwners] = owners
    far = next((layer for layer in far_first if layer.capability(SupportsObjects) is not None), None)
    if far is not None and (url := guarded(far, SupportsUrl, guards)) is not None:
        found[SupportsUrl] = url
    return found

"""The health of layers: a breaker for each remote one, and what last went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rave_backends.layered.breaker import Breaker
from rave_backends.layered.capabilities import Guards
from rave_core.backend import Backend
from rave_core.clock import Clock


@dataclass(frozen=True, slots=True)
class Failure:
    """What last went wrong in a layer."""

    layer: Backend
    action: str
    error: OSError

    def __str__(self) -> str:
        return f"{self.layer!r}: {self.action} failed: {self.error}"


class Health:
    """The breakers of remote layers, and the last failure of any layer. Safe for threads.

    Attributes:
        guards: the breakers that call methods of remote layers, by the layer's ``id``; a local layer has none.
        last_failure: what last went wrong, until the same layer succeeds; otherwise ``None``.
    """

    def __init__(self, layers: Sequence[Backend], clock: Clock) -> None:
        """Watches ``layers``; ``clock`` times the pauses of breakers."""
        self.guards: Guards = {id(layer): Breaker(layer, clock).call for layer in layers if layer.remote}
        self.last_failure: Failure | None = None
        self._layers = layers

    def failed(self, layer: Backend, action: str, error: OSError) -> OSError:
        """Remembers a failure, and returns ``error``."""
        self.last_failure = Failure(layer, action, error)
        return error

    def succeeded(self, layer: Backend) -> None:
        """Forgets the last failure if it was that of ``layer``."""
        if self.last_failure is not None and self.last_failure.layer is layer:
            self.last_failure = None

    def check(self) -> str | None:
        """What is wrong with a layer, or last went wrong; ``None`` if all is well."""
        found = [(layer, layer.check()) for layer in self._layers]
        troubles = [f"{layer!r}: {trouble}" for layer, trouble in found if trouble]
        if not troubles and self.last_failure is not None:
            troubles.append(f"earlier, {self.last_failure}")
        return "; ".join(troubles) or None

    def notice(self) -> str | None:
        """What a layer lacks; ``None`` if none lacks anything."""
        return "; ".join(filter(None, (layer.notice() for layer in self._layers))) or None

"""How layers are: each remote one behind its breaker, and what went wrong last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rave_backends.layered.breaker import Breaker
from rave_backends.layered.capabilities import Guards
from rave_core.backend import Backend
from rave_core.clock import Clock


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong last in one of the layers."""

    layer: Backend
    action: str
    error: OSError

    def __str__(self) -> str:
        return f"{self.layer!r}: {self.action} failed: {self.error}"


class Health:
    """The breakers of remote layers, and the last failure of any layer. Safe for many threads.

    Attributes:
        guards: what calls a method of a remote layer, by the layer's ``id``; a layer at hand has none.
        last_failure: what went wrong last, until the same layer succeeds; else ``None``.
    """

    def __init__(self, layers: Sequence[Backend], clock: Clock) -> None:
        """Watches ``layers``; ``clock`` times the pauses of those that are left alone."""
        self.guards: Guards = {id(layer): Breaker(layer, clock).call for layer in layers if layer.remote}
        self.last_failure: Failure | None = None
        self._layers = layers

    def failed(self, layer: Backend, action: str, error: OSError) -> OSError:
        """Remembers a failure, and gives ``error`` back."""
        self.last_failure = Failure(layer, action, error)
        return error

    def succeeded(self, layer: Backend) -> None:
        """Forgets the last failure if it was that of ``layer``."""
        if self.last_failure is not None and self.last_failure.layer is layer:
            self.last_failure = None

    def check(self) -> str | None:
        """What is wrong with any layer, or went wrong last; ``None`` when nothing is or did."""
        found = [(layer, layer.check()) for layer in self._layers]
        troubles = [f"{layer!r}: {trouble}" for layer, trouble in found if trouble]
        if not troubles and self.last_failure is not None:
            troubles.append(f"earlier, {self.last_failure}")
        return "; ".join(troubles) or None

    def notice(self) -> str | None:
        """What any layer lacks; ``None`` when none does."""
        return "; ".join(filter(None, (layer.notice() for layer in self._layers))) or None

"""A backend as the contracts use it: with the methods of its capabilities added to its own."""

from __future__ import annotations

from typing import Any, Final

from rave_core import backend as capabilities
from rave_core.backend import Backend

_PROTOCOLS: Final[tuple[type[Any], ...]] = tuple(
    getattr(capabilities, name) for name in capabilities.__all__ if name.startswith("Supports")
)


class Capable:
    """A backend with the methods of its capabilities; those of a capability that it lacks are missing here too.

    Attributes:
        backend: the backend itself.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __getattr__(self, name: str) -> Any:
        for protocol in _PROTOCOLS:
            if name in vars(protocol) or name in vars(protocol).get("__annotations__", {}):
                capability = self.backend.capability(protocol)
                if capability is None:
                    raise AttributeError(f"{self.backend!r} has no {protocol.__name__}, and so no {name!r}")
                return getattr(capability, name)
        return getattr(self.backend, name)

"""Modules that are not what `sys.modules` says; what for, `rave_core.reloading.generations` tells."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


class AliasedModule(ModuleType):
    """A module that is imported under one name, and believes in another one, with which it is made.

    Whoever asks the module for its name gets that by which it is imported; above all the import system, which makes
    names of what is in it from that. Its code, and its functions and classes, take the name from its dict.
    """

    @property
    def __name__(self) -> str:  # type: ignore[override]  # meant to be read only
        own = vars(self)
        return str(own["__spec__"].name if own.get("__spec__") else own["__name__"])


class ModuleProxy(ModuleType):
    """A module whose attributes are those of another one, which is found anew each time that one is asked for.

    Where there is nothing behind it, it has none: those who look at every module must not stumble over it.
    """

    def __init__(self, name: str, way: Callable[[bool], ModuleType | None]) -> None:
        """Makes a door.

        Args:
            name: as it is in `sys.modules`.
            way: gives what is behind it. It is told whether that is to be imported if need be: so it is where
                ``__spec__`` is asked for, as by an ``import`` of the door. Others see only what is there: an import
                for anyone who looks would come too early, or find a module that is gone.
        """
        super().__init__(name)
        object.__getattribute__(self, "__dict__")["way"] = way

    def __getattribute__(self, name: str) -> Any:
        return getattr(_behind(self, name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) is not ModuleProxy:  # which the import system would put in the place of the module behind it
            setattr(_behind(self, name), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_behind(self, name), name)


def _behind(door: ModuleProxy, attribute: str) -> ModuleType:
    own = object.__getattribute__(door, "__dict__")
    found: ModuleType | None = own["way"](attribute == "__spec__")
    if found is None:
        raise AttributeError(f"module {own['__name__']!r} has no attribute {attribute!r}: there is no such module now")
    return found

"""Modules that differ from their name in `sys.modules`; `rave_core.reloading.generations` explains why."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


class AliasedModule(ModuleType):
    """A module that is imported under one name and believes in another, the one it is created with.

    Its ``__name__`` attribute is the name under which it is imported, mainly for the import system, which derives the
    names of submodules from it. Its code, functions and classes take the other name from its dict.
    """

    @property
    def __name__(self) -> str:  # type: ignore[override]  # meant to be read only
        own = vars(self)
        return str(own["__spec__"].name if own.get("__spec__") else own["__name__"])


class ModuleProxy(ModuleType):
    """A module whose attributes are those of another one, which is looked up on every access.

    If there is no module behind it, it has no attributes: code that inspects every module must not fail on it.
    """

    def __init__(self, name: str, way: Callable[[bool], ModuleType | None]) -> None:
        """Makes a door.

        Args:
            name: as it is in `sys.modules`.
            way: gives the module behind it. Its argument says whether to import that module if necessary: true for a
                look-up of ``__spec__``, as by an ``import`` of the door. Other look-ups see only what is loaded: an
                import on any access would come too early, or find a module that is gone.
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

"""Guards: what tells that a name was rebound, or that a value changed, without notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rave_core.versions.loaded_files import loaded_files

ABSENT: Any = object()
"""Stands for a name that is not bound, and for a value that is not compared."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A name, its value, and a copy of that value if it is mutable."""

    space: Mapping[str, Any]
    name: str
    value: Any
    copied: Any

    is_over = False

    def holds(self) -> bool:
        """Whether everything is as it was."""
        now = self.space.get(self.name, ABSENT)
        if now is not self.value:
            return False
        if self.copied is ABSENT:
            return True
        return bool(
            (now if isinstance(now, (dict, list, set)) else object.__getattribute__(now, "__dict__")) == self.copied
        )


@dataclass(frozen=True, slots=True)
class AwaitedModule:
    """A module that code imports when it runs: until then its file may be edited, or its package upgraded.

    Attributes:
        name: of the module.
        look: gives what it would be loaded from.
        seen: what that was.
        surprises: the number of `LoadedFiles.surprises` then.
    """

    name: str
    look: Callable[[], object]
    seen: object
    surprises: int

    @property
    def is_over(self) -> bool:
        """Whether it is loaded: what changes then is no matter before it is loaded again, which begins an epoch."""
        return self.name in sys.modules

    def holds(self) -> bool:
        """Whether it would be loaded as it counted, or was."""
        if self.is_over:
            loaded_files.note()
            return self.surprises == loaded_files.surprises
        if self.look() == self.seen:
            return True
        loaded_files.surprise()  # so that its release is looked up again
        return False


@dataclass(frozen=True, slots=True)
class Guards:
    """All guards of a version; an empty one is false."""

    each: tuple[Guard | AwaitedModule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.each)

    def hold(self) -> bool:
        """Whether everything is as it was."""
        try:
            return all(guard.holds() for guard in self.each)
        except Exception:  # noqa: BLE001  # an ``==`` of the user's
            return False

    def left(self) -> Guards:
        """Those that may still fail: these ones, if all may."""
        left = tuple(guard for guard in self.each if not guard.is_over)
        return self if len(left) == len(self.each) else Guards(left)

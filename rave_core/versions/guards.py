"""Guards: what tells that a name was rebound, or that a value changed, without notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT: Any = object()
"""Stands for a name that is not bound, and for a value that is not compared."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A name, its value, and a copy of that value if it is mutable."""

    space: Mapping[str, Any]
    name: str
    value: Any
    copied: Any

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
class Guards:
    """All guards of a version; an empty one is false."""

    each: tuple[Guard, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.each)

    def hold(self) -> bool:
        """Whether everything is as it was."""
        try:
            return all(guard.holds() for guard in self.each)
        except Exception:  # noqa: BLE001  # an ``==`` of the user's
            return False

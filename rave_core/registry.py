"""Registries: named things, each with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from rave_core.errors import DuplicateError, UnknownNameError, nearest

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Names to things of one kind, in the order added. Filled while plugins load, then only read."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, tuple[T, str]] = {}

    def add(self, name: str, thing: T, *, origin: str) -> None:
        """Adds ``thing`` under ``name``; ``origin`` says whose it is, for messages.

        Raises:
            DuplicateError: the name is taken; the message names both origins.
        """
        if name in self._things:
            raise DuplicateError(f"{self.kind} {name!r} is claimed by both {self.origin(name)} and {origin}")
        self._things[name] = (thing, origin)

    def origin(self, name: str) -> str:
        """Who added ``name``."""
        return self._things[name][1]

    def find(self, name: str) -> T:
        """What is known under ``name``.

        Raises:
            UnknownNameError: nothing is; the message names the nearest.
        """
        if name not in self._things:
            raise UnknownNameError(f"no {self.kind} is called {name!r}; {nearest(name, self._things)}")
        return self._things[name][0]

    def __getitem__(self, name: str) -> T:
        return self._things[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

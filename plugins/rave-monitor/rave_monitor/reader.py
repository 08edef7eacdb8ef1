"""A reader: where events come from, and how far they were read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from rave_core import Runtime

Event: TypeAlias = dict[str, Any]
"""What a reader reads: values by the names of their fields. Processors share it, so they must not change it."""

Position: TypeAlias = Mapping[str, Any]
"""How far a reader has read, in values that JSON has."""


def tell_nobody(_message: str) -> None:
    """Drops a message."""


class Reader(ABC):
    """Reads a stream of events, and goes on from a position. One thread uses it.

    The arguments of the constructor, all by keyword, are those of its table ``[[readers]]``; annotate them, since the
    annotations are what they are checked by. The constructor checks, and opens nothing: it raises ``ValueError`` for
    a value that can't be right.

    Attributes:
        tell: called with what a person should know, such as that a file was replaced. The monitor sets it.
        runtime: that of the monitor, which sets it; ``None`` outside of one.
        trouble: why there is nothing to read at present, such as that a file is missing; ``None`` while all is well.
    """

    tell: Callable[[str], None] = staticmethod(tell_nobody)
    runtime: Runtime | None = None
    trouble: str | None = None

    @abstractmethod
    def open(self, position: Position | None) -> None:
        """Begins after a position that ``position`` gave; with ``None`` at the beginning.

        It raises nothing if the source is away: ``read`` waits for it.
        """

    @abstractmethod
    def read(self, limit: int) -> list[Event]:
        """The next events, at most about ``limit``; an empty list if there are none yet. Never waits for one."""

    @abstractmethod
    def position(self) -> Position:
        """Where a later ``open`` has to begin so that no event is lost or repeated."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the source."""

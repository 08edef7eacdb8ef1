"""What a scenario is: an action during which a process is killed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from rave_core.model import Entry
from rave_core.testing.capable import Capable
from rave_core.testing.samples import frame_of

OLD, NEW, LATER = (bytes([letter]) * 3000 for letter in b"onl")


def whole(key: str, payload: bytes, **fields: Any) -> bytes:
    """The frame of ``payload``, in one piece."""
    return b"".join(map(bytes, frame_of(key, payload, **fields)))


class Scenario(ABC):
    """An action during which a process is killed."""

    @abstractmethod
    def prepare(self, backend: Capable, key: str) -> None:
        """What is there before."""

    @abstractmethod
    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""

    @abstractmethod
    def check(self, backend: Capable, key: str) -> None:
        """What must hold afterwards, for another process.

        Raises:
            AssertionError: it does not.
        """


def never(_: Entry) -> bool:
    """Nothing is dead."""
    return False

"""The nouns of events: an event, and the loss of some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

EventData: TypeAlias = Mapping[str, Any]
"""What an event says: names and values that JSON has. All subscribers share it, so do not change it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        topic: what kind of thing, such as ``namespace.loaded``.
        data: what it says of itself.
        time: when it was published, in Unix seconds by the clock of the publisher.
        origin: the process that published it: host, process ID and a random part.
    """

    topic: str
    data: EventData
    time: float
    origin: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Events that a subscriber does not get.

    Attributes:
        count: how many; ``None`` if nobody knows. Those that were lost between processes are of any topic, and count
            for every subscriber.
        reason: why, in words.
    """

    count: int | None
    reason: str

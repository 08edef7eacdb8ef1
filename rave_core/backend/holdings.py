"""What a store reports about its entries and about what a purge removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Holding:
    """What a store keeps of one operation in one version.

    Attributes:
        prefix: what the keys start with: operation and version.
        entries: how many.
        size: bytes of payloads and products.
        used: bytes in the store, with headers.
        oldest, newest: when the first and the last of them were made, in Unix seconds.
        seconds: what computing all of it took.
    """

    prefix: str
    entries: int
    size: int
    used: int
    oldest: float
    newest: float
    seconds: float


class Outline(NamedTuple):
    """What is known of an entry without its header: creation time, bytes of the payload, seconds of computing."""

    key: str
    created_at: float
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed.

    Attributes:
        entries: that were dead, or exceeded the budget.
        bytes: of these.
        leftovers: of crashes, damage, and products without an entry.
        is_complete: whether it checked everything, or stopped when its time was over.
    """

    entries: int = 0
    bytes: int = 0
    leftovers: int = 0
    is_complete: bool = True

    def __add__(self, other: Purged) -> Purged:
        return Purged(
            self.entries + other.entries,
            self.bytes + other.bytes,
            self.leftovers + other.leftovers,
            self.is_complete and other.is_complete,
        )

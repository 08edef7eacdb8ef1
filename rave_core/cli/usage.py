"""How much each operation keeps in a cache, added up from the headers of its entries."""

from __future__ import annotations

from dataclasses import dataclass

from rave_core.cache import Cache
from rave_core.entries import entries
from rave_core.model import Key


@dataclass(slots=True)
class OperationUsage:
    """What one operation keeps.

    Attributes:
        operation: its name, as keys have it.
        entries, bytes: of payloads and files.
        oldest, newest: Unix times.
        seconds: what computing all of it took, and so what one hit on each saves.
    """

    operation: str
    entries: int
    bytes: int
    oldest: float
    newest: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cache keeps, by operation, the largest first."""

    operations: list[OperationUsage]

    @property
    def entries(self) -> int:
        """How many entries."""
        return sum(operation.entries for operation in self.operations)

    @property
    def bytes(self) -> int:
        """Bytes of payloads and files."""
        return sum(operation.bytes for operation in self.operations)

    @property
    def seconds(self) -> float:
        """What computing all of it took."""
        return sum(operation.seconds for operation in self.operations)


def usage_of(cache: Cache) -> Usage:
    """What ``cache`` keeps.

    Raises:
        OSError: the store is in trouble.
    """
    found: dict[str, OperationUsage] = {}
    for entry in entries(cache):
        name, created = Key.parse(entry.key).operation, entry.created_at
        usage = found.setdefault(name, OperationUsage(name, 0, 0, created, created, 0.0))
        usage.entries += 1
        usage.bytes += entry.size
        usage.seconds += entry.seconds
        usage.oldest, usage.newest = min(usage.oldest, created), max(usage.newest, created)
    return Usage(sorted(found.values(), key=lambda usage: (-usage.bytes, usage.operation)))

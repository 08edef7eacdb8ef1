"""How much each operation keeps in a cache: the sum over its entries' headers, or what the store knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from rave_core.backend import Holding, SupportsHoldings
from rave_core.model import Key
from rave_core.storage.cache import Cache
from rave_core.storage.listing import entries


@dataclass(slots=True)
class OperationUsage:
    """What one operation keeps.

    Attributes:
        operation: its name, as keys have it.
        entries, bytes: of payloads and files.
        oldest, newest: Unix times.
        seconds: how long it took to compute all of them, which is what one hit on each saves.
    """

    operation: str
    entries: int
    bytes: int
    oldest: float
    newest: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cache keeps, by operation, the largest first.

    Attributes:
        is_complete: whether all entries were counted.
    """

    operations: list[OperationUsage]
    is_complete: bool = True

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
        """How many seconds it took to compute all of it."""
        return sum(operation.seconds for operation in self.operations)


def usage_of(cache: Cache, *, most: int | None = None) -> Usage:
    """What ``cache`` keeps.

    Args:
        cache: the cache to measure.
        most: the maximum number of entries to count if each has to be read; ``None`` for all.

    Raises:
        OSError: the store is in trouble.
    """
    found: dict[str, OperationUsage] = {}
    knows = False
    holdings: Iterator[Holding] = islice(_read(cache), most)
    if (counted_store := cache.backend.capability(SupportsHoldings)) is not None:
        knows, holdings = True, counted_store.holdings()
    for held in holdings:
        name = Key.parse(f"{held.prefix}/-").operation
        usage = found.setdefault(name, OperationUsage(name, 0, 0, held.oldest, held.newest, 0.0))
        usage.entries += held.entries
        usage.bytes += held.size
        usage.seconds += held.seconds
        usage.oldest, usage.newest = min(usage.oldest, held.oldest), max(usage.newest, held.newest)
    usage_by_size = sorted(found.values(), key=lambda usage: (-usage.bytes, usage.operation))
    counted = sum(usage.entries for usage in usage_by_size)
    return Usage(usage_by_size, knows or most is None or counted < most)


def _read(cache: Cache) -> Iterator[Holding]:
    for entry in entries(cache):
        yield Holding(
            prefix=entry.key.rpartition("/")[0],
            entries=1,
            size=entry.size,
            used=entry.size,
            oldest=entry.created_at,
            newest=entry.created_at,
            seconds=entry.seconds,
        )

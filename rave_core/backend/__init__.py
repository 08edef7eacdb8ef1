"""What a cache backend is, for authors of backends.

A backend stores bytes and knows nothing of values, freshness or seals. What it can do beyond that it
says by `Backend.capability`, which gives something with the methods of a ``Supports…`` protocol; the core asks once,
when it opens the backend.
"""

from rave_core.backend.backend import Backend, BackendFactory
from rave_core.backend.capabilities import (
    Located,
    SupportsAging,
    SupportsConditionalPut,
    SupportsFiles,
    SupportsHoldings,
    SupportsLease,
    SupportsLeaseOwners,
    SupportsObjects,
    SupportsPeek,
    SupportsPins,
    SupportsPurge,
    SupportsStats,
    SupportsUnpacking,
    SupportsUrl,
    SupportsValues,
)
from rave_core.backend.frame_header import HEAD_SIZE, Truncated, peek
from rave_core.backend.holdings import Holding, Outline, Purged
from rave_core.backend.url import StoreURL, parse_age, parse_count, parse_flag, parse_size
from rave_core.model import EVICTED, MemoryRef

__all__ = [
    "EVICTED",
    "HEAD_SIZE",
    "Backend",
    "BackendFactory",
    "Holding",
    "Located",
    "MemoryRef",
    "Outline",
    "Purged",
    "StoreURL",
    "SupportsAging",
    "SupportsConditionalPut",
    "SupportsFiles",
    "SupportsHoldings",
    "SupportsLease",
    "SupportsLeaseOwners",
    "SupportsObjects",
    "SupportsPeek",
    "SupportsPins",
    "SupportsPurge",
    "SupportsStats",
    "SupportsUnpacking",
    "SupportsUrl",
    "SupportsValues",
    "Truncated",
    "parse_age",
    "parse_count",
    "parse_flag",
    "parse_size",
    "peek",
]

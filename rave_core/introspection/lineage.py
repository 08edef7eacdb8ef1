"""Lineage: what a kept result was computed from, and what from it, as entries record it. It runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from rave_core.clock import Clock
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache
from rave_core.storage.kept_copies import COPIES
from rave_core.storage.listing import entries, find_head

MOST_STEPS = 200
"""The number of steps that a lineage has at most, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One result in a lineage.

    Attributes:
        depth: 0 for the result itself, one more for each that it was computed from.
        key: of the result.
        entry: what is recorded of it; ``None`` if no cache keeps it any more.
        is_repeated: whether it occurs earlier in the lineage, which shows what is below it.
    """

    depth: int
    key: Key
    entry: Entry | None
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Dependents:
    """The results that were computed from another one.

    Attributes:
        entries: what is recorded of them, the latest first.
        is_complete: whether every entry was looked at.
    """

    entries: tuple[Entry, ...]
    is_complete: bool


def lineage(caches: Iterable[Cache], key: Key, *, most: int = MOST_STEPS) -> tuple[Ancestor, ...]:
    """The result of ``key``, followed by those that it was computed from, each followed by those below it.

    A result that was computed anew since may show what it is computed from now.

    Args:
        caches: where to look, in this order.
        key: of the result.
        most: how many steps are enough.

    Raises:
        OSError: a store is in trouble.
    """
    looked_in = list({id(cache): cache for cache in caches}.values())
    found: list[Ancestor] = []
    seen: set[str] = set()
    waiting = [(0, key)]
    while waiting and len(found) < most:
        depth, current = waiting.pop()
        entry = find_head(looked_in, current.text)
        is_repeated = current.text in seen
        found.append(Ancestor(depth, current, entry, is_repeated))
        seen.add(current.text)
        if entry is not None and not is_repeated:
            waiting += [(depth + 1, Key.parse(child)) for child in reversed(entry.children)]
    return tuple(found)


def dependents(caches: Iterable[Cache], key: Key, clock: Clock, *, seconds: float = 1.0) -> Dependents:
    """The results that record that they were computed from that of ``key`` itself. Kept copies do not count.

    Entries record only what they were computed from, so this reads the headers of all.

    Args:
        caches: where to look.
        key: of the result.
        clock: the source of time.
        seconds: after which the rest is left out.

    Raises:
        OSError: a store is in trouble.
    """
    end, found, is_complete = clock.monotonic() + seconds, dict[str, Entry](), True
    for entry in chain.from_iterable(entries(cache) for cache in {id(cache): cache for cache in caches}.values()):
        if key.text in entry.children and not entry.key.startswith(COPIES):
            found.setdefault(entry.key, entry)
        if clock.monotonic() > end:
            is_complete = False
            break
    return Dependents(tuple(sorted(found.values(), key=lambda entry: -entry.created_at)), is_complete)

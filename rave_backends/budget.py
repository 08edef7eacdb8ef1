"""How much a store may keep, of everything and of each namespace, and what goes first when that is exceeded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from rave_core.backend import StoreURL, parse_count, parse_size
from rave_core.model import quote_operation

Policy: TypeAlias = Literal["lru", "lfu", "cost"]
POLICIES: tuple[Policy, ...] = ("lru", "lfu", "cost")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many bytes and entries; ``None`` for any number."""

    max_bytes: int | None = None
    max_entries: int | None = None

    def excess(self, used: int, entries: int) -> tuple[int, int]:
        """How many bytes and entries are too many; 0 or less where none are."""
        return (
            used - self.max_bytes if self.max_bytes is not None else 0,
            entries - self.max_entries if self.max_entries is not None else 0,
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What a store may keep.

    Attributes:
        whole: of everything.
        parts: of keys below the beginning of an operation's name, such as a namespace. Of several the longest counts.
        policy: what goes first: ``lru``, the longest unused; ``lfu``, the least often used; ``cost``, the cheapest to
            compute again for each byte.
    """

    whole: Limit = Limit()
    parts: Mapping[str, Limit] = field(default_factory=dict)
    policy: Policy = "lru"

    @classmethod
    def from_url(
        cls, url: StoreURL, *, max_bytes: int | None = None, policies: Collection[Policy] = POLICIES
    ) -> Budget:
        """The budget in ``max_bytes max_entries max_bytes.NAMESPACE max_entries.NAMESPACE policy``.

        Args:
            url: whose options are taken.
            max_bytes: where the URL says nothing.
            policies: those that the store can follow.

        Raises:
            ConfigurationError: one of them is wrong.
        """

        def policy(text: str) -> Policy:
            if text not in policies:
                raise ValueError(f"{' or '.join(policies)} expected")
            return cast("Policy", text)

        whole = Limit(url.take("max_bytes", parse_size, max_bytes), url.take("max_entries", parse_count, None))
        sizes, counts = url.take_each("max_bytes", parse_size), url.take_each("max_entries", parse_count)
        parts = {quote_operation(name): Limit(sizes.get(name), counts.get(name)) for name in {**sizes, **counts}}
        return cls(whole, parts, url.take("policy", policy, "lru"))

    def __bool__(self) -> bool:
        return self.whole != Limit() or bool(self.parts)

    def part_of(self, key: str) -> str:
        """The name of the part that ``key`` belongs to, ``""`` where it belongs to none."""
        names = [name for name in self.parts if key.startswith(f"{name}/")]
        return max(names, key=len, default="")

    def limit_of(self, part: str) -> Limit:
        """The limit of a part; of ``""`` that of everything."""
        return self.parts[part] if part else self.whole


class StoreUsage:
    """How much was written since somebody looked at the budget. Safe for threads, as far as it has to be.

    The budget may be exceeded by a sixteenth for each writing process.
    """

    def __init__(self) -> None:
        self._written: dict[str, tuple[int, int]] = {}

    def note(self, budget: Budget, key: str, size: int, *, entries: int = 1) -> bool:
        """Adds what was written under ``key``; whether it is time to look at the budget, and the count starts anew."""
        due = False
        for part in {"", budget.part_of(key)}:
            limit, (used, count) = budget.limit_of(part), self._written.get(part, (0, 0))
            used, count = used + size, count + entries
            self._written[part] = used, count
            due = due or (limit.max_bytes is not None and used > limit.max_bytes // _SHARE)
            due = due or (limit.max_entries is not None and count > limit.max_entries // _SHARE)
        if due:
            self._written.clear()
        return due


_SHARE = 16

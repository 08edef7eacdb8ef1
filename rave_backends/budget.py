"""How much a store may keep in all and for each namespace, and what goes first when it holds more."""

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
    """The most bytes and entries; ``None`` means no limit."""

    max_bytes: int | None = None
    max_entries: int | None = None

    def excess(self, used: int, entries: int) -> tuple[int, int]:
        """How far bytes and entries exceed the limit; 0 or less if they do not."""
        return (
            used - self.max_bytes if self.max_bytes is not None else 0,
            entries - self.max_entries if self.max_entries is not None else 0,
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """What a store may keep.

    Attributes:
        whole: the limit of everything.
        parts: the limits of keys by the beginning of the operation's name, such as a namespace. The longest match
            counts.
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
            url: gives the options.
            max_bytes: the limit if the URL gives none.
            policies: the policies that the store supports.

        Raises:
            ConfigurationError: one of them is wrong.
        """

        def policy(text: str) -> Policy:
            if text not in policies:
                raise ValueError(f"expected {' or '.join(policies)}")
            return cast("Policy", text)

        whole = Limit(url.take("max_bytes", parse_size, max_bytes), url.take("max_entries", parse_count, None))
        sizes, counts = url.take_each("max_bytes", parse_size), url.take_each("max_entries", parse_count)
        parts = {quote_operation(name): Limit(sizes.get(name), counts.get(name)) for name in {**sizes, **counts}}
        return cls(whole, parts, url.take("policy", policy, "lru"))

    def __bool__(self) -> bool:
        return self.whole != Limit() or bool(self.parts)

    def part_of(self, key: str) -> str:
        """The name of the part that ``key`` belongs to; ``""`` if it belongs to none."""
        names = [name for name in self.parts if key.startswith(f"{name}/")]
        return max(names, key=len, default="")

    def limit_of(self, part: str) -> Limit:
        """The limit of a part; for ``""``, the limit of everything."""
        return self.parts[part] if part else self.whole


class StoreUsage:
    """How much was written since the last look at the budget. Safe enough for threads: counts are approximate.

    The budget may be exceeded by a sixteenth for each writing process.
    """

    def __init__(self) -> None:
        self._written: dict[str, tuple[int, int]] = {}

    def note(self, budget: Budget, key: str, size: int, *, entries: int = 1) -> bool:
        """Adds what was written under ``key``; whether it is time to look at the budget, which restarts the count."""
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

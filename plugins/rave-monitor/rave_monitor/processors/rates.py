"""``rates``: events in each second, for each value of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rave_monitor.processors.fields import FieldSelecting, text_of

OTHERS = "(others)"


class Rates(FieldSelecting):
    """Counts events by the value of a field. Its sample: events in each second since the last sample, by value.

    Values beyond ``most`` in one period count together as ``(others)``. A value without events is left out.
    """

    def __init__(self, *, by: str, most: int = 100, where: Mapping[str, Any] | None = None) -> None:
        """Begins.

        Args:
            by: the field.
            most: how many values are told apart in one period.
            where: selects events by values of their fields.
        """
        super().__init__(field=by, where=where)
        if most < 1:
            raise ValueError(f"most is {most}: expected at least 1")
        self._most = most
        self._counts: dict[str, int] = {}

    def count_value(self, value: Any) -> None:
        """Counts it."""
        text, counts = text_of(value), self._counts
        if text not in counts and len(counts) >= self._most:
            text = OTHERS
        counts[text] = counts.get(text, 0) + 1

    def sample(self) -> dict[str, Any]:
        """The rates, the largest first; the first sample is empty."""
        counts, self._counts = self._counts, {}
        if not self.elapsed:
            return {}
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {text: count / self.elapsed for text, count in ranked}

    def state(self) -> bytes:
        """What was counted since the last sample."""
        return msgspec.msgpack.encode(self._counts)

    def restore(self, state: bytes) -> None:
        """Counts on."""
        self._counts = msgspec.msgpack.decode(state, type=dict[str, int])

"""``histogram``: how often the numbers in a field lay between edges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec

from rave_monitor.processors.fields import FieldSelecting, number_of


class Histogram(FieldSelecting):
    """Counts numbers between edges.

    Its sample, of all events so far: ``edges``; ``counts``, of which the first is from the first edge up to, but not
    including the second; ``below``, before the first edge; ``above``, from the last edge on; ``n``, all of them.
    """

    def __init__(self, *, field: str, edges: list[float], where: Mapping[str, Any] | None = None) -> None:
        """Begins at 0.

        Args:
            field: of the numbers.
            edges: two at least, each larger than the one before.
            where: selects events by values of their fields.
        """
        super().__init__(field=field, where=where)
        if len(edges) < 2 or any(not low < high for low, high in pairwise(edges)):
            raise ValueError(f"edges is {edges}: expected at least two numbers, each larger than the one before")
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)

    def count_value(self, value: Any) -> None:
        """Counts a number, or the text of one.

        Raises:
            Abort: it is none.
        """
        self._counts[bisect_right(self._edges, number_of(self.field, value))] += 1

    def sample(self) -> dict[str, Any]:
        """The counts."""
        below, *counts, above = self._counts
        return {"edges": self._edges, "counts": counts, "below": below, "above": above, "n": sum(self._counts)}

    def state(self) -> bytes:
        """Edges and counts."""
        return msgspec.msgpack.encode((self._edges, self._counts))

    def restore(self, state: bytes) -> None:
        """Counts on; with other edges, from 0."""
        edges, counts = msgspec.msgpack.decode(state, type=tuple[list[float], list[int]])
        if edges == self._edges:
            self._counts = counts

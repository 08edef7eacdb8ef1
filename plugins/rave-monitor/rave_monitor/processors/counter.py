"""``counter``: how many events there were, and how many there are in a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rave_monitor.processors.fields import Selecting
from rave_monitor.reader import Event


class Counter(Selecting):
    """Counts events. Its sample: ``n``, the events so far, and ``rate``, those in each second since the last sample.

    The first sample has no interval before it, so its ``rate`` is ``None``.
    """

    def __init__(self, *, where: Mapping[str, Any] | None = None) -> None:
        """Begins at 0; ``where`` selects events by values of their fields."""
        super().__init__(where=where)
        self._n = self._sampled = 0

    def count(self, _ev: Event) -> None:
        """Counts it."""
        self._n += 1

    def sample(self) -> dict[str, Any]:
        """``n`` and ``rate``."""
        rate = (self._n - self._sampled) / self.elapsed if self.elapsed else None
        self._sampled = self._n
        return {"n": self._n, "rate": rate}

    def state(self) -> bytes:
        """Both counts."""
        return msgspec.msgpack.encode((self._n, self._sampled))

    def restore(self, state: bytes) -> None:
        """Counts on."""
        self._n, self._sampled = msgspec.msgpack.decode(state, type=tuple[int, int])

"""``last``: what the latest event said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rave_monitor.processors.fields import Selecting
from rave_monitor.reader import Event


class Last(Selecting):
    """Keeps the latest value of each field. Its sample: those values by field; empty before the first event."""

    def __init__(self, *, fields: list[str] | None = None, where: Mapping[str, Any] | None = None) -> None:
        """Begins.

        Args:
            fields: the fields to keep; all fields of the latest event by default.
            where: selects events by values of their fields.
        """
        super().__init__(where=where)
        self._fields = fields
        self._latest: dict[str, Any] = {}

    def count(self, ev: Event) -> None:
        """Keeps its values; without ``fields``, those of earlier events go."""
        if self._fields is None:
            self._latest = ev
        else:
            self._latest = {**self._latest, **{field: ev[field] for field in self._fields if field in ev}}

    def sample(self) -> dict[str, Any]:
        """The values."""
        return dict(self._latest)

    def state(self) -> bytes:
        """The values."""
        return msgspec.msgpack.encode(self._latest)

    def restore(self, state: bytes) -> None:
        """Goes on."""
        self._latest = msgspec.msgpack.decode(state, type=dict[str, Any])

"""What the processors share: which events they count, and which field of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from rave_monitor.processor import Abort, Processor
from rave_monitor.reader import Event


class Selecting(Processor, ABC):
    """Looks at those events whose fields have certain values."""

    def __init__(self, *, where: Mapping[str, Any] | None = None) -> None:
        """Selects.

        Args:
            where: values by field; an event counts if it has all of them. All events count by default.
        """
        self._wanted = tuple((where or {}).items())

    def event(self, ev: Event) -> None:
        """Counts an event, if it is one of those."""
        for field, value in self._wanted:
            if ev.get(field) != value:
                return
        self.count(ev)

    @abstractmethod
    def count(self, ev: Event) -> None:
        """Counts an event that was selected."""


class FieldSelecting(Selecting):
    """Looks at one field of the events that have it."""

    def __init__(self, *, field: str, where: Mapping[str, Any] | None = None) -> None:
        """Selects; ``field`` is the name of the field. An event without it, or with ``None`` there, does not count."""
        super().__init__(where=where)
        self.field = field

    def count(self, ev: Event) -> None:
        """Counts the value, if there is one."""
        value = ev.get(self.field)
        if value is not None:
            self.count_value(value)

    @abstractmethod
    def count_value(self, value: Any) -> None:
        """Counts a value."""


def number_of(field: str, value: Any) -> float:
    """The value of a field as a finite number; also the text of one.

    Raises:
        Abort: it is none.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Abort(f"the field {field!r} has {value!r}: expected a number")
    return number


def text_of(value: Any) -> str:
    """A value of a field as text: each value of a list, joined by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    return str(value)

"""``distinct``, ``top`` and ``quantiles``: sketches, which need little memory however many events there are.

The algorithms are those of Apache DataSketches: HyperLogLog, Frequent Items and KLL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datasketches import (
    frequent_items_error_type,
    frequent_strings_sketch,
    hll_sketch,
    kll_doubles_sketch,
)

from rave_monitor.processors.fields import FieldSelecting, number_of, text_of

_REGISTERS: Final = 12
_ACCURACY: Final = 200
_QUANTILES: Final = (0.5, 0.9, 0.99)


class Distinct(FieldSelecting):
    """Counts different values of a field. Its sample: ``n``, an estimate within about 2 %; small numbers are exact."""

    def __init__(self, *, field: str, where: Mapping[str, Any] | None = None) -> None:
        """Begins at 0; ``field`` is what is counted, and ``where`` selects events by values of their fields."""
        super().__init__(field=field, where=where)
        self._sketch = hll_sketch(_REGISTERS)

    def count_value(self, value: Any) -> None:
        """Counts it."""
        self._sketch.update(text_of(value))

    def sample(self) -> dict[str, Any]:
        """``n``."""
        return {"n": round(self._sketch.get_estimate())}

    def state(self) -> bytes:
        """The sketch."""
        return bytes(self._sketch.serialize_compact())

    def restore(self, state: bytes) -> None:
        """Counts on."""
        self._sketch = hll_sketch.deserialize(state)


class Top(FieldSelecting):
    """Finds the most frequent values of a field.

    Its sample: ``top``, a list of ``[value, count]``, the most frequent first; ``n``, the events so far; and ``error``,
    by how much a count may be too large. It is 0 while there are fewer than about 3,000 different values.
    """

    def __init__(self, *, field: str, most: int = 10, where: Mapping[str, Any] | None = None) -> None:
        """Begins.

        Args:
            field: whose values are counted.
            most: how many values a sample has, at most 1,000.
            where: selects events by values of their fields.
        """
        super().__init__(field=field, where=where)
        if not 1 <= most <= 1000:
            raise ValueError(f"most is {most}: expected 1 to 1000")
        self._most = most
        self._sketch = frequent_strings_sketch(_REGISTERS)

    def count_value(self, value: Any) -> None:
        """Counts it."""
        self._sketch.update(text_of(value), 1)

    def sample(self) -> dict[str, Any]:
        """``top``, ``n`` and ``error``."""
        found = self._sketch.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)
        ranked = sorted(found, key=lambda item: (-item[1], item[0]))
        error = max((upper - lower for _, _, lower, upper in found), default=0)
        top = [[text, count] for text, count, *_ in ranked[: self._most]]
        return {"top": top, "n": self._sketch.total_weight, "error": error}

    def state(self) -> bytes:
        """The sketch."""
        return bytes(self._sketch.serialize())

    def restore(self, state: bytes) -> None:
        """Counts on."""
        self._sketch = frequent_strings_sketch.deserialize(state)


class Quantiles(FieldSelecting):
    """How the numbers in a field are spread.

    Its sample: ``n``, ``min``, ``max``, and for each quantile its value, such as ``p50`` and ``p99``. A value's rank is
    right within about 1.3 %. Before the first number it has ``n`` alone.
    """

    def __init__(
        self, *, field: str, quantiles: list[float] | None = None, where: Mapping[str, Any] | None = None
    ) -> None:
        """Begins.

        Args:
            field: of the numbers.
            quantiles: between 0 and 1; by default 0.5, 0.9 and 0.99.
            where: selects events by values of their fields.
        """
        super().__init__(field=field, where=where)
        self._ranks = list(_QUANTILES) if quantiles is None else quantiles
        wrong = [rank for rank in self._ranks if not 0 <= rank <= 1]
        if wrong or not self._ranks:
            raise ValueError(f"quantiles has {wrong or 'nothing'}: expected numbers from 0 to 1")
        self._sketch = kll_doubles_sketch(_ACCURACY)

    def count_value(self, value: Any) -> None:
        """Counts a number, or the text of one.

        Raises:
            Abort: it is none.
        """
        self._sketch.update(number_of(self.field, value))

    def sample(self) -> dict[str, Any]:
        """``n``, ``min``, ``max`` and the quantiles."""
        sketch = self._sketch
        if sketch.is_empty():
            return {"n": 0}
        named = zip(self._ranks, sketch.get_quantiles(self._ranks), strict=True)
        spread = {f"p{rank * 100:g}": value for rank, value in named}
        return {"n": sketch.n, "min": sketch.get_min_value(), "max": sketch.get_max_value(), **spread}

    def state(self) -> bytes:
        """The sketch."""
        return bytes(self._sketch.serialize())

    def restore(self, state: bytes) -> None:
        """Counts on."""
        self._sketch = kll_doubles_sketch.deserialize(state)

"""Values as SQL: the one way by which a value gets into the text of a query where no parameter can stand.

DuckDB takes no parameters in ``CREATE VIEW``, so the conditions of a chain of filters are text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from rave_flow.model import columns


def literal(value: str | float | datetime) -> str:
    """``value`` as an SQL constant: a quoted text, a number, or a time in UTC.

    Raises:
        TypeError: another type; truth values too, which no column has.
        ValueError: a number that is not finite.
    """
    if isinstance(value, str):
        return columns.literal(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return f"{value!r}::DOUBLE"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
    raise TypeError(f"{type(value).__name__} has no SQL constant; expected a text, a number or a time")


def listed(values: Iterable[str]) -> str:
    """Texts as the members of an SQL list, separated by commas."""
    return ", ".join(map(literal, values))


def numbers(values: Iterable[int]) -> str:
    """Unsigned whole numbers as one SQL list. A constant text is parsed far quicker than an expression of as many."""
    return f"'[{','.join(str(int(value)) for value in values)}]'::UBIGINT[]"

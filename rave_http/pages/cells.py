"""Values in the cells of a table, as people read them: numbers with separators, sizes in units, times in one form."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

from rave_core.rendering import cell_text
from rave_core.text.humanize import size, span

LONG: Final = 48
"""Characters above which the text of a cell is wrapped."""
_BYTES: Final = re.compile(r"(^|_)(bytes|octets)$", re.IGNORECASE)
_SECONDS: Final = re.compile(r"(^|_)(seconds|duration)$", re.IGNORECASE)
_NAMES: Final = re.compile(r"(^|_)(\w*port|id|pid|key|year|asn?|vlan|code|number|\w*index)$", re.IGNORECASE)
"""Columns whose numbers are names, which nobody adds or compares: they are written without separators."""
_COLUMNS: Final = {
    "bytes": "bytes",
    "duration": "seconds",
    "port": "port",
    "address": "id",
    "time": "id",
    "count": "count",
}
"""A name of a column that means the same as a role."""
_LEAST: Final = 10_000  # smaller numbers are read at a glance
_MOST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table.

    Attributes:
        text: for people.
        raw: exactly, where that differs; else empty.
    """

    text: str
    raw: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it has to be wrapped."""
        return len(self.text) > LONG


def cell_of(value: Any, column: str, role: str = "") -> Cell:
    """A value of the column of that name, in words for people. Never fails.

    Args:
        value: the value.
        column: the name of its column.
        role: of the column; without one, its name decides.
    """
    raw = cell_text(value)
    if is_number(value):
        text = _number(value, raw, _COLUMNS.get(role, column), is_share=role == "share")
    elif isinstance(value, dt.datetime) and raw:
        text = _moment(value)
    else:
        text = raw
    if len(text) > _MOST_TEXT:
        text = f"{text[:_MOST_TEXT]}… ({len(raw):,} characters)"
        return Cell(text)
    return Cell(text, raw if text != raw else "")


def _number(value: Any, raw: str, column: str, *, is_share: bool) -> str:
    try:
        plain = float(value)
    except (OverflowError, ValueError):
        return raw
    if not math.isfinite(plain):
        return raw
    if is_share:
        return f"{100 * plain:.4g}%"
    if _BYTES.search(column) and plain >= 1000 and plain == int(plain):
        return size(int(plain))
    if _SECONDS.search(column) and plain >= 0:
        return span(plain) if plain else "0 s"
    if _NAMES.search(column):
        return raw
    if plain == int(plain) and abs(plain) < 1e15:
        return f"{int(value):,}" if abs(plain) >= _LEAST else raw
    return f"{plain:,.6g}" if len(raw) > 8 else raw


def _moment(value: dt.datetime) -> str:
    """A time to the second, or as exact as it is, with its zone."""
    text = value.isoformat(sep=" ", timespec="seconds" if not value.microsecond else "milliseconds")
    return f"{text[:-6]} UTC" if text.endswith("+00:00") else text


def is_numeric(values: list[Any]) -> bool:
    """Whether all present values are numbers, and there is at least one."""
    given = [value for value in values if value is not None]
    return bool(given) and all(map(is_number, given))


def is_number(value: object) -> bool:
    """Whether a value is a number, which a flag is not."""
    return isinstance(value, Real) and type(value).__name__ not in ("bool", "bool_")

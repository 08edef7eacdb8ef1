"""Axes of charts: where values lie along them, and moments that are marked there."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rave_http.pages.cells import cell_of, is_number

WIDTH: Final = 1000
"""Of the drawing of a chart."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened.

    Attributes:
        time: in Unix seconds.
        text: what, and when, in words.
        place: where that is along a chart, as SVG has it.
    """

    time: float
    text: str
    place: float = 0.0


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal axis.

    Attributes:
        first, last: its least and greatest place.
    """

    first: float
    last: float

    def across(self, place: float) -> float:
        """Where a place is in the drawing."""
        return round((place - self.first) / ((self.last - self.first) or 1.0) * WIDTH, 1)

    def marked(self, moments: Sequence[Moment], places: Collection[float]) -> list[Moment]:
        """The moments within the axis, the last of the bins that begin at ``places`` included, in order."""
        step = min((later - place for place, later in itertools.pairwise(sorted(set(places)))), default=0.0)
        within = [each for each in moments if self.first <= each.time < self.last + step or each.time == self.last]
        placed = (replace(each, place=min(float(WIDTH), self.across(each.time))) for each in within)
        return sorted(placed, key=lambda each: each.time)


def moments_of(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, time: str, label: str) -> list[Moment]:
    """What happened, by the rows of a table; those without a time are left out.

    Args:
        columns: their names.
        rows: their values.
        time: the column that says when.
        label: the column that says what; empty for the time alone.

    Raises:
        ValueError: a column is not there, or ``time`` holds something else.
    """
    at, said = column_at(time, columns), column_at(label, columns) if label else None
    found = []
    for row in rows:
        if row[at] is None:
            continue
        place = place_of(row[at]) if isinstance(row[at], dt.date) else None
        if place is None:
            raise ValueError(f"the column {time!r} holds no times")
        what = "" if said is None else f" {cell_of(row[said], label).text}"
        found.append(Moment(place, f"{place_text(place, is_time=True)}{what}"))
    return found


def column_at(name: str, columns: Sequence[str]) -> int:
    """The place of a column among others.

    Raises:
        ValueError: it is not there; the message says which are.
    """
    if name not in columns:
        raise ValueError(f"there is no column {name[:60]!r}; there are {', '.join(columns)}")
    return columns.index(name)


def place_of(value: Any) -> float | None:
    """The place of a time, in Unix seconds, or of a number; ``None`` for anything else."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return float(value) if is_number(value) and math.isfinite(float(value)) else None


def place_text(place: float, *, is_time: bool) -> str:
    """A place, in words."""
    if not is_time:
        return f"{place:,.6g}"
    return f"{dt.datetime.fromtimestamp(place, dt.UTC):%Y-%m-%d %H:%M} UTC"

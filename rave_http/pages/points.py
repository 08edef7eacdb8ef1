"""The values of a table that charts draw: at a place, of a series."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rave_core.text.humanize import size, span
from rave_http.pages.axis import column_at, place_of
from rave_http.pages.cells import cell_of, is_number

MOST_POINTS: Final = 5000
"""As many rows are drawn, unless the mark has fewer shapes."""

Groups: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]
"""Places and values, by series."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The columns that a chart draws.

    Attributes:
        x: along the axis.
        y: the values.
        series: whose values make a series each; empty for none.
        down: values that are drawn downwards; empty for none.
    """

    x: str
    y: str
    series: str = ""
    down: str = ""

    @property
    def sides(self) -> list[str]:
        """The columns of values: up, and down if there are two."""
        return [self.y, self.down] if self.down else [self.y]


def groups_of(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], drawn: Drawn, side: str, *, later: float = 0.0
) -> dict[str, list[tuple[float, float]]]:
    """The places and values of a column by series, in order of the places. Rows without either are left out.

    Args:
        columns: the names of the columns.
        rows: their values.
        drawn: the columns that are drawn.
        side: the one of the values.
        later: added to each place.

    Raises:
        ValueError: a column is not there.
    """
    across, height = column_at(drawn.x, columns), column_at(side, columns)
    at = column_at(drawn.series, columns) if drawn.series else None
    groups: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        place, value = place_of(row[across]), number_of(row[height])
        if place is not None and value is not None:
            name = drawn.y if at is None else cell_of(row[at], columns[at]).text
            groups.setdefault(name, []).append((place + later, value))
    return {name: sorted(points) for name, points in groups.items()}


def has_times(columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str) -> bool:
    """Whether a column holds times."""
    at = column_at(name, columns)
    return any(isinstance(row[at], dt.date) for row in rows)


def number_of(value: Any) -> float | None:
    """A finite number; ``None`` for anything else."""
    return float(value) if is_number(value) and math.isfinite(float(value)) else None


def largest_first(totals: Mapping[str, float], most: int) -> list[str]:
    """The names of the largest totals, the largest first."""
    return sorted(totals, key=lambda name: -totals[name])[:most]


def require_positive(values: Iterable[float], column: str, done: str) -> None:
    """Refuses what only values from 0 on can be drawn as.

    Raises:
        ValueError: a value is negative.
    """
    if any(value < 0 for value in values):
        raise ValueError(f"{column!r} holds negative values, so it can't be {done}")


def amount_of(value: float, column: str) -> str:
    """A value or a sum, as cells have them, but short."""
    lowered = column.lower()
    if lowered.endswith(("bytes", "octets")) and value >= 0:
        return size(int(value))
    if lowered.endswith(("seconds", "duration")) and value >= 0:
        return span(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"

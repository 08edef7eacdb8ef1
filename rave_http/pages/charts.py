"""Charts: columns of a table as lines, areas or bars, in SVG that needs no script."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rave_core.text.humanize import size, span
from rave_http.pages.cells import cell_of, is_number

WIDTH: Final = 1000
"""Of the drawing, whose height is `HEIGHT`; a page stretches both."""
HEIGHT: Final = 300
MOST_POINTS: Final = 5000
_MOST_SERIES: Final = 8


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Attributes:
        name: of the column, or the value of the column of series.
        path: the line, as SVG has it.
        area: the same down to the ground.
        total: the sum of its values, in words.
    """

    name: str
    path: str
    area: str
    total: str


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar.

    Attributes:
        name: what it stands for.
        text: its value, in words.
        share: of the largest, from 0 to 1.
    """

    name: str
    text: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, ready to be drawn.

    Attributes:
        mark: ``line``, ``area`` or ``bars``.
        about: what it shows, in words, for those who do not see it.
        series: of lines and areas.
        bars: of bars.
        most: the largest value, in words.
        first, last: of the horizontal axis, in words.
        start, end: of that in Unix seconds; ``None`` if it is no time.
        left_out: how many series or bars there is no room for.
    """

    mark: str
    about: str
    series: Sequence[Series] = ()
    bars: Sequence[ChartBar] = ()
    most: str = ""
    first: str = ""
    last: str = ""
    start: float | None = None
    end: float | None = None
    left_out: int = 0


def chart_of(
    mark: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, x: str = "", y: str = "", series: str = ""
) -> Chart:
    """The chart of a table.

    Args:
        mark: ``line``, ``area`` or ``bars``.
        columns: the names of the columns.
        rows: their values.
        x: the column of the horizontal axis, or of the names of bars; the first one by default.
        y: the column of the values; the first other one with numbers by default.
        series: the column whose values make a line each; none by default.

    Raises:
        ValueError: a column is not there, or it holds nothing that can be drawn; the message says what would be right.
    """
    across = _column(x or columns[0] if columns else x, columns)
    height = _column(y, columns) if y else _first_number(columns, rows, besides=across)
    if mark == "bars":
        return _bars(columns, rows, across, height)
    groups: dict[str, list[tuple[float, float]]] = {}
    at = _column(series, columns) if series else None
    for row in rows[:MOST_POINTS]:
        place, value = _place(row[across]), row[height]
        if place is not None and is_number(value) and math.isfinite(float(value)):
            name = columns[height] if at is None else cell_of(row[at], columns[at]).text
            groups.setdefault(name, []).append((place, float(value)))
    if not groups:
        raise ValueError(f"nothing to draw: {columns[across]!r} holds no times or numbers, or there are no rows")
    return _lines(mark, columns, rows, (across, height), groups)


def _lines(
    mark: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    axes: tuple[int, int],
    groups: dict[str, list[tuple[float, float]]],
) -> Chart:
    across, height = axes
    places = [place for points in groups.values() for place, _ in points]
    first, last = min(places), max(places)
    top = max(max((value for _, value in points), default=0.0) for points in groups.values())
    largest = sorted(groups, key=lambda name: -sum(value for _, value in groups[name]))[:_MOST_SERIES]
    is_time = any(isinstance(row[across], dt.date) for row in rows)
    words = [_axis_text(each, is_time=is_time) for each in (first, last)]
    most = _amount(top, columns[height])
    return Chart(
        mark=mark,
        about=f"{columns[height]} over {columns[across]}, from {words[0]} to {words[1]}; the largest is {most}",
        series=[_drawn(name, groups[name], first, last, top or 1.0, columns[height]) for name in largest],
        most=most,
        first=words[0],
        last=words[1],
        start=first if is_time else None,
        end=last if is_time else None,
        left_out=len(groups) - len(largest),
    )


def _drawn(
    name: str, points: Sequence[tuple[float, float]], first: float, last: float, top: float, column: str
) -> Series:
    width = (last - first) or 1.0
    ordered = sorted(points)
    spots = [
        (round((place - first) / width * WIDTH, 1), round(HEIGHT - max(0.0, value) / top * HEIGHT, 1))
        for place, value in ordered
    ]
    path = "M" + "L".join(f"{across:g} {down:g}" for across, down in spots)
    area = f"{path}L{spots[-1][0]:g} {HEIGHT}L{spots[0][0]:g} {HEIGHT}Z"
    return Series(name, path, area, _amount(sum(value for _, value in ordered), column))


def _bars(columns: Sequence[str], rows: Sequence[Sequence[Any]], across: int, height: int) -> Chart:
    found = [(cell_of(row[across], columns[across]).text, row[height]) for row in rows]
    kept = [(name, float(value)) for name, value in found if is_number(value) and math.isfinite(float(value))]
    top = max((value for _, value in kept), default=0.0)
    if not kept:
        raise ValueError(f"nothing to draw: {columns[height]!r} holds no numbers")
    most = _amount(top, columns[height])
    about = f"{columns[height]} by {columns[across]}, {len(kept)} bars; the largest is {most}"
    bars = [ChartBar(name, _amount(value, columns[height]), max(0.0, value) / (top or 1.0)) for name, value in kept]
    return Chart(mark="bars", about=about, bars=bars, most=most)


def _column(name: str, columns: Sequence[str]) -> int:
    if name not in columns:
        raise ValueError(f"there is no column {name[:60]!r}; there are {', '.join(columns)}")
    return columns.index(name)


def _first_number(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, besides: int) -> int:
    for at in range(len(columns)):
        if at != besides and any(is_number(row[at]) for row in rows):
            return at
    raise ValueError("nothing to draw: no column holds numbers")


def _place(value: Any) -> float | None:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return float(value) if is_number(value) and math.isfinite(float(value)) else None


def _axis_text(place: float, *, is_time: bool) -> str:
    if not is_time:
        return f"{place:,.6g}"
    return f"{dt.datetime.fromtimestamp(place, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _amount(value: float, column: str) -> str:
    """A value or a sum, as cells have them, but short."""
    lowered = column.lower()
    if lowered.endswith(("bytes", "octets")):
        return size(int(value))
    if lowered.endswith(("seconds", "duration")):
        return span(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"

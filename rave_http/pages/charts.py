"""Charts: columns of a table as lines, areas or bars, in SVG that needs no script."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rave_core.text.humanize import size, span
from rave_http.pages.axis import Axis, Moment, column_at, place_of, place_text
from rave_http.pages.cells import cell_of, is_number

HEIGHT: Final = 300
"""Of the drawing, whose width is `rave_http.pages.axis.WIDTH`; a page stretches both."""
MOST_POINTS: Final = 5000
_MOST_SERIES: Final = 8
_MOST_PERCENT: Final = 999


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Attributes:
        name: of the column, or the value of the column of series.
        path: the line, as SVG has it.
        area: the same down to the ground.
        total: the sum of its values, in words.
        before: the line of the earlier time, at the same places; empty for none.
        change: what its sum was then, and by how much that of now differs, in words; empty if nothing is compared.
    """

    name: str
    path: str
    area: str
    total: str
    before: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Rows of an earlier time, which a chart also shows.

    Attributes:
        columns: their names.
        rows: their values.
        seconds: how much earlier they are.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    seconds: float


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
        compared: which earlier time is dashed, in words; empty for none.
        moments: what happened within its time, in order.
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
    compared: str = ""
    moments: Sequence[Moment] = ()


_Points: TypeAlias = "dict[str, list[tuple[float, float]]]"


def chart_of(
    mark: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    x: str = "",
    y: str = "",
    series: str = "",
    earlier: Earlier | None = None,
    moments: Sequence[Moment] = (),
) -> Chart:
    """The chart of a table.

    Args:
        mark: ``line``, ``area`` or ``bars``.
        columns: the names of the columns.
        rows: their values.
        x: the column of the horizontal axis, or of the names of bars; the first one by default.
        y: the column of the values; the first other one with numbers by default.
        series: the column whose values make a line each; none by default.
        earlier: an earlier time, dashed, for lines and areas over time.
        moments: what happened; those within the time of the chart are marked.

    Raises:
        ValueError: a column is not there, or it holds nothing that can be drawn; the message says what would be right.
    """
    across = column_at(x or columns[0] if columns else x, columns)
    height = column_at(y, columns) if y else _first_number(columns, rows, besides=across)
    if mark == "bars":
        return _bars(columns, rows, across, height)
    names = (columns[across], columns[height], series)
    now = _points(columns, rows, names)
    is_time = _has_times(columns, rows, columns[across])
    before: _Points = {}
    if earlier is not None and earlier.columns:
        is_time = is_time or _has_times(earlier.columns, earlier.rows, columns[across])
        before = _points(earlier.columns, earlier.rows, names, later=earlier.seconds)
    if earlier is not None and not is_time:
        raise ValueError(f"{columns[across]!r} holds no times, so there is no earlier time to compare with")
    if not (now or before):
        raise ValueError(f"nothing to draw: {columns[across]!r} holds no times or numbers, or there are no rows")
    return _lines(mark, names, now, before, is_time=is_time, earlier=earlier, moments=moments)


def _has_times(columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str) -> bool:
    at = column_at(name, columns)
    return any(isinstance(row[at], dt.date) for row in rows)


def _points(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], names: tuple[str, str, str], *, later: float = 0.0
) -> _Points:
    """The points of each line: of the columns across and up, and for each value of the one of series."""
    across, height = (column_at(name, columns) for name in names[:2])
    at = column_at(names[2], columns) if names[2] else None
    groups: _Points = {}
    for row in rows[:MOST_POINTS]:
        place, value = place_of(row[across]), row[height]
        if place is not None and is_number(value) and math.isfinite(float(value)):
            name = columns[height] if at is None else cell_of(row[at], columns[at]).text
            groups.setdefault(name, []).append((place + later, float(value)))
    return groups


def _lines(
    mark: str,
    names: tuple[str, str, str],
    now: _Points,
    before: _Points,
    *,
    is_time: bool,
    earlier: Earlier | None,
    moments: Sequence[Moment],
) -> Chart:
    every = [point for groups in (now, before) for points in groups.values() for point in points]
    places = {place for place, _ in every}
    axis, top = Axis(min(places), max(places)), max(0.0, *(value for _, value in every)) or 1.0
    sums = {name: (_sum(now, name), _sum(before, name)) for name in {**now, **before}}
    largest = sorted(sums, key=lambda name: -max(sums[name]))[:_MOST_SERIES]
    words = [place_text(each, is_time=is_time) for each in (axis.first, axis.last)]
    most = _amount(max(value for _, value in every), names[1])
    compared = "" if earlier is None else f"{span(earlier.seconds)} earlier"
    about = f"{names[1]} over {names[0]}, from {words[0]} to {words[1]}; the largest is {most}"
    return Chart(
        mark=mark,
        about=f"{about}; dashed: {compared}" if compared else about,
        series=[_drawn(name, names[1], now, before if earlier is not None else None, axis, top) for name in largest],
        most=most,
        first=words[0],
        last=words[1],
        start=axis.first if is_time else None,
        end=axis.last if is_time else None,
        left_out=len(sums) - len(largest),
        compared=compared,
        moments=axis.marked(moments, places) if is_time else (),
    )


def _sum(groups: _Points, name: str) -> float:
    return sum(value for _, value in groups.get(name, ()))


def _drawn(name: str, column: str, now: _Points, before: _Points | None, axis: Axis, top: float) -> Series:
    total = _sum(now, name)
    spots = _spots(now.get(name, ()), axis, top)
    path = _path(spots)
    area = f"{path}L{spots[-1][0]:g} {HEIGHT}L{spots[0][0]:g} {HEIGHT}Z" if spots else ""
    if before is None:
        return Series(name, path, area, _amount(total, column))
    return Series(
        name,
        path,
        area,
        _amount(total, column),
        _path(_spots(before.get(name, ()), axis, top)),
        _change(total, _sum(before, name), column),
    )


def _spots(points: Sequence[tuple[float, float]], axis: Axis, top: float) -> list[tuple[float, float]]:
    return [(axis.across(place), round(HEIGHT - max(0.0, value) / top * HEIGHT, 1)) for place, value in sorted(points)]


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{across:g} {down:g}" for across, down in spots) if spots else ""


def _change(now: float, before: float, column: str) -> str:
    told = f"{_amount(before, column)} before"
    if before <= 0 or now < 0:
        return told
    percent = (now - before) / before * 100
    if percent > _MOST_PERCENT:
        return f"{told} (×{now / before:,.3g})"
    return f"{told} ({'±0' if round(percent) == 0 else f'{percent:+,.0f}'.replace('-', '−')} %)"


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


def _first_number(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, besides: int) -> int:
    for at in range(len(columns)):
        if at != besides and any(is_number(row[at]) for row in rows):
            return at
    raise ValueError("nothing to draw: no column holds numbers")


def _amount(value: float, column: str) -> str:
    """A value or a sum, as cells have them, but short."""
    lowered = column.lower()
    if lowered.endswith(("bytes", "octets")):
        return size(int(value))
    if lowered.endswith(("seconds", "duration")):
        return span(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"

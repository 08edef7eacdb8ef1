"""Charts of tables, in SVG that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rave_http.pages.axis import Moment, column_at
from rave_http.pages.cells import cell_of, is_number
from rave_http.pages.chart import Chart, ChartBar
from rave_http.pages.heat_map import heat_map
from rave_http.pages.lines import Side, lines_of
from rave_http.pages.points import MOST_POINTS, Drawn, amount_of, groups_of, has_times, number_of
from rave_http.pages.sankey import sankey_of


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


def chart_of(
    mark: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    x: str = "",
    y: str = "",
    series: str = "",
    down: str = "",
    earlier: Earlier | None = None,
    moments: Sequence[Moment] = (),
    total: int = 0,
) -> Chart:
    """The chart of a table.

    Args:
        mark: a `rave_core.functions.page_hints.ChartMark`.
        columns: the names of the columns.
        rows: their values; no more than `MOST_POINTS` of them are drawn, and the chart says so.
        x: the column of the horizontal axis, of the names of bars, or of the sources of flows; the first by default.
        y: the column of the values; the first other one with numbers by default.
        series: the column whose values make a line, a small chart or a row each, or the targets of flows.
        down: a column whose values are drawn downwards; for lines, areas, stacks and grids.
        earlier: an earlier time, dashed, for those of them that are over time.
        moments: what happened; those within the time of the chart are marked.
        total: how many rows the table has, if more than these.

    Raises:
        ValueError: a column is not there, or it holds nothing that can be drawn; the message says what would be right.
    """
    across = column_at(x or columns[0] if columns else x, columns)
    taken = {across, *([column_at(series, columns)] if series else [])}
    height = column_at(y, columns) if y else _first_number(columns, rows, besides=taken)
    drawn = Drawn(columns[across], columns[height], series, down)
    if down and mark in ("bars", "heat", "sankey"):
        raise ValueError(f"a chart of the kind {mark} draws nothing downwards, so leave out {down!r}")
    if mark == "bars":
        return _bars(columns, rows, across, height)
    count = max(total, len(rows))
    rows = rows[:MOST_POINTS]
    if mark in ("heat", "sankey"):
        made = heat_map(columns, rows, drawn) if mark == "heat" else sankey_of(columns, rows, drawn)
    else:
        made = _lines(mark, columns, rows, drawn, earlier, moments)
    return replace(made, note=f"{made.note} {_cut(len(rows), count)}".strip())


def _cut(shown: int, count: int) -> str:
    return f"Only the first {shown:,} of {count:,} rows are drawn." if count > shown else ""


def _lines(
    mark: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    drawn: Drawn,
    earlier: Earlier | None,
    moments: Sequence[Moment],
) -> Chart:
    is_time = has_times(columns, rows, drawn.x)
    if earlier is not None and earlier.columns:
        is_time = is_time or has_times(earlier.columns, earlier.rows, drawn.x)
    if earlier is not None and not is_time:
        raise ValueError(f"{drawn.x!r} holds no times, so there is no earlier time to compare with")
    sides = []
    for sign, side in zip((1, -1), drawn.sides, strict=False):
        before = None
        if earlier is not None:
            before = (
                {}
                if not earlier.columns
                else groups_of(earlier.columns, earlier.rows[:MOST_POINTS], drawn, side, later=earlier.seconds)
            )
        sides.append(Side(side, sign, groups_of(columns, rows, drawn, side), before))
    if not any(side.now or side.before for side in sides):
        raise ValueError(f"nothing to draw: {drawn.x!r} holds no times or numbers, or there are no rows")
    seconds = 0.0 if earlier is None else earlier.seconds
    return lines_of(mark, drawn, sides, is_time=is_time, earlier=seconds, moments=moments)


def _bars(columns: Sequence[str], rows: Sequence[Sequence[Any]], across: int, height: int) -> Chart:
    found = [(cell_of(row[across], columns[across]).text, number_of(row[height])) for row in rows]
    kept = [(name, value) for name, value in found if value is not None]
    top = max((value for _, value in kept), default=0.0)
    if not kept:
        raise ValueError(f"nothing to draw: {columns[height]!r} holds no numbers")
    most = amount_of(top, columns[height])
    about = f"{columns[height]} by {columns[across]}, {len(kept)} bars; the largest is {most}"
    bars = [ChartBar(name, amount_of(value, columns[height]), max(0.0, value) / (top or 1.0)) for name, value in kept]
    return Chart(mark="bars", about=about, bars=bars, most=most)


def _first_number(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, besides: set[int]) -> int:
    for at in range(len(columns)):
        if at not in besides and any(is_number(row[at]) for row in rows):
            return at
    raise ValueError("nothing to draw: no column holds numbers")

"""Heat maps: a row for each series, a cell for each part of the axis, darker for more."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rave_http.pages.axis import WIDTH, column_at, place_of, place_text
from rave_http.pages.cells import cell_of
from rave_http.pages.chart import Chart, HeatCell, HeatRow
from rave_http.pages.points import Drawn, amount_of, has_times, largest_first, number_of, require_positive

_MOST_ROWS: Final = 16
_MOST_CELLS: Final = 48
_LEVELS: Final = 5


@dataclass(frozen=True, slots=True)
class _Bins:
    """The parts of the axis.

    Attributes:
        names: what each is, in words.
        numbers: the one of each row; ``None`` for a row without.
        start, end: of all, in Unix seconds; ``None`` if they are no time.
        left_out: how many there is no room for.
    """

    names: Sequence[str]
    numbers: Sequence[int | None]
    start: float | None = None
    end: float | None = None
    left_out: int = 0


def heat_map(columns: Sequence[str], rows: Sequence[Sequence[Any]], drawn: Drawn) -> Chart:
    """The heat map of a table. Values of one cell add up.

    Raises:
        ValueError: it has no rows of cells, or nothing that can be drawn.
    """
    if not drawn.series:
        raise ValueError(f"a heat map needs a column for its rows as series; there are {', '.join(columns)}")
    bins = _bins(columns, rows, drawn.x)
    sums = _sums(columns, rows, drawn, bins)
    if not sums:
        raise ValueError(f"nothing to draw: {drawn.y!r} holds no numbers, or there are no rows")
    totals = {name: sum(cells.values()) for name, cells in sums.items()}
    names = largest_first(totals, _MOST_ROWS)
    top = max(value for name in names for value in sums[name].values())
    most, first, last = amount_of(top, drawn.y), bins.names[0], bins.names[-1]
    return Chart(
        mark="heat",
        about=f"{drawn.y} by {drawn.series} over {drawn.x}, from {first} to {last}; the largest is {most}",
        heat=[
            HeatRow(name, _cells(sums[name], bins, top, drawn.y), amount_of(totals[name], drawn.y)) for name in names
        ],
        most=most,
        first=first,
        last=last,
        start=bins.start,
        end=bins.end,
        left_out=len(totals) - len(names),
        note=f"{bins.left_out:,} more of {drawn.x} are not shown." if bins.left_out else "",
    )


def _sums(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], drawn: Drawn, bins: _Bins
) -> dict[str, dict[int, float]]:
    """The sum in each cell, by series and the number of the part of the axis."""
    at, height = column_at(drawn.series, columns), column_at(drawn.y, columns)
    sums: dict[str, dict[int, float]] = {}
    for row, number in zip(rows, bins.numbers, strict=True):
        value = number_of(row[height])
        if number is not None and value is not None:
            require_positive([value], drawn.y, "drawn as heat")
            cells = sums.setdefault(cell_of(row[at], columns[at]).text, {})
            cells[number] = cells.get(number, 0.0) + value
    return sums


def _bins(columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str) -> _Bins:
    at = column_at(name, columns)
    places = [place_of(row[at]) for row in rows]
    found = sorted({place for place in places if place is not None})
    if not found:
        return _named([cell_of(row[at], name).text for row in rows])
    step = min((later - place for place, later in itertools.pairwise(found)), default=1.0)
    first, end = found[0], found[-1] + step
    count = min(_MOST_CELLS, max(1, round((end - first) / step)))
    width = (end - first) / count
    is_time = has_times(columns, rows, name)
    numbers = [None if place is None else min(count - 1, int((place - first) / width + 1e-9)) for place in places]
    names = [place_text(first + number * width, is_time=is_time) for number in range(count)]
    return _Bins(names, numbers, first if is_time else None, end if is_time else None)


def _named(texts: Sequence[str]) -> _Bins:
    """A part for each text, in the order of the rows."""
    every = list(dict.fromkeys(texts))
    known = {text: number for number, text in enumerate(every[:_MOST_CELLS])}
    return _Bins(every[:_MOST_CELLS], [known.get(text) for text in texts], left_out=len(every) - len(known))


def _cells(values: dict[int, float], bins: _Bins, top: float, column: str) -> list[HeatCell]:
    width = WIDTH / len(bins.names)
    return [
        HeatCell(round(number * width, 1), round(width, 1), math.ceil(_LEVELS * value / top),
                 f"{bins.names[number]}: {amount_of(value, column)}")
        for number, value in sorted(values.items()) if value
    ]  # fmt: skip

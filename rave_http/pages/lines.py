"""Charts along an axis: lines, areas, stacks, and a grid of small ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from rave_core.text.humanize import span
from rave_http.pages.axis import Axis, Moment, place_text
from rave_http.pages.chart import HEIGHT, Chart, Figures, Series
from rave_http.pages.points import Drawn, Groups, amount_of, largest_first, require_positive

_MOST_SERIES: Final = {"grid": 12}
_MOST: Final = 8
_MOST_PERCENT: Final = 999

_Spots: TypeAlias = "list[tuple[float, float, float]]"
"""Places, and the values between which a series lies there."""


@dataclass(frozen=True, slots=True)
class Side:
    """What is drawn in one direction.

    Attributes:
        column: of the values.
        sign: 1 for up, -1 for down.
        now: the values by series.
        before: those of the earlier time; ``None`` for none.
    """

    column: str
    sign: int
    now: Groups
    before: Groups | None = None

    def total(self, name: str) -> float:
        """The sum of a series."""
        return sum(value for _, value in self.now.get(name, ()))

    def total_before(self, name: str) -> float:
        """Its sum in the earlier time."""
        return sum(value for _, value in (self.before or {}).get(name, ()))


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Where values lie in the drawing: ``depth`` is the largest below the ground, and ``scale`` the height of one."""

    axis: Axis
    depth: float
    scale: float

    @staticmethod
    def around(points: Sequence[tuple[float, float]]) -> _Canvas:
        """One with room for points, and for nothing."""
        places, values = [place for place, _ in points], [value for _, value in points]
        top, depth = max(0.0, *values), -min(0.0, *values)
        return _Canvas(Axis(min(places), max(places)), depth, HEIGHT / ((top + depth) or 1.0))

    @property
    def ground(self) -> float:
        return round(HEIGHT - self.depth * self.scale, 1)

    def line(self, spots: _Spots, sign: int) -> str:
        return self._path([(place, sign * high) for place, _, high in spots])

    def area(self, spots: _Spots, sign: int) -> str:
        if not spots:
            return ""
        under = [(place, sign * low) for place, low, _ in reversed(spots)]
        is_flat = all(low == 0 for _, low in under)
        back = self._path([under[0], under[-1]] if is_flat else under)
        return f"{self.line(spots, sign)}L{back[1:]}Z"

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        drawn = (f"{self.axis.across(place):g} {round(self.ground - each * self.scale, 1):g}" for place, each in points)
        return "M" + "L".join(drawn) if points else ""


def lines_of(
    mark: str, drawn: Drawn, sides: Sequence[Side], *, is_time: bool, earlier: float, moments: Sequence[Moment]
) -> Chart:
    """The chart of values along an axis.

    Args:
        mark: ``line``, ``area``, ``stacked`` or ``grid``.
        drawn: the columns.
        sides: what is drawn up, and down.
        is_time: whether the axis is one of time.
        earlier: how many seconds earlier the earlier time is.
        moments: what happened.

    Raises:
        ValueError: negative values can't be drawn so.
    """
    _check(mark, sides)
    names, left_out = _names(mark, sides)
    if mark == "stacked" and left_out:
        sides, names, left_out = _with_others(sides, names, left_out)
    now = [_spots(mark, side.now, names) for side in sides]
    old = [_spots(mark, side.before or {}, names) for side in sides]
    ends = [(place, side.sign * high) for side, found in zip([*sides, *sides], [*now, *old], strict=True)
            for spots in found.values() for place, _, high in spots]  # fmt: skip
    canvas = _Canvas.around(ends)
    made = Chart(
        mark=mark,
        about="",
        series=[_series(name, sides, now, old, canvas) for name in names],
        figures=[_figures(name, side, len(sides) > 1) for name in names for side in sides if name in side.now],
        most=amount_of(max(value for _, value in ends), drawn.y),
        below=amount_of(canvas.depth if drawn.down else -canvas.depth, drawn.sides[-1]) if canvas.depth else "",
        ground=canvas.ground,
        left_out=left_out,
        compared=f"{span(earlier)} earlier" if sides[0].before is not None else "",
    )
    found = _along(made, drawn, canvas.axis, is_time=is_time)
    return replace(found, moments=canvas.axis.marked(moments, {place for place, _ in ends})) if is_time else found


def _along(chart: Chart, drawn: Drawn, axis: Axis, *, is_time: bool) -> Chart:
    """The same with what is said of its axis."""
    first, last = (place_text(each, is_time=is_time) for each in (axis.first, axis.last))
    what = f"{drawn.y} upwards and {drawn.down} downwards" if drawn.down else drawn.y
    about = f"{what} over {drawn.x}, from {first} to {last}; the largest is {chart.most}"
    return replace(
        chart,
        about=f"{about}; dashed: {chart.compared}" if chart.compared else about,
        first=first,
        last=last,
        start=axis.first if is_time else None,
        end=axis.last if is_time else None,
    )


def _check(mark: str, sides: Sequence[Side]) -> None:
    """Refuses negative values where they would be drawn as something else.

    Raises:
        ValueError: there are some.
    """
    if mark != "stacked" and len(sides) == 1:
        return
    done = "stacked" if mark == "stacked" else "drawn in two directions"
    for side in sides:
        for groups in (side.now, side.before or {}):
            for points in groups.values():
                require_positive((value for _, value in points), side.column, done)


def _names(mark: str, sides: Sequence[Side]) -> tuple[list[str], int]:
    """The series that are drawn, the largest first, and how many are not."""
    every = {name: 0.0 for side in sides for groups in (side.now, side.before or {}) for name in groups}
    for side in sides:
        for name in every:
            every[name] += max(side.total(name), side.total_before(name))
    names = largest_first(every, _MOST_SERIES.get(mark, _MOST))
    return names, len(every) - len(names)


def _with_others(sides: Sequence[Side], names: list[str], left_out: int) -> tuple[list[Side], list[str], int]:
    """The same with one series for those that there is no room for: the top of a stack is the sum of all."""
    names = names[:-1]
    others = f"{left_out + 1} others"

    def merged(groups: Groups) -> Groups:
        rest = sorted(point for name, points in groups.items() if name not in names for point in points)
        return {**{name: points for name, points in groups.items() if name in names}, others: rest}

    found = [
        Side(side.column, side.sign, merged(side.now), None if side.before is None else merged(side.before))
        for side in sides
    ]
    return found, [*names, others], 0


def _spots(mark: str, groups: Groups, names: Sequence[str]) -> dict[str, _Spots]:
    """Where each series lies. In a stack, one without a value at a place is nothing there, and several add up."""
    if mark != "stacked":
        return {name: [(place, 0.0, value) for place, value in groups.get(name, ())] for name in names}
    places = sorted({place for name in names for place, _ in groups.get(name, ())})
    under = dict.fromkeys(places, 0.0)
    found = {}
    for name in names:
        over = dict(under)
        for place, value in groups.get(name, ()):
            over[place] += value
        found[name] = [(place, under[place], over[place]) for place in places]
        under = over
    return found


def _series(
    name: str, sides: Sequence[Side], spots: Sequence[dict[str, _Spots]], old: Sequence[dict[str, _Spots]],
    canvas: _Canvas,
) -> Series:  # fmt: skip
    changes = [_change(side.total(name), side.total_before(name), side.column) for side in sides]
    totals = [amount_of(side.total(name), side.column) for side in sides]
    is_compared = sides[0].before is not None
    return Series(
        name if len(sides) == 1 or name != sides[0].column else " and ".join(side.column for side in sides),
        "".join(canvas.line(each[name], side.sign) for side, each in zip(sides, spots, strict=True)),
        "".join(canvas.area(each[name], side.sign) for side, each in zip(sides, spots, strict=True)),
        " up, ".join(totals) + (" down" if len(sides) > 1 else ""),
        "".join(canvas.line(each[name], side.sign) for side, each in zip(sides, old, strict=True)),
        ", ".join(changes) if is_compared else "",
    )


def _figures(name: str, side: Side, is_one_of_two: bool) -> Figures:
    values = sorted(value for _, value in side.now[name])
    if not values:
        values = [0.0]
    high = values[math.ceil(0.95 * len(values)) - 1]
    last = side.now[name][-1][1] if side.now[name] else 0.0
    total = sum(values)
    numbers = (values[0], total / len(values), high, values[-1], last, total)
    about = f"{name}, {side.column}" if is_one_of_two and name != side.column else name
    return Figures(about, *(amount_of(each, side.column) for each in numbers))


def _change(now: float, before: float, column: str) -> str:
    told = f"{amount_of(before, column)} before"
    if before <= 0 or now < 0:
        return told
    percent = (now - before) / before * 100
    if percent > _MOST_PERCENT:
        return f"{told} (×{now / before:,.3g})"
    return f"{told} ({'±0' if round(percent) == 0 else f'{percent:+,.0f}'.replace('-', '−')} %)"

"""A chart that is ready to be drawn, and the parts that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rave_http.pages.axis import Moment

HEIGHT: Final = 300
"""Of the drawing, whose width is `rave_http.pages.axis.WIDTH`; a page stretches both."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Attributes:
        name: of the column, or the value of the column of series.
        path: the line, as SVG has it.
        area: the same down to the ground, or to the series below it in a stack.
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
class Figures:
    """What the values of one series are like, each in words.

    Attributes:
        name: of the series; of the column, too, if there are two.
        least, average, high, largest: the smallest, the mean, the one that 95 % do not exceed, and the largest.
        last: the one at the last place.
        total: their sum.
    """

    name: str
    least: str
    average: str
    high: str
    largest: str
    last: str
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


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell of a heat map.

    Attributes:
        across, width: where it is in the drawing.
        level: how much it is, from 1 to 5.
        text: where it is and how much, in words.
    """

    across: float
    width: float
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row of a heat map; what is nothing has no cell.

    Attributes:
        name: what it stands for.
        cells: in order.
        total: their sum, in words.
    """

    name: str
    cells: Sequence[HeatCell]
    total: str


@dataclass(frozen=True, slots=True)
class FlowNode:
    """One end of flows.

    Attributes:
        name: what it stands for.
        text: how much comes from it or goes to it, in words.
        down, height: where it is, from 0 to 100.
        color: which of the colours of series.
    """

    name: str
    text: str
    down: float
    height: float
    color: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes from one end to another.

    Attributes:
        path: its shape, as SVG has it.
        text: from where, to where and how much, in words.
        color: that of where it comes from.
    """

    path: str
    text: str
    color: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart.

    Attributes:
        mark: a `rave_core.functions.page_hints.ChartMark`.
        about: what it shows, in words, for those who do not see it.
        series: of lines, areas, stacks and grids.
        figures: what the values of those are like.
        bars: of bars.
        heat: the rows of a heat map.
        sources, targets, flows: of a sankey diagram.
        most: the largest value, in words.
        below: the largest value below the ground, in words; empty if there is none.
        ground: how far down in the drawing nothing is.
        first, last: of the horizontal axis, in words.
        start, end: of that in Unix seconds; ``None`` if it is no time.
        left_out: how many series or rows there is no room for.
        compared: which earlier time is dashed, in words; empty for none.
        moments: what happened within its time, in order.
        note: what it leaves out of the table, as a sentence; empty for nothing.
    """

    mark: str
    about: str
    series: Sequence[Series] = ()
    figures: Sequence[Figures] = ()
    bars: Sequence[ChartBar] = ()
    heat: Sequence[HeatRow] = ()
    sources: Sequence[FlowNode] = ()
    targets: Sequence[FlowNode] = ()
    flows: Sequence[Flow] = ()
    most: str = ""
    below: str = ""
    ground: float = HEIGHT
    first: str = ""
    last: str = ""
    start: float | None = None
    end: float | None = None
    left_out: int = 0
    compared: str = ""
    moments: Sequence[Moment] = ()
    note: str = ""

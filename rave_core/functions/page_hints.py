"""What authors say for the pages about an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

ROLES: Final = ("time", "address", "port", "bytes", "count", "share", "duration")
"""The roles of columns that pages write in their own way; any other word only leads on."""


ChartMark: TypeAlias = Literal["line", "area", "bars", "stacked", "grid", "heat", "sankey"]
"""How a table is drawn."""


class PageView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chart of the tables that an operation returns.

    Attributes:
        title: in words.
        mark: how it is drawn.
        x: the column of the horizontal axis, of the names of bars, or of the sources of flows; the first by default.
        y: the column of the values; the first other one with numbers by default.
        series: the column whose values make a line, a small chart or a row each, or the targets of flows.
        down: a column whose values lines, areas, stacks and grids draw downwards; none by default.
    """

    title: str
    mark: ChartMark = "line"
    x: str = ""
    y: str = ""
    series: str = ""
    down: str = ""


class PageHints(Struct, frozen=True, kw_only=True):
    """What authors say for the pages about an operation.

    Attributes:
        takes: the roles of the columns whose values parameters take, by parameter.
        views: charts of its tables, the first of which is shown first.
        groups: parameters that forms show together, by the title of the group, in order; the others come before them.
    """

    takes: Mapping[str, str] = msgspec.field(default_factory=dict)
    views: tuple[PageView, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

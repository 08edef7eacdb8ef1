"""The pictures as file operations, each as PNG and, under its name with ``/svg``, as SVG.

Under the name with ``/table`` is the table that is drawn; an SVG links to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core import Operation, op, op_file
from rave_flow import steps
from rave_flow.inventory import Inventory, Selection
from rave_flow.model.windows import HOUR, Bins, Window, readable_width
from rave_flow.operations.windowed import ARROW, noted, selected, settling
from rave_flow.pictures import plots, styling
from rave_flow.pictures.behind import netted, query_of, timed
from rave_flow.sql import picture_tables
from rave_flow.steps import Slice, parquet_of

if TYPE_CHECKING:
    import pyarrow
    from matplotlib.figure import Figure

TYPES: dict[str, Any] = {
    "by": "flow_measure", "over": "flow_dimension", "end_of": "flow_end", "n": "flow_few", "prefix": "flow_prefix",
    "scale": "flow_scale",
    "bin": "flow_width", "start": "flow_time", "end": "flow_time", "source": "flow_source",
}  # fmt: skip
_SHARED: dict[str, Any] = {"start": None, "end": None, "source": "default"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a picture is drawn of.

    Attributes:
        selection: of the flows.
        first, last: when the first and the last of them started.
        facts: the same in words.
    """

    selection: Selection
    first: datetime
    last: datetime
    facts: str

    @classmethod
    def of(cls, inventory: Inventory, selection: Selection) -> Ground:
        """The ground of a selection.

        Raises:
            NothingFoundError: there are no flows.
        """
        found = inventory.require(selection)
        bulk = inventory.bulk(selection, found, HOUR)
        if bulk.apart:
            selection = inventory.select(Window(bulk.first, bulk.last + timedelta(microseconds=1))).without(bulk.apart)
        since = selection.window.start or bulk.first
        until = selection.window.end or bulk.last
        return cls(
            selection,
            bulk.first,
            bulk.last,
            f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC; {found.flows - bulk.apart} flows"
            + (f"; {bulk.apart} start far from these" if bulk.apart else ""),
        )

    def bins(self, wanted: int, width: float | None = None) -> Bins:
        """About this many bins of the window, unless the width is given."""
        window = self.selection.window
        seconds = ((window.end or self.last) - (window.start or self.first)).total_seconds()
        parameter = "start" if width is None else "bin"
        return Bins.over(window, width or readable_width(seconds, wanted), self.first, self.last, parameter=parameter)


def _series(ground: Ground, bin: float | None, **_: Any) -> tuple[pyarrow.Table, Bins]:
    bins = ground.bins(150, bin)
    return steps.series(ground.selection.window, ground.selection.slices, bins), bins


def _timeline(figure: Figure, ground: Ground, by: str, bin: float | None, scale: str) -> None:
    table, bins = _series(ground, bin)
    plots.draw_timeline(figure, table, bins, by, ground.facts, scale)


def _ports(ground: Ground, by: str, n: int) -> tuple[pyarrow.Table, Bins]:
    bins = ground.bins(60)
    return _heat(ground.selection.window, ground.selection.slices, bins, by, n), bins


def _heatmap(figure: Figure, ground: Ground, by: str, n: int) -> None:
    table, bins = _ports(ground, by, n)
    plots.draw_heatmap(figure, table, bins, by, ground.facts)


def _largest(ground: Ground, by: str, over: str, n: int) -> pyarrow.Table:
    return steps.top(ground.selection.window, ground.selection.slices, n, by, over)


def _talkers(figure: Figure, ground: Ground, by: str, over: str, n: int) -> None:
    table = _largest(ground, by, over, n)
    plots.draw_talkers(figure, table, over, by, ground.facts)


def _reached(ground: Ground, n: int) -> tuple[pyarrow.Table, Bins]:
    bins = ground.bins(96)
    return _fans(ground.selection.window, ground.selection.slices, bins, n), bins


def _fanout(figure: Figure, ground: Ground, n: int) -> None:
    table, bins = _reached(ground, n)
    plots.draw_fanout(figure, table, bins, ground.facts)


def _networks(ground: Ground, by: str, end_of: str, prefix: int) -> pyarrow.Table:
    return _nets(ground.selection.window, ground.selection.slices, by, end_of, prefix)


def _space(figure: Figure, ground: Ground, by: str, end_of: str, prefix: int) -> None:
    table = _networks(ground, by, end_of, prefix)
    plots.draw_space(figure, table, prefix, end_of, by, ground.facts)


def _protocols(ground: Ground) -> pyarrow.Table:
    return _shares(ground.selection.window, ground.selection.slices)


def _mix(figure: Figure, ground: Ground) -> None:
    plots.draw_mix(figure, _protocols(ground), ground.facts)


@dataclass(frozen=True, slots=True)
class Picture:
    """One kind of picture.

    Attributes:
        draw: takes a figure, the ground and the options.
        behind: gives the table that is drawn, of the ground and the options.
        options: with their defaults.
        size: in inches.
        doc: what it shows.
    """

    draw: Callable[..., None]
    behind: Callable[..., pyarrow.Table]
    options: dict[str, Any]
    size: tuple[float, float]
    doc: str


PICTURES: dict[str, Picture] = {
    "timeline": Picture(
        _timeline, lambda ground, **own: timed(*_series(ground, **own)),
        {"by": "bytes", "bin": None, "scale": "auto"}, (11, 5),
        "A picture of the traffic over time by protocol; the width of a bin is chosen to read well if not given. "
        "The scale is logarithmic by itself where one peak would hide the rest, and linear else.",
    ),
    "heatmap": Picture(
        _heatmap, lambda ground, **own: timed(*_ports(ground, **own)), {"by": "bytes", "n": 20}, (11, 6),
        "A picture of the n largest ports over time: how much each had, brighter for more, on a logarithmic scale.",
    ),
    "talkers": Picture(
        _talkers, _largest, {"by": "bytes", "over": "src", "n": 15}, (11, 6),
        "A picture of the n largest sources, destinations, ports or protocols, with amounts and shares.",
    ),
    "fanout": Picture(
        _fanout, lambda ground, **own: timed(*_reached(ground, **own)), {"n": 8}, (11, 5),
        "A picture of the n sources that reached the most different ports of hosts, over time: scanners stand out. "
        "ICMP has no ports, and is not in it.",
    ),
    "addresses": Picture(
        _space, lambda ground, **own: netted(_networks(ground, **own), own["prefix"]),
        {"by": "flows", "end_of": "src", "prefix": 16}, (9.5, 9),
        "A picture of the IPv4 space as a square along Hilbert's curve: where sources (or destinations) are.",
    ),
    "mix": Picture(
        _mix, _protocols, {}, (11, 4), "A picture of the shares of the protocols in bytes, packets and flows.",
    ),
}  # fmt: skip


def _operation(name: str, kind: str) -> Operation[..., Any]:
    picture = PICTURES[name]
    defaults = {**picture.options, **_SHARED}
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [inspect.Parameter(each, place, default=given) for each, given in defaults.items()]
    out = [] if kind == "table" else [inspect.Parameter("out", place)]

    def run(*values: Any, **given: Any) -> Any:
        named = dict(zip([each.name for each in (*out, *own)], values, strict=False)) | given
        return behind(name, named) if kind == "table" else paint(name, Path(named.pop("out")), named)

    run.__signature__ = inspect.Signature([*out, *own])  # type: ignore[attr-defined]  # inspect looks for it
    run.__doc__, run.__name__, run.__qualname__ = picture.doc, name, name
    if kind == "table":
        run.__doc__ = f"The table behind the picture ``flow/{name}``, with the same arguments."
    made: Operation[..., Any] = _DECORATORS[kind](
        name=f"flow/{name}{SUFFIXES[kind]}",
        expires=settling,
        mime_type=_MIME_TYPES[kind],
        typemap={each: TYPES[each] for each in defaults},
        time_range=("start", "end", "bin") if "bin" in defaults else ("start", "end"),
        behind=None if kind == "table" else f"{name}/table",
    )(run)
    return made


SUFFIXES = {"png": "", "svg": "/svg", "table": "/table"}
"""What the name of each form of a picture ends with."""

_DECORATORS: dict[str, Any] = {"png": op_file, "svg": op_file, "table": op}
_MIME_TYPES = {"png": "image/png", "svg": "image/svg+xml", "table": ARROW}


def paint(name: str, target: Path, arguments: dict[str, Any]) -> None:
    """Draws a picture to a file, as PNG or SVG by its suffix.

    Raises:
        FlowError: the source can't be read, or no flow is in the window.
    """
    picture = PICTURES[name]
    figure = styling.new_figure(*picture.size)
    ground, own = _ground(name, arguments)
    picture.draw(figure, ground, **own)
    query = query_of(arguments, {**picture.options, **_SHARED})
    styling.refer(figure, f"flow/{name}/table", f"table?{query}" if query else "table")
    notes = ground.selection.left_out.sentences()
    styling.admit(figure, notes)
    styling.save(figure, target, notes)


def behind(name: str, arguments: dict[str, Any]) -> pyarrow.Table:
    """The table behind a picture: what is drawn of the same arguments.

    Raises:
        FlowError: the source can't be read, or no flow is in the window.
    """
    ground, own = _ground(name, arguments)
    return noted(PICTURES[name].behind(ground, **own), ground.selection)


def _ground(name: str, arguments: dict[str, Any]) -> tuple[Ground, dict[str, Any]]:
    inventory, selection = selected(arguments["source"], arguments["start"], arguments["end"])
    return Ground.of(inventory, selection), {option: arguments[option] for option in PICTURES[name].options}


@op
def _heat(window: Window, slices: tuple[Slice, ...], bins: Bins, by: str, most: int) -> pyarrow.Table:
    return picture_tables.heat(parquet_of(slices), window, bins, by, most)


@op
def _fans(window: Window, slices: tuple[Slice, ...], bins: Bins, most: int) -> pyarrow.Table:
    return picture_tables.fanout(parquet_of(slices), window, bins, most)


@op
def _nets(window: Window, slices: tuple[Slice, ...], by: str, over: str, prefix: int) -> pyarrow.Table:
    return picture_tables.space(parquet_of(slices), window, by, over, prefix)


@op
def _shares(window: Window, slices: tuple[Slice, ...]) -> pyarrow.Table:
    return picture_tables.mix(parquet_of(slices), window)


__export__: dict[str, Operation[..., Any]] = {
    f"{name}{suffix}": _operation(name, kind) for name in PICTURES for kind, suffix in SUFFIXES.items()
}

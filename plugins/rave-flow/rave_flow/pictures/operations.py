"""The pictures as file operations, each as PNG and, under its name with ``/svg``, as SVG."""

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
from rave_flow.operations.windowed import selected, settling
from rave_flow.pictures import plots, styling
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
        return Bins.over(window, width or readable_width(seconds, wanted), self.first, self.last)


def _timeline(figure: Figure, ground: Ground, by: str, bin: float | None, scale: str) -> None:
    bins = ground.bins(150, bin)
    table = steps.series(ground.selection.window, ground.selection.slices, bins)
    plots.draw_timeline(figure, table, bins, by, ground.facts, ground.selection.skipped, scale)


def _heatmap(figure: Figure, ground: Ground, by: str, n: int) -> None:
    bins = ground.bins(60)
    table = _heat(ground.selection.window, ground.selection.slices, bins, by, n)
    plots.draw_heatmap(figure, table, bins, by, ground.facts, ground.selection.skipped)


def _talkers(figure: Figure, ground: Ground, by: str, over: str, n: int) -> None:
    table = steps.top(ground.selection.window, ground.selection.slices, n, by, over)
    plots.draw_talkers(figure, table, over, by, ground.facts, ground.selection.skipped)


def _fanout(figure: Figure, ground: Ground, n: int) -> None:
    bins = ground.bins(96)
    table = _fans(ground.selection.window, ground.selection.slices, bins, n)
    plots.draw_fanout(figure, table, bins, ground.facts, ground.selection.skipped)


def _space(figure: Figure, ground: Ground, by: str, end_of: str, prefix: int) -> None:
    table = _nets(ground.selection.window, ground.selection.slices, by, end_of, prefix)
    plots.draw_space(figure, table, prefix, end_of, by, ground.facts, ground.selection.skipped)


def _mix(figure: Figure, ground: Ground) -> None:
    table = _shares(ground.selection.window, ground.selection.slices)
    plots.draw_mix(figure, table, ground.facts, ground.selection.skipped)


@dataclass(frozen=True, slots=True)
class Picture:
    """One kind of picture: what draws it, its options with their defaults, its size in inches, and what it shows."""

    draw: Callable[..., None]
    options: dict[str, Any]
    size: tuple[float, float]
    doc: str


PICTURES: dict[str, Picture] = {
    "timeline": Picture(
        _timeline, {"by": "bytes", "bin": None, "scale": "auto"}, (11, 5),
        "A picture of the traffic over time by protocol; the width of a bin is chosen to read well if not given. "
        "The scale is logarithmic by itself where one peak would hide the rest, and linear else.",
    ),
    "heatmap": Picture(
        _heatmap, {"by": "bytes", "n": 20}, (11, 6),
        "A picture of the n largest ports over time: how much each had, brighter for more, on a logarithmic scale.",
    ),
    "talkers": Picture(
        _talkers, {"by": "bytes", "over": "src", "n": 15}, (11, 6),
        "A picture of the n largest sources, destinations, ports or protocols, with amounts and shares.",
    ),
    "fanout": Picture(
        _fanout, {"n": 8}, (11, 5),
        "A picture of the n sources that reached the most different ports of hosts, over time: scanners stand out. "
        "ICMP has no ports, and is not in it.",
    ),
    "addresses": Picture(
        _space, {"by": "flows", "end_of": "src", "prefix": 16}, (9.5, 9),
        "A picture of the IPv4 space as a square along Hilbert's curve: where sources (or destinations) are.",
    ),
    "mix": Picture(
        _mix, {}, (11, 4), "A picture of the shares of the protocols in bytes, packets and flows.",
    ),
}  # fmt: skip


def _operation(name: str, kind: str) -> Operation[..., Any]:
    picture = PICTURES[name]
    defaults = {**picture.options, **_SHARED}
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [
            inspect.Parameter("out", place),
            *(inspect.Parameter(each, place, default=given) for each, given in defaults.items()),
        ]
    )

    def run(out: str, *values: Any, **given: Any) -> None:
        named = dict(zip(PARAMETERS[name], values, strict=False)) | given
        paint(name, Path(out), named)

    run.__signature__ = signature  # type: ignore[attr-defined]  # inspect looks for it
    run.__doc__, run.__name__, run.__qualname__ = picture.doc, name, name
    decorate = op_file(
        name=f"flow/{name}{'/svg' if kind == 'svg' else ''}",
        expires=settling,
        mime_type={"png": "image/png", "svg": "image/svg+xml"}[kind],
        typemap={each: TYPES[each] for each in defaults},
    )
    return decorate(run)


PARAMETERS: dict[str, tuple[str, ...]] = {name: (*picture.options, *_SHARED) for name, picture in PICTURES.items()}


def paint(name: str, target: Path, arguments: dict[str, Any]) -> None:
    """Draws a picture to a file, as PNG or SVG by its suffix.

    Raises:
        FlowError: the source can't be read, or no flow is in the window.
    """
    picture = PICTURES[name]
    own = {option: arguments[option] for option in picture.options}
    inventory, selection = selected(arguments["source"], arguments["start"], arguments["end"])
    figure = styling.new_figure(*picture.size)
    picture.draw(figure, Ground.of(inventory, selection), **own)
    styling.save(figure, target)


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
    f"{name}{suffix}": _operation(name, kind) for name in PICTURES for kind, suffix in (("png", ""), ("svg", "/svg"))
}

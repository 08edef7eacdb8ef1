"""Pictures beside the timeline: heat map, talkers, fan-out, address space, protocol mix.

Drawn without a screen and without global state, so that many threads can draw at once; equal data give equal bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.charts import COLOURS, LEVELS, OTHER, SPARE, ZEROES, said
from rave_flow.views import hilbert
from rave_flow.windows import Bins, instant

if TYPE_CHECKING:
    import pyarrow
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = {"bytes": ("Bytes", "B"), "packets": ("Packets", ""), "flows": ("Flows", "")}
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's palette again, in an order in which thin lines are told apart."""

WHAT = {
    "src": "sources", "dst": "destinations", "address": "addresses", "src_port": "source ports",
    "dst_port": "destination ports", "port": "ports", "proto": "protocols", "service": "services",
}  # fmt: skip
DASHES = ("-", "--", "-.", ":")


_ONE_AT_A_TIME = threading.Lock()
"""What makes the names in an SVG the same every time is a setting of all of matplotlib's."""


def new_figure(width: float = 11, height: float = 5) -> Figure:
    """An empty figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def save(figure: Figure, target: Path) -> None:
    """Writes a figure as PNG or SVG, by the suffix of ``target``, with nothing in it of when it was written."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if target.suffix == ".svg":
        FigureCanvasSVG(figure)
        with _ONE_AT_A_TIME, matplotlib.rc_context({"svg.hashsalt": "rave", "svg.fonttype": "path"}):
            figure.savefig(target, format="svg", metadata={"Date": None, "Creator": "RAVE"})
    else:
        FigureCanvasAgg(figure)
        figure.savefig(target, format="png", metadata={"Software": "RAVE"})


def entitle(axes: Axes, title: str, facts: str, skipped: int) -> None:
    """What a picture shows, in large, and of which flows, in small."""
    lost = f"; {skipped} lines could not be read" if skipped else ""
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=12)
    axes.set_title(facts + lost, loc="right", fontsize=9, pad=12)


def amount(value: float, by: str) -> str:
    """A number with its unit, as ``1.5 MB``; SI prefixes."""
    from matplotlib.ticker import EngFormatter

    unit = UNITS[by][1]
    return str(EngFormatter(unit=unit, places=1 if value >= 1000 else 0, sep=" " if unit else "")(value)).strip()


def draw_heatmap(figure: Figure, table: pyarrow.Table, bins: Bins, by: str, facts: str, skipped: int) -> None:
    """Ports against time; darker is less, on a logarithmic scale, and white is nothing."""
    import numpy
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import EngFormatter

    rows = table.to_pylist()
    names = list(dict.fromkeys((row["port"], row["proto"]) for row in rows))
    values = numpy.zeros((len(names), bins.number))
    places = {name: number for number, name in enumerate(names)}
    for row in rows:
        values[places[row["port"], row["proto"]], row["bin"]] += row["amount"]
    axes = figure.add_subplot()
    masked = numpy.ma.masked_equal(values, 0)
    top = float(values.max())
    scale = LogNorm(max(float(masked.min()), 1.0) if top else 1.0, max(top, 1.1)) if top > 1 else None
    grid = _edges(bins), numpy.arange(len(names) + 1)
    mesh = axes.pcolormesh(*grid, masked, cmap="viridis", norm=scale, rasterized=True)
    labels = ["others" if port is None else f"{port}/{proto}" for port, proto in names]
    axes.set_yticks(numpy.arange(len(names)) + 0.5, labels)
    axes.tick_params(axis="y", labelsize=8)
    axes.invert_yaxis()
    axes.set_ylabel("Port of the responder")
    _time_axis(axes, bins)
    name, unit = UNITS[by]
    bar = figure.colorbar(mesh, ax=axes, format=EngFormatter(unit=unit, sep=" " if unit else ""), pad=0.01)
    bar.set_label(f"{name} per {said(bins.width)}")
    entitle(axes, f"{name} by port and time", facts, skipped)


def draw_talkers(figure: Figure, table: pyarrow.Table, over: str, by: str, facts: str, skipped: int) -> None:
    """A bar for each of the largest, with its amount and its share."""
    from matplotlib.ticker import EngFormatter

    rows = table.to_pylist()
    axes = figure.add_subplot()
    labels = [str(row[over]) if row[over] is not None else "unknown" for row in rows]
    values = [row[by] for row in rows]
    axes.barh(range(len(rows)), values, color=COLOURS["tcp"], height=0.75)
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params(axis="y", labelsize=min(9.0, 180 / max(len(rows), 1) + 3))
    axes.invert_yaxis()
    for place, row in enumerate(rows):
        axes.annotate(
            f"{amount(row[by], by)}, {row['share']:.1%}", (row[by], place), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=min(8.0, 170 / max(len(rows), 1) + 3),
        )  # fmt: skip
    name, unit = UNITS[by]
    axes.set_xlabel(name)
    axes.xaxis.set_major_formatter(EngFormatter(unit=unit, sep=" " if unit else ""))
    axes.set_xlim(0, max(values, default=1) * 1.18 or 1)
    _tidy(axes, "x")
    entitle(axes, f"The largest {WHAT[over]} by {name.lower()}", facts, skipped)


def draw_fanout(figure: Figure, table: pyarrow.Table, bins: Bins, facts: str, skipped: int) -> None:
    """A line for each source: how many ports of hosts it reached in each bin, on a logarithmic scale."""
    from matplotlib.ticker import ScalarFormatter

    lines: dict[str, list[int]] = {}
    wholes: dict[str, int] = {}
    for row in table.to_pylist():
        lines.setdefault(row["src"], [0] * bins.number)[row["bin"]] = row["targets"]
        wholes[row["src"]] = row["whole"]
    axes = figure.add_subplot()
    starts = _edges(bins)
    for number, (src, values) in enumerate(lines.items()):
        axes.step(
            starts, [*values, values[-1]], where="post", label=f"{src}  ({wholes[src]})", linewidth=1.4,
            color=LINES[number % len(LINES)], linestyle=DASHES[number // len(LINES) % len(DASHES)],
        )  # fmt: skip
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"Different ports of hosts per {said(bins.width)}")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    _time_axis(axes, bins)
    _tidy(axes, "y")
    axes.legend(title="Source (in all)", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    entitle(axes, "Fan-out of sources", facts, skipped)


def draw_space(figure: Figure, table: pyarrow.Table, prefix: int, over: str, by: str, facts: str, skipped: int) -> None:
    """All of IPv4 as a square, along Hilbert's curve; each point is a net of that prefix, and black is nothing."""
    import numpy
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import EngFormatter

    order, other = prefix // 2, 0
    values = numpy.zeros((1 << order, 1 << order))
    for row in table.to_pylist():
        if row["net"] is None:
            other += row["amount"]
            continue
        column, line = hilbert(order, row["net"])
        values[line, column] += row["amount"]
    axes = figure.add_subplot()
    top = float(values.max())
    masked = numpy.ma.masked_equal(values, 0)
    axes.set_facecolor("#000000")
    scale = LogNorm(max(float(masked.min()), 1.0), max(top, 1.1)) if top > 1 else None
    image = axes.imshow(masked, cmap="viridis", norm=scale, interpolation="nearest", extent=(0, 16, 16, 0))
    for net in range(256):
        column, line = hilbert(4, net)
        axes.text(column + 0.08, line + 0.26, str(net), fontsize=5, color="#BBBBBB")
    axes.set_xticks(range(17), [])
    axes.set_yticks(range(17), [])
    axes.grid(color="#555555", linewidth=0.4)
    axes.tick_params(length=0)
    name, unit = UNITS[by]
    bar = figure.colorbar(image, ax=axes, format=EngFormatter(unit=unit, sep=" " if unit else ""), pad=0.02)
    bar.set_label(f"{name} of a /{prefix}")
    six = f"IPv6, which is not drawn: {amount(other, by)}" if other else "no IPv6"
    axes.set_xlabel(f"{facts}; {six}{f'; {skipped} lines could not be read' if skipped else ''}", fontsize=9)
    what = {"src": "source", "dst": "destination"}[over]
    title = f"{name} by {what} in the space of IPv4 (numbers: first octet)"
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold")


def draw_mix(figure: Figure, table: pyarrow.Table, facts: str, skipped: int) -> None:
    """A bar each for bytes, packets and flows, of the shares of the protocols."""
    rows = table.to_pylist()
    axes = figure.add_subplot()
    measures = ("bytes", "packets", "flows")
    totals = {by: sum(row[by] for row in rows) or 1 for by in measures}
    lefts = dict.fromkeys(measures, 0.0)
    for name, values, colour in _shares(rows):
        for place, by in enumerate(measures):
            width = values[by] / totals[by]
            axes.barh(place, width, left=lefts[by], color=colour, height=0.6, label=name if place == 0 else None)
            if width > 0.05:
                text = "#FFFFFF" if colour in _DARK else "#000000"
                middle = lefts[by] + width / 2
                axes.text(middle, place, f"{width:.0%}", ha="center", va="center", fontsize=9, color=text)
            lefts[by] += width
    whole = [f"{UNITS[by][0]}\n{amount(sum(row[by] for row in rows), by)}" for by in measures]
    axes.set_yticks(range(len(measures)), whole)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("Share")
    _tidy(axes, "x")
    axes.legend(title="Protocol", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    entitle(axes, "Mix of protocols", facts, skipped)


_DARK = (COLOURS["tcp"], COLOURS["icmp"], COLOURS["gre"], "#000000")
_TOLD_APART = 6


def _shares(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, int], str]]:
    """The largest protocols, and the others as one, each with its colour."""
    spare = iter(SPARE)
    found = [
        (row["proto"], {by: row[by] for by in UNITS}, COLOURS.get(row["proto"]) or next(spare, OTHER))
        for row in rows[:_TOLD_APART]
    ]
    if rest := rows[_TOLD_APART:]:
        found.append(("other", {by: sum(row[by] for row in rest) for by in UNITS}, OTHER))
    return found


def _edges(bins: Bins) -> list[Any]:
    from matplotlib.dates import date2num

    return [date2num(moment) for moment in (*bins.starts(), instant(bins.origin + bins.number * bins.width))]  # type: ignore[no-untyped-call]  # matplotlib's


def _time_axis(axes: Axes, bins: Bins) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=11)  # type: ignore[no-untyped-call]  # matplotlib's
    axes.xaxis.set_major_locator(locator)
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(locator, UTC, LEVELS, zero_formats=ZEROES, show_offset=False))
    edges = _edges(bins)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("Start of the flow (UTC)")


def _tidy(axes: Axes, axis: Any) -> None:
    axes.grid(axis=axis, color="#CCCCCC", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

"""The pictures: timeline, heat map, talkers, fan-out, address space, protocol mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log10
from statistics import median
from typing import TYPE_CHECKING, Any

from rave_flow.model.windows import Bins, said
from rave_flow.pictures.styling import (
    COLOURS,
    LINES,
    OTHER,
    SPARE,
    UNITS,
    amount,
    edges,
    entitle,
    tidy,
    time_axis,
)
from rave_flow.sql.picture_tables import hilbert

if TYPE_CHECKING:
    import pyarrow
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHAT = {
    "src": "sources", "dst": "destinations", "address": "addresses", "src_port": "source ports",
    "dst_port": "destination ports", "port": "ports", "proto": "protocols", "service": "services",
}  # fmt: skip
DASHES = ("-", "--", "-.", ":")
_STACKED = 5
"""How many protocols a timeline shows separately; it draws the smaller ones as one."""


def draw_timeline(figure: Figure, series: pyarrow.Table, bins: Bins, by: str, facts: str, scale: str = "auto") -> None:
    """Stacked areas over time, the largest protocol at the bottom; on a logarithmic scale a line each.

    Args:
        figure: to draw on.
        series: what `rave_flow.sql.aggregates.series` gave.
        bins: of the series.
        by: what is measured.
        facts: of which flows, in words.
        scale: ``linear``, ``log``, or ``auto``: logarithmic if one peak would hide all the rest.
    """
    from matplotlib.ticker import EngFormatter

    stacks = _stacked(series, bins, by)
    is_log = scale == "log" or (scale == "auto" and has_peak(stacks))
    axes = figure.add_subplot()
    (_draw_lines if is_log else _draw_areas)(axes, stacks, bins)
    name, unit = UNITS[by]
    axes.set_ylabel(f"{name} per {said(bins.width)}{', logarithmic' if is_log else ''}")
    axes.yaxis.set_major_formatter(EngFormatter(unit=unit, sep=" " if unit else ""))
    time_axis(axes, bins)
    tidy(axes, "y")
    handles, labels = axes.get_legend_handles_labels()
    order = slice(None) if is_log else slice(None, None, -1)
    axes.legend(
        handles[order], labels[order], title="Protocol", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False
    )
    whole = amount(sum(sum(values) for values in stacks.values()), by)
    entitle(axes, f"{name} by protocol", facts if by == "flows" else f"{facts}; {whole}")


PEAK = 30
"""A peak of this many times the median of bins with flows hides the rest."""


def has_peak(stacks: Mapping[str, Sequence[int]]) -> bool:
    """Whether the highest bin is so high that the others would be flat."""
    totals = [total for total in map(sum, zip(*stacks.values(), strict=True)) if total]
    return len(totals) > 2 and max(totals) > PEAK * median(totals)


def _colours_of(names: Iterable[str]) -> list[str]:
    spare = iter(SPARE)
    return [COLOURS.get(name) or (OTHER if name == "other" else next(spare)) for name in names]


def _draw_areas(axes: Axes, stacks: Mapping[str, Sequence[int]], bins: Bins) -> None:
    # Steps hold each value for its whole bin, so the last one appears twice.
    heights = [[*values, values[-1]] for values in stacks.values()]
    axes.stackplot(edges(bins), heights, labels=list(stacks), colors=_colours_of(stacks), step="post", linewidth=0)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.08)


def _draw_lines(axes: Axes, stacks: Mapping[str, Sequence[int]], bins: Bins) -> None:
    """A line each: stacked areas would mean nothing if equal heights are not equal amounts."""
    for (name, values), colour in zip(stacks.items(), _colours_of(stacks), strict=True):
        axes.step(edges(bins), [*values, values[-1]], where="post", label=name, color=colour, linewidth=1.3)
    least = min((value for values in stacks.values() for value in values if value), default=1)
    lowest, most = floor(log10(least)), max(least, *(value for values in stacks.values() for value in values))
    axes.set_yscale("symlog", linthresh=10**lowest, linscale=0.3)
    axes.set_yticks([0, *(10**power for power in range(lowest, floor(log10(most)) + 1))])
    axes.set_ylim(bottom=0)
    axes.margins(y=0.08)


def _stacked(series: pyarrow.Table, bins: Bins, by: str) -> dict[str, list[int]]:
    """The values of each bin by protocol, the largest first, the small ones together."""
    values: dict[str, list[int]] = {}
    for row in series.to_pylist():
        values.setdefault(row["proto"], [0] * bins.number)[row["bin"]] += row[by]
    ranked = sorted(values, key=lambda proto: (-sum(values[proto]), proto))
    stacks = {proto: values[proto] for proto in ranked[:_STACKED]}
    if ranked[_STACKED:]:
        stacks["other"] = [sum(column) for column in zip(*(values[proto] for proto in ranked[_STACKED:]), strict=True)]
    return stacks


def draw_heatmap(figure: Figure, table: pyarrow.Table, bins: Bins, by: str, facts: str) -> None:
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
    grid = edges(bins), numpy.arange(len(names) + 1)
    mesh = axes.pcolormesh(*grid, masked, cmap="viridis", norm=scale, rasterized=True)
    _name_ports(axes, names)
    time_axis(axes, bins)
    name, unit = UNITS[by]
    bar = figure.colorbar(mesh, ax=axes, format=EngFormatter(unit=unit, sep=" " if unit else ""), pad=0.01)
    bar.set_label(f"{name} per {said(bins.width)}")
    entitle(axes, f"{name} by port and time", facts)


def _name_ports(axes: Axes, names: list[tuple[int | None, str]]) -> None:
    """The ports from the top down, each in the middle of its line."""
    labels = ["others" if port is None else f"{port}/{proto}" for port, proto in names]
    axes.set_yticks([place + 0.5 for place in range(len(names))], labels)
    axes.tick_params(axis="y", labelsize=8)
    axes.invert_yaxis()
    axes.set_ylabel("Port of the responder")


def draw_talkers(figure: Figure, table: pyarrow.Table, over: str, by: str, facts: str) -> None:
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
    tidy(axes, "x")
    entitle(axes, f"The largest {WHAT[over]} by {name.lower()}", facts)


def draw_fanout(figure: Figure, table: pyarrow.Table, bins: Bins, facts: str) -> None:
    """A line for each source: how many ports of hosts it reached in each bin, on a logarithmic scale."""
    from matplotlib.ticker import ScalarFormatter

    lines: dict[str, list[int]] = {}
    wholes: dict[str, int] = {}
    for row in table.to_pylist():
        lines.setdefault(row["src"], [0] * bins.number)[row["bin"]] = row["targets"]
        wholes[row["src"]] = row["whole"]
    axes = figure.add_subplot()
    starts = edges(bins)
    for number, (src, values) in enumerate(lines.items()):
        axes.step(
            starts, [*values, values[-1]], where="post", label=f"{src}  ({wholes[src]})", linewidth=1.4,
            color=LINES[number % len(LINES)], linestyle=DASHES[number // len(LINES) % len(DASHES)],
        )  # fmt: skip
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"Different ports of hosts per {said(bins.width)}")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    time_axis(axes, bins)
    tidy(axes, "y")
    axes.legend(title="Source (in all)", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    entitle(axes, "Fan-out of sources", facts)


def draw_space(figure: Figure, table: pyarrow.Table, prefix: int, over: str, by: str, facts: str) -> None:
    """All of IPv4 as a square, along Hilbert's curve; each point is a net of that prefix, and black is nothing."""
    import numpy
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import EngFormatter

    values, other = _squared(table, prefix // 2)
    axes = figure.add_subplot()
    top = float(values.max())
    masked = numpy.ma.masked_equal(values, 0)
    axes.set_facecolor("#000000")
    scale = LogNorm(max(float(masked.min()), 1.0), max(top, 1.1)) if top > 1 else None
    image = axes.imshow(masked, cmap="viridis", norm=scale, interpolation="nearest", extent=(0, 16, 16, 0))
    _number_octets(axes)
    name, unit = UNITS[by]
    bar = figure.colorbar(image, ax=axes, format=EngFormatter(unit=unit, sep=" " if unit else ""), pad=0.02)
    bar.set_label(f"{name} of a /{prefix}")
    six = f"IPv6, which is not drawn: {amount(other, by)}" if other else "no IPv6"
    axes.set_xlabel(f"{facts}; {six}", fontsize=9)
    what = {"src": "source", "dst": "destination"}[over]
    title = f"{name} by {what} in the space of IPv4 (numbers: first octet)"
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold")


def _squared(table: pyarrow.Table, order: int) -> tuple[Any, int]:
    """The amounts along a Hilbert curve in a square of ``2**order`` a side, and that of what has no net."""
    import numpy

    values, other = numpy.zeros((1 << order, 1 << order)), 0
    for row in table.to_pylist():
        if row["net"] is None:
            other += row["amount"]
            continue
        column, line = hilbert(order, row["net"])
        values[line, column] += row["amount"]
    return values, other


def _number_octets(axes: Axes) -> None:
    """A grid of the nets of eight bits, each with its number."""
    for net in range(256):
        column, line = hilbert(4, net)
        axes.text(column + 0.08, line + 0.26, str(net), fontsize=5, color="#BBBBBB")
    axes.set_xticks(range(17), [])
    axes.set_yticks(range(17), [])
    axes.grid(color="#555555", linewidth=0.4)
    axes.tick_params(length=0)


def draw_mix(figure: Figure, table: pyarrow.Table, facts: str) -> None:
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
    tidy(axes, "x")
    axes.legend(title="Protocol", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    entitle(axes, "Mix of protocols", facts)


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

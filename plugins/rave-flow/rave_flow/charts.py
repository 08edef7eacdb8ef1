"""Pictures of flows, drawn without a screen and without global state, so that many threads can draw at once."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.windows import Bins, instant

if TYPE_CHECKING:
    import pyarrow
    from matplotlib.axes import Axes

COLOURS = {
    "tcp": "#0072B2",
    "udp": "#E69F00",
    "icmp": "#009E73",
    "icmp6": "#CC79A7",
    "gre": "#D55E00",
    "esp": "#F0E442",
}
"""Protocols keep their colour from one picture to the next. Okabe and Ito's palette, told apart by the colour-blind."""

SPARE = ("#56B4E9", "#F0E442", "#000000", "#CC79A7", "#D55E00")
OTHER = "#999999"
MOST = 5
"""How many protocols are told apart; the smaller ones are drawn as one."""

LEVELS = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
ZEROES = ["%Y", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M:%S"]
"""How a date is written at each level of detail, from years to seconds, and how where it is at a start."""

_UNITS = {"bytes": ("Bytes", "B"), "packets": ("Packets", ""), "flows": ("Flows", "")}


def draw_timeline(target: Path, series: pyarrow.Table, bins: Bins, by: str, skipped: int = 0) -> None:
    """Draws stacked areas of ``by`` over time, the largest protocol at the bottom, to the PNG file ``target``.

    Args:
        target: the file to write.
        series: what `rave_flow.queries.series` gave.
        bins: those of the series.
        by: ``bytes``, ``packets`` or ``flows``.
        skipped: how many lines could not be read; if there are any, the picture says so.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    stacks = _stacked(series, bins, by)
    _draw(axes, stacks, bins)
    _entitle(axes, bins, by, sum(sum(values) for values in stacks.values()), skipped)
    _label(axes, bins, by)
    figure.savefig(target, format="png", metadata={"Software": "RAVE"})


def _stacked(series: pyarrow.Table, bins: Bins, by: str) -> dict[str, list[int]]:
    """The values of each bin by protocol, the largest first, the small ones together."""
    values: dict[str, list[int]] = {}
    for row in series.to_pylist():
        values.setdefault(row["proto"], [0] * bins.number)[row["bin"]] += row[by]
    ranked = sorted(values, key=lambda proto: (-sum(values[proto]), proto))
    stacks = {proto: values[proto] for proto in ranked[:MOST]}
    if ranked[MOST:]:
        stacks["other"] = [sum(column) for column in zip(*(values[proto] for proto in ranked[MOST:]), strict=True)]
    return stacks


def _draw(axes: Axes, stacks: dict[str, list[int]], bins: Bins) -> None:
    starts: list[Any] = [*bins.starts(), instant(bins.origin + bins.number * bins.width)]
    spare = iter(SPARE)
    colours = [COLOURS.get(proto) or (OTHER if proto == "other" else next(spare)) for proto in stacks]
    # Steps hold each value for the whole of its bin, so the last one is said twice.
    heights = [[*values, values[-1]] for values in stacks.values()]
    axes.stackplot(starts, heights, labels=list(stacks), colors=colours, step="post", linewidth=0)
    axes.set_xlim(starts[0], starts[-1])
    axes.set_ylim(bottom=0)
    axes.margins(y=0.08)


def _entitle(axes: Axes, bins: Bins, by: str, total: int, skipped: int) -> None:
    from matplotlib.ticker import EngFormatter

    name, unit = _UNITS[by]
    first, last = instant(bins.origin), instant(bins.origin + bins.number * bins.width)
    amount = EngFormatter(unit=unit, places=1 if total >= 1000 else 0, sep=" " if unit else "")(total)
    lost = f"; {skipped} lines could not be read" if skipped else ""
    axes.set_title(f"{name} by protocol", loc="left", fontsize=14, fontweight="bold", pad=12)
    facts = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC; {amount} in all{lost}"
    axes.set_title(facts, loc="right", fontsize=9, pad=12)


def _label(axes: Axes, bins: Bins, by: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import EngFormatter

    name, unit = _UNITS[by]
    axes.set_xlabel("Start of the flow (UTC)")
    axes.set_ylabel(f"{name} per {said(bins.width)}")
    locator = AutoDateLocator(tz=UTC, minticks=5, maxticks=13)  # type: ignore[no-untyped-call]  # matplotlib's
    axes.xaxis.set_major_locator(locator)
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(locator, UTC, LEVELS, zero_formats=ZEROES, show_offset=False))
    axes.yaxis.set_major_formatter(EngFormatter(unit=unit, sep=" " if unit else ""))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(axis="y", color="#CCCCCC", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], title="Protocol", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False
    )


def said(seconds: float) -> str:
    """A time in words, as ``5 minutes``."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            number = int(seconds // size)
            return word if number == 1 else f"{number} {word}s"
    return str(timedelta(seconds=seconds))

"""How every picture looks: its colours, its titles, its axis of time, and how it becomes a file.

Nothing here needs a screen or changes what others draw, so that many threads can draw at once; equal data give equal
bytes.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.model.windows import Bins, instant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "tcp": "#0072B2",
    "udp": "#E69F00",
    "icmp": "#009E73",
    "icmp6": "#CC79A7",
    "gre": "#D55E00",
    "esp": "#F0E442",
}
"""Protocols keep their colour from one picture to the next. Okabe and Ito's palette is safe for the colour-blind."""

SPARE = ("#56B4E9", "#F0E442", "#000000", "#CC79A7", "#D55E00")
OTHER = "#999999"
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's palette again, in an order that keeps thin lines distinct."""

LEVELS = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
ZEROES = ["%Y", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M:%S"]
"""How to write a date at each level of detail, from years to seconds, and at the start of each."""

UNITS = {"bytes": ("Bytes", "B"), "packets": ("Packets", ""), "flows": ("Flows", "")}

_ONE_AT_A_TIME = threading.Lock()
"""Fixed names in an SVG need a setting that is global to matplotlib."""


def new_figure(width: float = 11, height: float = 5) -> Figure:
    """An empty figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def save(figure: Figure, target: Path, notes: Sequence[str] = ()) -> None:
    """Writes a figure as PNG or SVG, by the suffix of ``target``, without any trace of the time of writing.

    Args:
        figure: what is drawn.
        target: where.
        notes: what is missing, which the metadata of the file say as its description.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    said = {"Description": "\n".join(map(_shown, notes))} if notes else {}
    if target.suffix == ".svg":
        FigureCanvasSVG(figure)
        with _ONE_AT_A_TIME, matplotlib.rc_context({"svg.hashsalt": "rave", "svg.fonttype": "path"}):
            figure.savefig(target, format="svg", metadata={"Date": None, "Creator": "RAVE"} | said)
    else:
        FigureCanvasAgg(figure)
        figure.savefig(target, format="png", metadata={"Software": "RAVE"} | said)


def refer(figure: Figure, text: str, url: str) -> None:
    """Says in small in the corner where the numbers are; in an SVG it is a link, relative to the picture's own URL."""
    figure.text(0.998, 0.004, f"Table: {text}", ha="right", va="bottom", fontsize=7, color="#666666", url=url)


_LETTERS, _LINES, _CORNER = 17, 8, 30
"""Small letters in an inch, most lines of notes, and the letters of a line that the corner takes."""


def admit(figure: Figure, notes: Sequence[str]) -> None:
    """Says below a picture, in small, what is missing from it; nothing if nothing is."""
    width = int(figure.get_figwidth() * _LETTERS) - _CORNER
    lines = [line for each in notes for line in textwrap.wrap(_shown(each), width)]
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = ["… the rest stands in the table"]
    if lines:
        style: dict[str, Any] = {"ha": "left", "fontsize": 7, "color": "#333333", "parse_math": False}
        figure.supxlabel("\n".join(lines), x=0.005, **style)


def _shown(text: str) -> str:
    """A text without letters that the font may lack, and what is none: names of files may hold anything."""
    return "".join(each if each.isprintable() and ord(each) < _LATIN else ascii(each)[1:-1] for each in text)


_LATIN = 0x250
"""The first letter after the Latin ones."""


def entitle(axes: Axes, title: str, facts: str) -> None:
    """What a picture shows, in large, and of which flows, in small."""
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=12)
    axes.set_title(facts, loc="right", fontsize=9, pad=12)


def amount(value: float, by: str) -> str:
    """A number with its unit, such as ``1.5 MB``; SI prefixes."""
    from matplotlib.ticker import EngFormatter

    unit = UNITS[by][1]
    return str(EngFormatter(unit=unit, places=1 if value >= 1000 else 0, sep=" " if unit else "")(value)).strip()


def edges(bins: Bins) -> list[Any]:
    """Where each bin begins, and the last one ends, as matplotlib counts time."""
    from matplotlib.dates import date2num

    return [date2num(moment) for moment in (*bins.starts(), instant(bins.origin + bins.number * bins.width))]  # type: ignore[no-untyped-call]  # matplotlib's


def time_axis(axes: Axes, bins: Bins) -> None:
    """Makes the horizontal axis that of the bins' time, in UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=11)  # type: ignore[no-untyped-call]  # matplotlib's
    axes.xaxis.set_major_locator(locator)
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(locator, UTC, LEVELS, zero_formats=ZEROES, show_offset=False))
    limits = edges(bins)
    axes.set_xlim(limits[0], limits[-1])
    axes.set_xlabel("Start of the flow (UTC)")


def tidy(axes: Axes, axis: Any) -> None:
    """Draws thin lines across an axis, and no box."""
    axes.grid(axis=axis, color="#CCCCCC", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

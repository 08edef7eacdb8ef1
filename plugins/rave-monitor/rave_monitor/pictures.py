"""Pictures of samples, as PNG or SVG by the suffix of the file; equal data give equal bytes.

Nothing here needs a screen or changes what others draw, so that many threads can draw at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rave_core import OperationError
from rave_monitor.sample_history import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR: Final = "#0072B2"
_OTHER: Final = "#D55E00"
_ONE_AT_A_TIME: Final = threading.Lock()
"""Fixed names in an SVG need a setting that is global to matplotlib."""


def draw_plot(out: Path, title: str, series: Series) -> None:
    """A line over time.

    Raises:
        OperationError: there are no numbers to draw.
    """
    figure, axes = _canvas(11, 4, title)
    pairs = _numbers(series, title)
    axes.plot([_date(time) for time, _ in pairs], [value for _, value in pairs], color=_COLOUR, linewidth=1)
    axes.set_xlabel("Time (UTC)")
    _save(figure, out)


def draw_histogram(out: Path, title: str, series: Series) -> None:
    """How often a value was how large.

    Raises:
        OperationError: there are no numbers to draw.
    """
    figure, axes = _canvas(8, 5, title)
    axes.hist([value for _, value in _numbers(series, title)], bins=50, color=_COLOUR)
    axes.set_xlabel(title)
    axes.set_ylabel("Samples")
    _save(figure, out)


def draw_sparkline(out: Path, series: Series) -> None:
    """A line without axes.

    Raises:
        OperationError: there are no numbers to draw.
    """
    figure, axes = _canvas(2.5, 0.4, "")
    pairs = _numbers(series, "the value")
    axes.plot([time for time, _ in pairs], [value for _, value in pairs], color=_COLOUR, linewidth=1)
    axes.set_axis_off()
    _save(figure, out)


def draw_scatter(out: Path, titles: tuple[str, str], first: Series, second: Series) -> None:
    """Two values at the same times.

    Raises:
        OperationError: there are no numbers at the same times.
    """
    figure, axes = _canvas(6, 6, f"{titles[1]} by {titles[0]}")
    across = dict(_numbers(first, titles[0]))
    both = [(across[time], value) for time, value in _numbers(second, titles[1]) if time in across]
    if not both:
        raise OperationError(f"{titles[0]} and {titles[1]} have no numbers at the same times in this range", status=404)
    axes.scatter([x for x, _ in both], [y for _, y in both], color=_COLOUR, s=6)
    axes.set_xlabel(titles[0])
    axes.set_ylabel(titles[1])
    _save(figure, out)


def draw_comparison(out: Path, title: str, ranges: Iterable[tuple[float, Series]]) -> None:
    """A line for each range, over the time since its beginning, which is given in Unix seconds.

    Raises:
        OperationError: one has no numbers to draw.
    """
    figure, axes = _canvas(11, 4, title)
    for (start, series), colour in zip(ranges, (_COLOUR, _OTHER), strict=True):
        label = f"from {_in_words(start)}"
        pairs = _numbers(series, f"{title} {label}")
        minutes = [(time - start) / 60 for time, _ in pairs]
        axes.plot(minutes, [value for _, value in pairs], color=colour, linewidth=1, label=label)
    axes.set_xlabel("Minutes since then (UTC)")
    axes.legend(frameon=False)
    _save(figure, out)


def _canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OperationError("pictures need matplotlib: pip install rave-monitor[pictures]") from error
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.grid(color="#CCCCCC", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _numbers(series: Iterable[tuple[float, Any]], title: str) -> list[tuple[float, float]]:
    """The numbers of a series, oldest first."""
    found = [(time, value) for time, value in series if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if not found:
        raise OperationError(f"{title} has no numbers in this range", status=404)
    return found[::-1]


def _date(time: float) -> Any:
    return datetime.fromtimestamp(time, UTC)


def _in_words(time: float) -> str:
    try:
        return f"{_date(time):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # in no year from 1 to 9999
        return f"{time:.0f} (Unix seconds)"


def _save(figure: Figure, out: Path) -> None:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if Path(out).suffix == ".svg":
        FigureCanvasSVG(figure)
        with _ONE_AT_A_TIME, matplotlib.rc_context({"svg.hashsalt": "rave", "svg.fonttype": "path"}):
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "RAVE"})
    else:
        FigureCanvasAgg(figure)
        figure.savefig(out, format="png", metadata={"Software": "RAVE"})

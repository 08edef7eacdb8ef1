"""The namespace ``monitor``: samples as operations, and pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rave_core import Operation, current_runtime, op, op_file
from rave_monitor.arguments import MonitorChoice, moment, monitor_name, to_monitor
from rave_monitor.pictures import draw_comparison, draw_histogram, draw_plot, draw_scatter, draw_sparkline
from rave_monitor.sample_history import Series, cuts_of

HOUR, DAY = 3600.0, 86400.0
TYPES: dict[str, Any] = {
    "processor": str, "key": str, "start": moment, "end": moment, "where": str, "monitor": monitor_name,
}  # fmt: skip


@op(name="monitor/settled_samples")
def settled(monitor: MonitorChoice, processor: str, key: str, start: float, end: float, where: str) -> Series:
    """The values in a range to which nothing will be added: kept for ever."""
    return monitor.history.series(processor, key, start, end, cuts_of(where))


def series_of(
    monitor: MonitorChoice, processor: str, key: str, start: float | None, end: float | None, where: str = ""
) -> Series:
    """The values in a range, out of the cache if nothing will be added to it."""
    monitor = to_monitor(monitor)  # a default stays as it is if the settings are wrong; this says why
    if end is None:
        end = current_runtime().clock.now()
        start = end - HOUR if start is None else start
        return monitor.history.series(processor, key, start, end, cuts_of(where))
    start = end - HOUR if start is None else start
    if monitor.history.is_settled(end):
        return settled(monitor, processor, key, start, end, where)
    return monitor.history.series(processor, key, start, end, cuts_of(where))


@op(name="monitor/samples", expires="1s", mime_type="application/json", typemap=TYPES)
def samples(
    processor: str,
    key: str = "",
    start: float | None = None,
    end: float | None = None,
    where: str = "",
    monitor: Any = "monitor",
) -> Series:
    """What a processor said in a range of time: ``[time, value]``, newest first.

    Args:
        processor: its name.
        key: of a value in its samples, such as ``n`` or ``top.0.1``; all of each sample by default.
        start: Unix seconds or ISO 8601; an hour before the end by default.
        end: the same, not included; now by default.
        where: ``processor.key=value``, several joined by commas: only times at which another sample has that value.
        monitor: its name.
    """
    return series_of(monitor, processor, key, start, end, where)


def _plot(out: Path, processor: str, key: str, start: Any = None, end: Any = None, monitor: Any = "monitor") -> None:
    """A picture of a value over time."""
    draw_plot(out, f"{processor}.{key}", series_of(monitor, processor, key, start, end))


def _histogram(
    out: Path, processor: str, key: str, start: Any = None, end: Any = None, monitor: Any = "monitor"
) -> None:
    """A picture of how often a value was how large."""
    draw_histogram(out, f"{processor}.{key}", series_of(monitor, processor, key, start, end))


def _sparkline(
    out: Path, processor: str, key: str, start: Any = None, end: Any = None, monitor: Any = "monitor"
) -> None:
    """A small picture of a value over time, without axes."""
    draw_sparkline(out, series_of(monitor, processor, key, start, end))


def _scatter(
    out: Path,
    processor: str,
    key: str,
    processor2: str,
    key2: str,
    start: Any = None,
    end: Any = None,
    monitor: Any = "monitor",
) -> None:
    """A picture of two values at the same times, one against the other."""
    first = series_of(monitor, processor, key, start, end)
    second = series_of(monitor, processor2, key2, start, end)
    draw_scatter(out, (f"{processor}.{key}", f"{processor2}.{key2}"), first, second)


def _compare(
    out: Path,
    processor: str,
    key: str,
    start: Any = None,
    end: Any = None,
    start2: Any = None,
    monitor: Any = "monitor",
) -> None:
    """A picture of a value in two ranges of the same length, one over the other.

    Args:
        out: where it goes.
        processor, key, start, end, monitor: of the first range, as of ``monitor/samples``.
        start2: where the second one begins; a day before the first by default.
    """
    end = current_runtime().clock.now() if end is None else end
    start = end - HOUR if start is None else start
    start2 = start - DAY if start2 is None else start2
    first = series_of(monitor, processor, key, start, end)
    second = series_of(monitor, processor, key, start2, start2 + end - start)
    draw_comparison(out, f"{processor}.{key}", [(start, first), (start2, second)])


_PICTURES = {
    "plot": _plot, "histogram": _histogram, "sparkline": _sparkline, "scatter": _scatter, "compare": _compare,
}  # fmt: skip
_MORE: dict[str, dict[str, Any]] = {"scatter": {"processor2": str, "key2": str}, "compare": {"start2": moment}}
_SUFFIXES = {"": "image/png", "/svg": "image/svg+xml"}


def _picture(name: str, suffix: str) -> Operation[..., Any]:
    types = {each: kind for each, kind in TYPES.items() if each != "where"} | _MORE.get(name, {})
    decorate: Any = op_file(name=f"monitor/{name}{suffix}", expires="1s", mime_type=_SUFFIXES[suffix], typemap=types)
    made: Operation[..., Any] = decorate(_PICTURES[name])
    return made


__export__: dict[str, Operation[..., Any]] = {
    "samples": samples,
    **{f"{name}{suffix}": _picture(name, suffix) for name in _PICTURES for suffix in _SUFFIXES},
}

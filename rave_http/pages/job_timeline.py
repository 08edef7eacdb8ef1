"""When jobs ran, and in which worker: a row for each worker, a bar for each job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LEAST: Final = 60.0
_MOST: Final = 3600.0
_NARROWEST: Final = 0.4
"""Per cent of the width that a bar has at least, so that it can be seen and hit."""
LANE: Final = 22
"""Pixels from one bar to the next below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A job that ran, or runs.

    Attributes:
        worker: that runs it.
        operation: ``namespace/operation``.
        url: of the page about its product; empty for none.
        state: ``making``, ``made``, ``failed`` or ``cancelled``.
        began, ended: Unix seconds; ``ended`` is ``None`` while it runs.
    """

    worker: str
    operation: str
    url: str
    state: str
    began: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class RunBar:
    """A job in the drawing.

    Attributes:
        run: the job.
        across, width: per cent of the width.
        down: pixels.
        text: what it is, in words.
    """

    run: JobRun
    across: float
    width: float
    down: int
    text: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker in the drawing: its name, its bars, and the height in pixels."""

    worker: str
    bars: Sequence[RunBar]
    height: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing: its rows in order of the names, and both ends in words."""

    rows: Sequence[WorkerRow]
    first: str
    last: str


def timeline_of(runs: Sequence[JobRun], now: float) -> Timeline | None:
    """The timeline of the last hour at most, up to ``now`` in Unix seconds; ``None`` if nothing ran in it."""
    shown = [run for run in runs if run.ended is None or run.ended > now - _MOST]
    if not shown:
        return None
    start = max(now - _MOST, min(now - _LEAST, min(run.began for run in shown)))
    rows = []
    for worker in sorted({run.worker for run in shown}):
        own = sorted((run for run in shown if run.worker == worker), key=lambda run: run.began)
        rows.append(_row(worker, own, start, now))
    return Timeline(rows, _moment(start), _moment(now))


def _row(worker: str, runs: Sequence[JobRun], start: float, now: float) -> WorkerRow:
    """Those that ran at once are below each other."""
    lanes: list[float] = []
    bars = []
    for run in runs:
        began, ended = (100 * (max(start, at) - start) / (now - start) for at in (run.began, run.ended or now))
        width = max(_NARROWEST, ended - began)
        across = min(began, 100 - width)
        lane = next((number for number, end in enumerate(lanes) if end <= across), len(lanes))
        lanes[lane : lane + 1] = [across + width]
        until = f" to {_moment(run.ended)}" if run.ended is not None else ""
        text = f"{run.operation}, {run.state}, {'' if until else 'since '}{_moment(run.began)}{until}"
        bars.append(RunBar(run, round(across, 2), round(width, 2), lane * LANE, text))
    return WorkerRow(worker, bars, len(lanes) * LANE)


def _moment(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%H:%M:%S} UTC"

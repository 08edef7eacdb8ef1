"""Spans of time as people write them: ``-6h`` to ``now``, or two moments, in a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rave_core.text.durations import parse_duration

_AGO: Final = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?\s+ago")
_STEPS: Final = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
_MOST_STEPS: Final = 120
_USUAL_ALIGN: Final = 60.0


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A half-open span of time: ``start`` is in, ``end`` is not. Both are in UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()

    @property
    def step(self) -> int:
        """The seconds of a bin, so that there are at most 120: a width that people use."""
        return next((step for step in _STEPS if self.seconds / step <= _MOST_STEPS), _STEPS[-1])

    def moved(self, share: float) -> TimeSpan:
        """The span later by a share of its length; earlier, if that is negative."""
        by = timedelta(seconds=self.seconds * share)
        return TimeSpan(self.start + by, self.end + by)


def span_of(start: str, end: str, zone: str, *, now: float, align: str = "") -> TimeSpan:
    """The span between two texts.

    Args:
        start, end: ``now``, a duration before now (``-6h``, ``now-6h``, ``6 hours ago``), or a moment in ISO 8601.
        zone: of moments without one, such as ``UTC`` or ``Europe/Berlin``.
        now: Unix seconds.
        align: to the whole multiple of which ``now`` is rounded down, so that all who ask soon after each other ask the
            same; a minute by default.

    Raises:
        ValueError: one of them can't be read, or the span is empty.
    """
    try:
        place = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"zone {zone[:40]!r} is not known; write one such as 'UTC' or 'Europe/Berlin'") from error
    width = parse_duration(align) if align else _USUAL_ALIGN
    moment = datetime.fromtimestamp(now - now % max(1.0, width), UTC)
    span = TimeSpan(_moment(start, moment, place), _moment(end, moment, place))
    if span.seconds <= 0:
        raise ValueError(f"from {start!r} to {end!r} is no time: the first has to be before the second")
    return span


def written(moment: datetime) -> str:
    """A moment in UTC as arguments have it, to the second if it is whole."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond:06d}" if moment.microsecond else "") + "Z"


def _moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    plain = text.strip()
    if plain.lower() == "now":
        return now
    ago = _AGO.fullmatch(plain.lower())
    before = f"{ago[1]}{ago[2][0]}" if ago else plain.lower().removeprefix("now").strip()
    try:
        if ago or before.startswith("-"):
            return now - timedelta(seconds=parse_duration(before.removeprefix("-").strip()))
        found = datetime.fromisoformat(plain)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        right = "'now', '-6h', '6 hours ago' or a moment such as '2024-05-14 06:00'"
        raise ValueError(f"{plain[:60]!r} is no time; write {right}") from None

"""Spans of time as people write them: ``-6h`` to ``now``, or two moments, in a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rave_core.text.durations import parse_duration

_AGO: Final = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?\s+ago")
_WEEKS: Final = re.compile(r"(\d{1,5})\s*w")
_STEPS: Final = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
_MOST_STEPS: Final = 120
_USUAL_ALIGN: Final = 60.0
PREVIOUS: Final = "previous"
"""The time just before another, of the same length."""
PRESETS: Final = (("Last hour", "-1h"), ("6 hours", "-6h"), ("Day", "-1d"), ("Week", "-1w"))
"""Times that pages offer, up to now: their names, and when they start."""


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

    def before(self, text: str) -> TimeSpan:
        """The earlier span that a text means; see `time_before`.

        Raises:
            ValueError: it means none, or one before all dates.
        """
        by = time_before(text) or timedelta(seconds=self.seconds)
        try:
            return TimeSpan(self.start - by, self.end - by)
        except OverflowError:
            raise ValueError(f"compare: {text!r} before {written(self.start)} there are no dates") from None


def span_of(start: str, end: str, zone: str, *, now: float, align: str = "") -> TimeSpan:
    """The span between two texts.

    Args:
        start, end: ``now``, a duration before now (``-6h``, ``now-6h``, ``6 hours ago``, ``-2w``), or a moment in ISO
            8601.
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
    try:
        span.moved(-1.0), span.moved(1.0)
    except OverflowError:
        raise ValueError(f"from {start!r} to {end!r}: there are no dates before it or after it") from None
    return span


def time_before(text: str) -> timedelta | None:
    """How much earlier a text means: ``-1d``, ``-1w``; ``None`` for ``previous``, the length of the span.

    Raises:
        ValueError: it means neither.
    """
    if text == PREVIOUS:
        return None
    try:
        if not text.startswith("-"):
            raise ValueError
        found = _long(text[1:])
    except (ValueError, OverflowError):
        found = timedelta(0)
    if found <= timedelta(0):
        raise ValueError(
            f"compare: {text[:40]!r} is no earlier time; write '{PREVIOUS}', or one such as '-1d' or '-1w'"
        )
    return found


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
            return now - _long(before.removeprefix("-").strip())
        found = datetime.fromisoformat(plain)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        right = "'now', '-6h', '6 hours ago' or a moment such as '2024-05-14 06:00'"
        raise ValueError(f"{plain[:60]!r} is no time; write {right}") from None


def _long(text: str) -> timedelta:
    """A duration; unlike elsewhere, it may be in weeks."""
    weeks = _WEEKS.fullmatch(text)
    return timedelta(weeks=int(weeks[1])) if weeks else timedelta(seconds=parse_duration(text))

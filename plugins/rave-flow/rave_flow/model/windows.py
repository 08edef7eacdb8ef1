"""Windows of time and the bins they are cut into; times are UTC, and every interval is half open, [start, end)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rave_flow.errors import WindowError

HOUR = 3600
DAY = 24 * HOUR
MOST_BINS = 100_000
STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Widths of bins that read well on an axis, in seconds."""


def utc(value: datetime) -> datetime:
    """``value`` in UTC; without a zone, it is UTC already."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def instant(seconds: float) -> datetime:
    """The time of Unix ``seconds``."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` up to, not including, ``end``; ``None`` leaves a side open. A flow belongs to its start time."""

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise WindowError(
                f"the window starts at {self.start.isoformat()}, not before its end {self.end.isoformat()}",
                parameter="end",
            )

    @classmethod
    def of_hour(cls, start: datetime) -> Window:
        """The hour that begins at ``start``."""
        return cls(start, start + timedelta(hours=1))

    def touches_hour(self, start: int) -> bool:
        """Whether the hour from Unix time ``start`` has a part in the window."""
        after = self.end is not None and start >= self.end.timestamp()
        before = self.start is not None and start + HOUR <= self.start.timestamp()
        return not (after or before)

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return "at any time"
        since = f"from {self.start:%Y-%m-%d %H:%M:%S}" if self.start else ""
        until = f"before {self.end:%Y-%m-%d %H:%M:%S}" if self.end else ""
        return " ".join(part for part in (since, until, "UTC") if part)


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins: ``number`` of them from Unix time ``origin``, each ``width`` seconds long."""

    origin: float
    width: float
    number: int

    @classmethod
    def over(cls, window: Window, width: float, first: datetime, last: datetime, *, parameter: str = "bin") -> Bins:
        """The bins that cover ``window``, or on its open sides the flows from ``first`` to ``last``.

        They begin at the start of the window; without one at the whole multiple of ``width`` before ``first``. The
        argument called ``parameter`` is wrong if there are too many.

        Raises:
            WindowError: the width is not positive, or there would be more than `MOST_BINS`.
        """
        if not width > 0:
            raise WindowError(f"bins of {width} seconds: expected a width of more than 0", parameter="bin")
        origin = window.start.timestamp() if window.start else first.timestamp() // width * width
        if window.end:
            number = -int(-(window.end.timestamp() - origin) // width)
        else:
            number = int((last.timestamp() - origin) // width) + 1
        if number > MOST_BINS:
            raise WindowError(
                f"{number} bins of {width:g} seconds: expected at most {MOST_BINS}; use wider ones, or a shorter time",
                parameter=parameter,
            )
        return cls(origin, width, max(number, 1))

    @property
    def origin_us(self) -> int:
        """The origin in microseconds."""
        return round(self.origin * 10**6)

    @property
    def width_us(self) -> int:
        """The width in microseconds."""
        return round(self.width * 10**6)

    def starts(self) -> list[datetime]:
        """When each begins."""
        return [instant(self.origin + index * self.width) for index in range(self.number)]


def readable_width(seconds: float, wanted: int = 150) -> float:
    """The width that cuts ``seconds`` into about ``wanted`` bins, of those that read well."""
    return next((float(step) for step in STEPS if seconds / step <= wanted), float(STEPS[-1]))


def said(seconds: float) -> str:
    """A time in words, such as ``5 minutes``."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            number = int(seconds // size)
            return word if number == 1 else f"{number} {word}s"
    return str(timedelta(seconds=seconds))

"""Converters of dates, times and durations, from objects and ISO 8601 text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeVar

from rave_core.converters.converter import Converter, FunctionConverter, kind_of
from rave_core.converters.scalars import plain
from rave_core.text.durations import parse_duration

_T = TypeVar("_T")


def _read(read: Callable[[str], _T], text: str, example: str) -> _T:
    try:
        return read(text.strip())
    except ValueError as error:
        raise ValueError(f"{error}; expected ISO 8601, such as {example}") from error


def to_datetime(value: Any) -> datetime:
    """A date and time: of datetimes, of dates (their midnight), of ISO 8601 text.

    What has no zone stays without. A subclass, such as a timestamp of pandas, becomes a plain ``datetime``.

    Raises:
        TypeError, ValueError: anything else.
    """
    value = _unboxed(value)
    if isinstance(value, str):
        return _read(datetime.fromisoformat, value, "2007-04-27T12:00")
    if type(value) is datetime:
        return value
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    if isinstance(value, date):
        return datetime.combine(value, time())
    raise TypeError(f"{kind_of(value)} is not a time; expected ISO 8601, such as 2007-04-27T12:00")


def to_date(value: Any) -> date:
    """A date: of dates, of ISO 8601 text, and of times that are exactly midnight, so that nothing is lost.

    Raises:
        TypeError, ValueError: anything else.
    """
    value = _unboxed(value)
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            value = _read(datetime.fromisoformat, value, "2007-04-27")
    if isinstance(value, datetime):
        if value.time() != time():
            raise TypeError("it is not midnight, and a date would lose the time of day")
        return value.date()
    if isinstance(value, date):
        return value if type(value) is date else date(value.year, value.month, value.day)
    raise TypeError(f"{kind_of(value)} is not a date; expected ISO 8601, such as 2007-04-27")


def to_time(value: Any) -> time:
    """A time of day: of times and of ISO 8601 text.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, str):
        return _read(time.fromisoformat, value, "12:30")
    if isinstance(value, time):
        return value
    raise TypeError(f"{kind_of(value)} is not a time of day; expected ISO 8601, such as 12:30")


def to_seconds(value: Any) -> float:
    """Seconds: of numbers of seconds, of durations such as ``2h30m``, of ``timedelta``.

    Raises:
        TypeError, ValueError: anything else, or a negative duration.
    """
    value = plain(value)
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"{kind_of(value)} is not a duration; expected seconds, or e.g. 2h30m")
    try:
        return parse_duration(value)
    except OverflowError as error:
        raise ValueError("too long for a duration") from error


def to_timedelta(value: Any) -> timedelta:
    """A length of time: of ``timedelta``, and of what ``to_seconds`` takes.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=to_seconds(value))
    except OverflowError as error:
        raise ValueError("too long for a timedelta") from error


def _unboxed(value: Any) -> Any:
    # numpy gives integers for its finer units, so its time is brought to microseconds first.
    if getattr(getattr(value, "dtype", None), "kind", "") == "M" and getattr(value, "shape", None) == ():
        return value.astype("datetime64[us]").item()
    return value


_PART: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
DURATION_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1e12},
        {
            "type": "string",
            "pattern": f"^(?:{_PART}|(?=[0-9])(?:{_PART}d)?(?:{_PART}h)?(?:{_PART}m)?(?:{_PART}s)?)$",
        },
    ],
    "examples": ["2h30m", 300],
}

TIMES: Final[dict[type, Converter]] = {
    date: FunctionConverter("date", to_date, {"type": "string", "format": "date"}, date),
    datetime: FunctionConverter("datetime", to_datetime, {"type": "string", "format": "date-time"}, datetime),
    time: FunctionConverter("time", to_time, {"type": "string", "format": "time"}, time),
    timedelta: FunctionConverter("timedelta", to_timedelta, DURATION_SCHEMA, timedelta),
}

"""Times as SiLK's options write them, and the windows they mean. Times are UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rave_core.converters import to_datetime
from rave_flow.errors import ParameterError
from rave_flow.model.ranges import Ranges
from rave_flow.model.windows import Window, utc

_SILK = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[:T](\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?)?")
_UNITS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_FRACTION = timedelta(microseconds=1)
_ANY = 2**62


def to_moment(value: Any) -> tuple[datetime, timedelta]:
    """A time in UTC, and the unit that it names: a day, an hour, a minute, a second, or of a second a fraction.

    Of SiLK's dates (``2024/05/14``, ``2024/05/14:12``), of ISO 8601 text, of dates and times.

    Raises:
        TypeError, ValueError: anything else.
    """
    found = _SILK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        given = [int(part) for part in found.groups()[:6] if part is not None]
        moment = datetime(*given, tzinfo=UTC)  # type: ignore[arg-type,misc]  # three to six numbers
        if found[7]:
            return moment.replace(microsecond=int(found[7].ljust(6, "0"))), _unit_of_digits(found[7])
        return moment, _UNITS[len(given) - 3]
    return _of_iso(value)


def _of_iso(value: Any) -> tuple[datetime, timedelta]:
    moment = utc(to_datetime(value))
    if (isinstance(value, date) and not isinstance(value, datetime)) or (
        isinstance(value, str) and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", value.strip())
    ):
        return moment, _UNITS[0]
    if isinstance(value, str) and re.fullmatch(r"\S{8,10}[T ]\d{2}(?:Z|\+00(?::?00)?)?", value.strip()):
        return moment, _UNITS[1]
    if moment.microsecond:
        digits = re.search(r"[.,](\d+)", value) if isinstance(value, str) else None
        return moment, _unit_of_digits(digits[1]) if digits else _FRACTION
    return moment, _UNITS[2] if not moment.second else _UNITS[3]


def _unit_of_digits(digits: str) -> timedelta:
    return timedelta(microseconds=10 ** max(6 - len(digits), 0))


def span_of(start_date: Any, end_date: Any) -> Window:
    """From the start of ``start_date`` to the end of ``end_date``, or by default of ``start_date`` itself.

    As in SiLK, a ``start_date`` that is a day makes a day of ``end_date`` too: what is named beyond that is ignored.

    Raises:
        ParameterError: one of them is no date, there is an end without a start, or the end is before it.
    """
    if start_date is None:
        if end_date is not None:
            raise ParameterError(f"end_date={end_date!r} without a start_date", parameter="end_date")
        return Window()
    first, unit = moment_of("start_date", start_date)
    if end_date is None:
        return Window(first, after(first, unit, "start_date"))
    last, end_unit = moment_of("end_date", end_date)
    if unit == _UNITS[0] and end_unit < unit:
        last, end_unit = last.replace(hour=0, minute=0, second=0, microsecond=0), unit
    end = after(last, end_unit, "end_date")
    if end <= first:
        raise ParameterError(f"end_date={end_date!r} is before start_date={start_date!r}", parameter="end_date")
    return Window(first, end)


def after(moment: datetime, unit: timedelta, parameter: str) -> datetime:
    """The moment ``unit`` later.

    Raises:
        ParameterError: there is none; it names ``parameter``.
    """
    try:
        return moment + unit
    except OverflowError:
        raise ParameterError(f"{parameter}={moment.isoformat()} is too late", parameter=parameter) from None


def moment_of(name: str, value: Any) -> tuple[datetime, timedelta]:
    """What `to_moment` makes of the argument ``name``.

    Raises:
        ParameterError: it is no date.
    """
    try:
        return to_moment(value)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"{name}={value!r}: expected a date, such as 2024/05/14:12 or 2024-05-14T12:00 ({error})"
        raise ParameterError(message, parameter=name) from None


def to_time_window(value: Any) -> Ranges:
    """A window as SiLK writes it, ``2024/05/14:12-2024/05/14:13:30``, in microseconds since 1970, both ends included.

    Without an end it is the day, hour, minute or second that is named. A window of `datetime` is a pair of them.

    Raises:
        TypeError, ValueError: anything else, or it ends before it starts.
    """
    if _is_ranges(value):
        return tuple(value)
    ends = _ends(value) if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else [value]
    if not 1 <= len(ends) <= 2:
        raise ValueError("expected a time or a window of times, such as 2024/05/14:12-2024/05/14:13")
    (first, _), (last, unit) = to_moment(ends[0]), to_moment(ends[-1])
    since, until = _micros(first), _micros(last + unit) - 1
    if until < since:
        raise ValueError("the window ends before it starts")
    return ((since, until),)


def _is_ranges(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(pair, tuple) and type(pair[0]) is int for pair in value)


def _ends(text: str) -> list[str]:
    silk = re.fullmatch(r"(\S.*\d)\s*-\s*(\d{4}/.*)", text.strip())
    if silk:
        return [silk[1], silk[2]]
    return [part.strip() for part in text.split("/")] if re.match(r"\s*\d{4}-", text) else [text]


def _micros(moment: datetime) -> int:
    seconds = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (seconds.days * 86400 + seconds.seconds) * 10**6 + seconds.microseconds


def micros_of(window: Window) -> tuple[int, int]:
    """A window as the first and the last microsecond since 1970 that are in it; an open side is far away."""
    since = -_ANY if window.start is None else _micros(window.start)
    return since, _ANY if window.end is None else _micros(window.end) - 1

"""The types of this namespace's arguments, each known by a name that other plugins can use too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from rave_core.converters import Converter, FunctionConverter, Schema, iso_date, to_datetime
from rave_core.errors import ConfigurationError
from rave_flow.detectors.scans import CONTACTS
from rave_flow.errors import FlowError
from rave_flow.formats.source_directory import Repository, directory_of
from rave_flow.model.flow_settings import flow_settings
from rave_flow.model.windows import utc
from rave_flow.sql.aggregates import DIMENSIONS, MEASURES


@dataclass(frozen=True, slots=True)
class Source:
    """A configured directory of flow files, and what it held when the argument was converted.

    As part of a key, it represents the files' names, sizes and times of modification: a new, changed or removed
    file makes another key. Errors of the directory are raised only when a caller asks for its files, so that the caller
    gets them.

    Attributes:
        name: ``default``, or a key of ``[plugins.flow.directories]``.
    """

    name: str
    scanned: Repository | str
    error: FlowError | ConfigurationError | None = None

    def __rave_key__(self) -> object:
        """What represents the source in a key; its name does not."""
        return self.scanned

    @property
    def repository(self) -> Repository:
        """The files.

        Raises:
            FlowError: there are none, and why.
        """
        if isinstance(self.scanned, Repository):
            return self.scanned
        assert self.error is not None
        raise type(self.error)(self.scanned)


def to_source(value: Any) -> Source:
    """The source of that name, scanned now; a `Source` is scanned again.

    Raises:
        TypeError: not a name.
    """
    name = value.name if isinstance(value, Source) else value
    if not isinstance(name, str):
        raise TypeError("expected the name of a flow source: default, or one of [plugins.flow.directories]")
    try:
        return Source(name, Repository.scan(directory_of(name), strict=flow_settings().strict))
    except (FlowError, ConfigurationError) as error:
        return Source(name, str(error), error)


def to_instant(value: Any) -> datetime:
    """A time in UTC: of times, dates (their midnight) and ISO 8601 text; without a zone it is UTC already.

    Raises:
        TypeError, ValueError: anything else.
    """
    return utc(to_datetime(value))


def to_day(value: Any) -> datetime:
    """The midnight, in UTC, with which a day begins: of dates, of times at midnight UTC, and of their text.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return datetime.combine(iso_date.convert(value), time(), UTC)


def to_hour(value: Any) -> datetime:
    """The start of an hour in UTC, as 2024-05-14T13:00.

    Raises:
        TypeError, ValueError: anything else, including a time within an hour.
    """
    start = to_instant(value)
    if start.minute or start.second or start.microsecond:
        raise ValueError("expected the start of an hour, such as 2024-05-14T13:00")
    return start


def _fraction(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("expected a number, such as 0.8")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError("expected a number, such as 0.8") from None


def to_probability(value: Any) -> float:
    """A number between 0 and 1, both excluded.

    Raises:
        TypeError, ValueError: anything else.
    """
    number = _fraction(value)
    if not 0 < number < 1:
        raise ValueError("expected a number between 0 and 1, both excluded")
    return number


def to_score(value: Any) -> float:
    """A number from 0 to 1.

    Raises:
        TypeError, ValueError: anything else.
    """
    number = _fraction(value)
    if not 0 <= number <= 1:
        raise ValueError("expected a number from 0 to 1")
    return number


def to_connections(value: Any) -> int:
    """A whole number from 4 to 1,000,000: fewer connections have no quartiles of intervals.

    Raises:
        TypeError, ValueError: anything else.
    """
    number = to_number(value)
    if number < 4:
        raise ValueError("expected a number from 4 to 1000000")
    return number


_WIDEST: Final = 100 * 366 * 86400


def to_width(value: Any) -> int:
    """The whole seconds of a duration, at least 1: of numbers, of text such as ``5m``, of ``timedelta``.

    Raises:
        TypeError, ValueError: anything else.
    """
    from rave_core.expiry import parse_duration

    seconds = value.total_seconds() if isinstance(value, timedelta) else parse_duration(value)
    if seconds < 1 or seconds != int(seconds):
        raise ValueError("bins are whole seconds wide, at least 1, as 5m or 1h")
    if seconds > _WIDEST:
        raise ValueError(f"bins are at most {_WIDEST} s wide, which is a century")
    return int(seconds)


def to_number(value: Any) -> int:
    """A whole number from 1 to 1,000,000.

    Raises:
        TypeError, ValueError: anything else.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("expected a whole number, such as 20") from None
    if isinstance(value, bool) or (not isinstance(value, str) and value != number):
        raise ValueError("expected a whole number, such as 20")
    if not 1 <= number <= 1_000_000:
        raise ValueError("expected a number from 1 to 1000000")
    return number


def to_protocol(value: Any) -> str:
    """The name of a protocol in lower case, such as ``tcp``.

    Raises:
        TypeError, ValueError: anything else.
    """
    if not isinstance(value, str):
        raise TypeError("expected the name of a protocol, such as tcp")
    if not value.strip():
        raise ValueError("expected the name of a protocol, such as tcp; it is empty")
    return value.strip().lower()


def _choice(names: Mapping[str, object]) -> Callable[[Any], str]:
    def to_choice(value: Any) -> str:
        word = value.strip().lower() if isinstance(value, str) else value
        if word not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return str(word)

    return to_choice


_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_WIDTH: Schema = {
    "anyOf": [
        {
            "type": "string",
            "pattern": r"^(?=.*[1-9])(?=[0-9])(?:[0-9]{1,5}d)?(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,9}s?)?$",
        },
        {"type": "integer", "minimum": 1, "maximum": 10**10},
    ],
    "examples": ["5m", "1h"],
}

CONVERTERS: dict[str, Converter] = {
    "flow_measure": FunctionConverter("flow_measure", _choice(MEASURES), {"enum": list(MEASURES)}),
    "flow_dimension": FunctionConverter("flow_dimension", _choice(DIMENSIONS), {"enum": list(DIMENSIONS)}),
    "flow_time": FunctionConverter("flow_time", to_instant, _TIME),
    "flow_day": FunctionConverter("flow_day", to_day, {"type": "string", "format": "date"}),
    "flow_width": FunctionConverter("flow_width", to_width, _WIDTH),
    "flow_number": FunctionConverter("flow_number", to_number, {"type": "integer", "minimum": 1, "maximum": 1_000_000}),
    "flow_hour": FunctionConverter("flow_hour", to_hour, _TIME),
    "flow_probability": FunctionConverter(
        "flow_probability", to_probability, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    ),
    "flow_score": FunctionConverter("flow_score", to_score, {"type": "number", "minimum": 0, "maximum": 1}),
    "flow_connections": FunctionConverter(
        "flow_connections", to_connections, {"type": "integer", "minimum": 4, "maximum": 1_000_000}
    ),
    "flow_contact": FunctionConverter("flow_contact", _choice(CONTACTS), {"enum": list(CONTACTS)}),
    "flow_protocol": FunctionConverter("flow_protocol", to_protocol, {"type": "string", "pattern": r"\S"}),
    "flow_source": FunctionConverter("flow_source", to_source, _TEXT, volatile=True),
}
"""The converters by the names under which they are registered."""

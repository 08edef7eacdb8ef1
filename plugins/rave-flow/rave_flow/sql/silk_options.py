"""The options of SiLK's tools, as texts and values become conditions, fields and windows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rave_core.converters import to_datetime, to_size
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.columns import PROTOCOLS
from rave_flow.model.flags import to_flags
from rave_flow.model.ranges import MOST, Ranges, to_ranges
from rave_flow.model.windows import Window, utc
from rave_flow.sql.conditions import Condition
from rave_flow.sql.flow_types import Types, to_types
from rave_flow.sql.silk_tools import FIELDS, TOTALS, VALUES

_SILK = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[:T](\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.\d+)?)?)?)?")
_UNITS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_NUMBERS = {name: number for number, name in PROTOCOLS.items()}


def to_moment(value: Any) -> tuple[datetime, timedelta]:
    """A time in UTC, and the unit that it names: a day, an hour, a minute or a second.

    Of SiLK's dates (``2024/05/14``, ``2024/05/14:12``), of ISO 8601 text, of dates and times.

    Raises:
        TypeError, ValueError: anything else.
    """
    found = _SILK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        given = [int(part) for part in found.groups() if part is not None]
        return datetime(*given, tzinfo=UTC), _UNITS[len(given) - 3]  # type: ignore[arg-type,misc]  # three to six numbers
    moment = utc(to_datetime(value))
    if (isinstance(value, date) and not isinstance(value, datetime)) or (
        isinstance(value, str) and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", value.strip())
    ):
        return moment, _UNITS[0]
    if isinstance(value, str) and re.fullmatch(r"\S{8,10}[T ]\d{2}(?:Z|\+00(?::?00)?)?", value.strip()):
        return moment, _UNITS[1]
    return moment, _UNITS[2] if not moment.second else _UNITS[3]


def span_of(start_date: Any, end_date: Any) -> Window:
    """From the start of ``start_date`` to the end of ``end_date``, or where there is none of ``start_date`` itself.

    Raises:
        ParameterError: one of them is no date, or there is an end without a start.
    """
    if start_date is None:
        if end_date is not None:
            raise ParameterError(f"end_date={end_date!r} without a start_date")
        return Window()
    first, unit = _moment("start_date", start_date)
    if end_date is not None:
        last, unit = _moment("end_date", end_date)
        return Window(first, last + unit)
    return Window(first, first + unit)


def _moment(name: str, value: Any) -> tuple[datetime, timedelta]:
    try:
        return to_moment(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"{name}={value!r}: a date expected, as 2024/05/14:12 or 2024-05-14T12:00 ({error})"
        ) from None


def to_protocols(value: Any) -> tuple[str, ...]:
    """The names of protocols by names and numbers, sorted: ``tcp,17``, ``6``, a list of these.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, (list, tuple)):
        return tuple(sorted({name for item in value for name in to_protocols(item)}))
    words = [value] if isinstance(value, int) else value.split(",") if isinstance(value, str) else None
    if words is None or isinstance(value, bool):
        raise TypeError("protocols expected, by name or number, as tcp,17")
    return tuple(sorted({name for word in words for name in _protocols(word)}))


def _protocols(word: Any) -> Iterable[str]:
    text = str(word).strip().lower()
    if re.fullmatch(r"[\d-]+", text):
        return [
            PROTOCOLS.get(number, str(number))
            for low, high in to_ranges(text, most=255)
            for number in range(low, high + 1)
        ]
    if not re.fullmatch(r"[a-z][a-z0-9_.+-]*", text):
        raise ValueError(f"{word!r} is no protocol: a name or a number from 0 to 255 expected, as tcp or 6")
    return [text]


def to_ports(value: Any) -> Ranges:
    """Ranges of ports; see `rave_flow.model.ranges.to_ranges`."""
    return to_ranges(value, most=65535)


def to_sizes(value: Any) -> Ranges:
    """Ranges of bytes, of which text may have units: ``1000-``, ``64KiB-1.5MB``; see `rave_core.converters`' ``size``.

    Raises:
        TypeError, ValueError: anything else.
    """
    if not isinstance(value, str):
        return to_ranges(value)
    return to_ranges([pair for part in value.split(",") for pair in _of_sizes(part)])


def _of_sizes(part: str) -> Ranges:
    low, dash, high = (text.strip() for text in part.partition("-"))
    if not (low or high) or (dash and "-" in high):
        raise ValueError(f"{part.strip()!r} is no number of bytes and no range; 4096, 64KiB-1.5MB or 1000- expected")
    first = to_size(low) if low else 0
    return ((first, first if not dash else to_size(high) if high else MOST),)


def to_milliseconds(value: Any) -> Ranges:
    """Ranges of durations in seconds, as ``10-60``, ``0.5-`` or ``2``, in milliseconds.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, (list, tuple)) and all(isinstance(item, tuple) for item in value):
        return to_ranges(value)
    text = str(value).strip() if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)?\s*(-?)\s*(\d+(?:\.\d+)?)?", text)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise ValueError("seconds expected, or a range of them, as 10-60 or 0.5-")
    first = round(float(found[1]) * 1000) if found[1] else 0
    last = first if not found[2] else round(float(found[3]) * 1000) if found[3] else MOST
    return to_ranges([(first, last)])


def to_addresses(value: Any) -> Ranges:
    """The ranges of a set of addresses; see `rave_flow.model.address_set.AddressSet.of`."""
    return AddressSet.of(value).ranges


READERS: dict[str, Callable[[Any], Any]] = {
    "protocol": to_protocols, "sport": to_ports, "dport": to_ports, "aport": to_ports, "saddress": to_addresses,
    "daddress": to_addresses, "any_address": to_addresses, "not_saddress": to_addresses, "not_daddress": to_addresses,
    "not_any_address": to_addresses, "bytes": to_sizes, "packets": to_ranges, "duration": to_milliseconds,
    "flags_all": to_flags, "type": to_types,
}  # fmt: skip
"""What makes the value of each option of rwfilter."""


def to_conditions(options: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The options of rwfilter as conditions, in order of their names; those that are ``None`` are not given.

    Raises:
        ParameterError: an option is unknown, or its value wrong.
    """
    conditions = []
    for name in sorted(options):
        value = options[name]
        if name not in READERS:
            near = difflib.get_close_matches(name, READERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"{', '.join(READERS)} are known"
            raise ParameterError(f"rwfilter has no option {name!r}; {hint}")
        if value is None:
            continue
        try:
            read = READERS[name](value)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{name}={value!r}: {error}") from None
        conditions.append(_condition(name, read))
    return tuple(conditions)


def _condition(name: str, read: Any) -> Condition:
    if isinstance(read, Types):
        return Condition(name, read.internal, read.names)
    return Condition(name, names=read) if name == "protocol" else Condition(name, read)


def _words(what: str, known: Iterable[str]) -> Callable[[Any], tuple[str, ...]]:
    names = tuple(known)

    def read(value: Any) -> tuple[str, ...]:
        words = value.split(",") if isinstance(value, str) else list(value)
        found = tuple(str(word).strip().lower().replace("-", "_") for word in words)
        wrong = [word for word in found if word not in names]
        if wrong or not found or len(set(found)) != len(found):
            raise ParameterError(f"{what}={value!r}: each once of {', '.join(names)} expected")
        return found

    return read


to_fields = _words("fields", FIELDS)
to_values = _words("values", VALUES)


def to_total(value: Any) -> str:
    """The key of rwtotal.

    Raises:
        ParameterError: it is none, or several.
    """
    found = _words("key", TOTALS)(value)
    if len(found) != 1:
        raise ParameterError(f"key={value!r}: one of {', '.join(TOTALS)} expected")
    return found[0]

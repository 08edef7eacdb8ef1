"""The options of SiLK's tools, as texts and values become conditions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from rave_core.converters import to_size
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.flags import to_flags
from rave_flow.model.protocols import PROTOCOLS
from rave_flow.model.ranges import MOST, Ranges, merged, to_ranges
from rave_flow.sql.conditions import Condition
from rave_flow.sql.flow_types import Types, to_types
from rave_flow.sql.silk_fields import TIMES, to_values
from rave_flow.sql.silk_tools import Threshold

T = TypeVar("T")


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
            raise ParameterError(f"rwfilter has no option {name!r}; {hint}", parameter=name)
        if value is not None:
            conditions.append(_condition(name, named(name, READERS[name], value)))
    return tuple(conditions)


def named(name: str, read: Callable[[Any], T], value: Any) -> T:
    """What ``read`` makes of the value of the argument ``name``.

    Raises:
        ParameterError: nothing; the message names the argument, and what would be right.
    """
    try:
        return read(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"{name}={value!r}: {error}", parameter=name) from None


def to_thresholds(value: Any, primary: str) -> tuple[Threshold, ...]:
    """Thresholds, apart by commas: ranges of ``primary``, or of the value that is named before a colon.

    Raises:
        TypeError, ValueError: anything else, or a value that is no amount.
    """
    if isinstance(value, (list, tuple)) and value and all(isinstance(each, Threshold) for each in value):
        return tuple(value)
    found: dict[str, Ranges] = {}
    for part in [str(value)] if isinstance(value, int) else value.split(","):
        name, colon, limits = part.rpartition(":")
        (what,) = to_values(name) if colon else (primary,)
        if what in TIMES:
            raise ValueError(f"{what} is no amount")
        found[what] = (*found.get(what, ()), *to_sizes(limits))
    return tuple(Threshold(what, merged(ranges)) for what, ranges in found.items())


def _condition(name: str, read: Any) -> Condition:
    if isinstance(read, Types):
        return Condition(name, read.internal, read.names)
    return Condition(name, names=read) if name == "protocol" else Condition(name, read)

"""The options of SiLK's tools, as texts and values become conditions."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.flags import to_flags
from rave_flow.model.ranges import Ranges, merged, to_ranges
from rave_flow.sql.conditions import FLAG_BITS, Condition
from rave_flow.sql.dates import to_time_window
from rave_flow.sql.flow_types import Types, to_types
from rave_flow.sql.map_fields import to_countries, to_labelled
from rave_flow.sql.named_files import to_set
from rave_flow.sql.option_values import (
    to_addresses,
    to_bit,
    to_millionths,
    to_milliseconds,
    to_octets,
    to_ports,
    to_protocols,
    to_sizes,
    to_versions,
    to_words,
)
from rave_flow.sql.silk_fields import TIMES, to_values
from rave_flow.sql.silk_tools import Threshold
from rave_flow.sql.tuples import Tuples, to_tuples

T = TypeVar("T")

_PLAIN: dict[str, Callable[[Any], Any]] = {
    "protocol": to_protocols, "sport": to_ports, "dport": to_ports, "aport": to_ports, "icmp_type": to_octets,
    "icmp_code": to_octets, "ip_version": to_versions, "saddress": to_addresses, "daddress": to_addresses,
    "any_address": to_addresses, "sipset": to_set, "dipset": to_set, "anyset": to_set, "pmap_src": to_labelled,
    "pmap_dst": to_labelled, "pmap_any": to_labelled, "scc": to_countries, "dcc": to_countries, "any_cc": to_countries,
    "bytes": to_sizes,
    "packets": to_ranges, "bytes_per_packet": to_millionths, "bytes_per_second": to_millionths,
    "packets_per_second": to_millionths, "duration": to_milliseconds, "stime": to_time_window, "etime": to_time_window,
    "active_time": to_time_window, "flags_all": to_flags, "flags_initial": to_flags,
    "flags_session": to_flags,
    **{f"{name}_flag": to_bit for name in FLAG_BITS},
    "tuple_file": to_tuples, "type": to_types, "service": to_words, "state": to_words,
}  # fmt: skip
READERS: dict[str, Callable[[Any], Any]] = _PLAIN | {f"not_{name}": read for name, read in _PLAIN.items()}
"""What makes the value of each option of rwfilter. Each has a counterpart that starts with ``not_``."""


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


def _condition(name: str, read: Any) -> Condition:
    if isinstance(read, Types):
        return Condition(name, read.internal, read.names)
    if isinstance(read, Tuples):
        return Condition(name, names=read.fields, rows=read.rows)
    if isinstance(read, AddressSet):
        return Condition(name, read.ranges)
    is_words = bool(read) and isinstance(read[0], str)
    return Condition(name, names=read) if is_words else Condition(name, read)


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
    """Thresholds, separated by commas: ranges of ``primary``, or of the value named before a colon.

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
            raise ValueError(f"{what} is not an amount")
        found[what] = (*found.get(what, ()), *to_sizes(limits))
    return tuple(Threshold(what, merged(ranges)) for what, ranges in found.items())

"""The types of the algebra's options by name, for other plugins as well: ports, addresses, dates and the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rave_core.converters import Converter, FunctionConverter, Schema
from rave_flow.model.address_set import AddressSet
from rave_flow.model.flow_settings import flow_settings
from rave_flow.model.ranges import Ranges
from rave_flow.sql.dates import to_moment
from rave_flow.sql.flow_types import NAMES
from rave_flow.sql.numbers import fraction, whole
from rave_flow.sql.picture_tables import NUMBERED
from rave_flow.sql.silk_counts import SCHEMES
from rave_flow.sql.silk_fields import FIELDS, TOTALS, VALUES, to_fields, to_total, to_values
from rave_flow.sql.silk_options import READERS, to_thresholds


def to_date(value: Any) -> str:
    """The checked text of a date in SiLK's or ISO 8601's notation.

    Raises:
        TypeError, ValueError: it is not a date.
    """
    text = value.strip() if isinstance(value, str) else value.isoformat() if hasattr(value, "isoformat") else value
    to_moment(text)
    return str(text)


def to_scheme(value: Any) -> int:
    """The number of a load scheme of rwcount, 0 to 6, from its number or name, such as ``time-proportional``.

    Raises:
        TypeError, ValueError: there is no such scheme.
    """
    word = value.strip().lower().replace("-", "_") if isinstance(value, str) else value
    if word in SCHEMES:
        return SCHEMES.index(word)
    number = int(word)
    if isinstance(value, bool) or not 0 <= number <= 6 or number != float(word):
        raise ValueError(f"expected a load scheme from 0 to 6, or one of {', '.join(SCHEMES)}")
    return number


def to_records(value: Any) -> int:
    """A number of rows: at least 1.

    Raises:
        TypeError, ValueError: anything else.
    """
    return whole("num_recs", value, least=1)


def to_threshold(value: Any) -> str:
    """The checked text of thresholds; see `rave_flow.sql.silk_options.to_thresholds`.

    Raises:
        TypeError, ValueError: anything else.
    """
    to_thresholds(value, "records")
    return str(value)


def to_amount(value: Any) -> int:
    """A whole number of 0 or more.

    Raises:
        TypeError, ValueError: anything else.
    """
    return whole("threshold", value)


@dataclass(frozen=True, slots=True)
class Internal:
    """The networks that are inside.

    Attributes:
        ranges: the numbers of their addresses.
    """

    ranges: Ranges


def to_internal(value: Any) -> Internal:
    """The networks inside: the configured ones for the word ``configured``, otherwise those of a set of addresses.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, Internal):
        return value
    return Internal(flow_settings().inside if value == "configured" else AddressSet.of(value).ranges)


JOININGS = ("union", "intersect", "difference", "symmetric_difference", "sample")
"""The operations of rwsettool."""


def to_joining(value: Any) -> str:
    """An operation of rwsettool: one of `JOININGS`.

    Raises:
        ValueError: anything else.
    """
    word = str(value).strip().lower().replace("-", "_")
    if word not in JOININGS:
        raise ValueError(f"expected one of {', '.join(JOININGS)}")
    return word


def to_distance(value: Any) -> float:
    """A number of 0 or more.

    Raises:
        TypeError, ValueError: anything else.
    """
    return fraction("delta", value, least=0, most=10**9)


def to_percentage(value: Any) -> float:
    """A number from 0 to 100.

    Raises:
        TypeError, ValueError: anything else.
    """
    return fraction("percentage", value, least=0, most=100)


def to_few(value: Any) -> int:
    """How many to draw: 1 to 50.

    Raises:
        TypeError, ValueError: anything else.
    """
    number = to_records(value)
    if number > 50:
        raise ValueError("expected a number from 1 to 50: more can't be told apart in a picture")
    return number


def to_end(value: Any) -> str:
    """An end of a flow: ``src`` or ``dst``.

    Raises:
        TypeError, ValueError: anything else.
    """
    if value not in ("src", "dst"):
        raise ValueError("expected src or dst")
    return str(value)


SCALES = ("auto", "linear", "log")
"""Scales of a picture's amounts."""


def to_scale(value: Any) -> str:
    """A scale of a picture: one of `SCALES`.

    Raises:
        ValueError: anything else.
    """
    word = str(value).strip().lower()
    if word not in SCALES:
        raise ValueError(f"expected one of {', '.join(SCALES)}")
    return word


def to_prefix(value: Any) -> int:
    """The length of a prefix that can fill a square.

    Raises:
        TypeError, ValueError: anything else.
    """
    number = int(value)
    if isinstance(value, bool) or number not in NUMBERED:
        raise ValueError(f"expected one of {', '.join(map(str, NUMBERED))}")
    return number


_SCHEME: Schema = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 6}, {"enum": list(SCHEMES)}]}


def _text(*examples: str) -> Schema:
    return {"type": "string", "minLength": 1, "examples": list(examples)}


def _list(names: Iterable[str]) -> Schema:
    some = list(names)
    one = "|".join(name.replace("+", "[+]") for name in some)
    return {"type": "string", "pattern": f"^({one})(,({one}))*$", "examples": [",".join(some[:2])]}


_FIELDS: Schema = {
    "type": "string",
    "pattern": r"^\s*[A-Za-z0-9_][A-Za-z0-9_.+ -]*(,\s*[A-Za-z0-9_][A-Za-z0-9_.+ -]*)*$",
    "description": f"Of {', '.join(FIELDS)}; SiLK's numbers; src_NAME and dst_NAME of prefix maps; and columns of the "
    "flow files' own, such as local_orig.",
    "examples": ["sip,dip", "sip,dport,history", "1-5,missed_bytes"],
}


def _named(name: str, convert: Callable[[Any], Any], schema: Schema) -> tuple[str, Converter]:
    return name, FunctionConverter(name, convert, schema)


def _configured(name: str, convert: Callable[[Any], Any], schema: Schema) -> tuple[str, Converter]:
    """The same for the content of a file that the text names: it must be read each time."""
    return name, FunctionConverter(name, convert, schema, volatile=True)


CONVERTERS: dict[str, Converter] = dict(
    [
        _named("flow_ports", READERS["sport"], _text("443", "80,443,8000-8080")),
        _named("flow_addresses", AddressSet.of, _text("10.0.0.0/8", "10.x.1-5.x", "192.0.2.1,2001:db8::/32")),
        _named("flow_protocols", READERS["protocol"], _text("tcp", "6,17")),
        _named("flow_ranges", READERS["packets"], _text("1000-", "2-10")),
        _named("flow_octets", READERS["icmp_type"], _text("8", "0-3,11")),
        _named("flow_versions", READERS["ip_version"], {"enum": ["4", "6", "4,6"]}),
        _named("flow_decimals", READERS["bytes_per_packet"], _text("40-60.5", "0.5-")),
        _named("flow_sizes", READERS["bytes"], _text("1000-", "64KiB-1.5MB")),
        _named("flow_seconds", READERS["duration"], _text("0.5-10", "60-")),
        _named("flow_window", READERS["stime"], _text("2024/05/14:12-2024/05/14:13:30", "2024-05-14T12:00")),
        _named("flow_flags", READERS["flags_all"], _text("S/SA", "S/SA,R/R")),
        _named("flow_bit", READERS["syn_flag"], {"enum": ["0", "1"]}),
        _named("flow_words", READERS["service"], _text("ssl", "S0,REJ")),
        _configured("flow_set", READERS["sipset"], _text("blocklist")),
        _configured("flow_labels", READERS["pmap_src"], _text("country:DE,FR")),
        _configured("flow_countries", READERS["scc"], _text("DE,FR")),
        _configured("flow_internal", to_internal, _text("configured", "10.0.0.0/8,2001:db8::/32")),
        _configured("flow_tuples", READERS["tuple_file"], _text("suspects")),
        _named("flow_types", READERS["type"], _list([*NAMES, "all"])),
        _named("flow_date", to_date, _text("2024/05/14", "2024/05/14:12")),
        _configured("flow_fields", to_fields, _FIELDS),
        _named("flow_values", to_values, _list([*VALUES, "distinct:[a-z]+"])),
        _named("flow_key", to_total, {"enum": list(TOTALS)}),
        _named("flow_scheme", to_scheme, _SCHEME),
        _named("flow_threshold", to_threshold, _text("1000-", "bytes:1000-,records:10-99")),
        _named("flow_amount", to_amount, {"type": "integer", "minimum": 0}),
        _named("flow_joining", to_joining, {"enum": list(JOININGS)}),
        _named("flow_distance", to_distance, {"type": "number", "minimum": 0}),
        _named("flow_percentage", to_percentage, {"type": "number", "minimum": 0, "maximum": 100}),
        _named("flow_few", to_few, {"type": "integer", "minimum": 1, "maximum": 50}),
        _named("flow_end", to_end, {"enum": ["src", "dst"]}),
        _named("flow_scale", to_scale, {"enum": list(SCALES)}),
        _named("flow_prefix", to_prefix, {"enum": list(NUMBERED)}),
        _named("flow_records", to_records, {"type": "integer", "minimum": 1}),
    ]
)
"""The converters by the names under which they are registered."""

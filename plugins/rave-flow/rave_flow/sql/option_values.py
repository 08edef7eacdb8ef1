"""The values of rwfilter's options, of texts and of Python's own values: ranges of whole numbers, and words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rave_core.converters import to_size
from rave_flow.model.address_set import AddressSet
from rave_flow.model.protocols import PROTOCOLS, canonical
from rave_flow.model.ranges import MOST, Ranges, merged, to_ranges
from rave_flow.sql.conditions import SCALE


def to_protocols(value: Any) -> tuple[str, ...]:
    """The names of protocols by names and numbers, sorted: ``tcp,17``, ``6``, a list of these.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, (list, tuple)):
        return tuple(sorted({name for item in value for name in to_protocols(item)}))
    words = [value] if isinstance(value, int) else value.split(",") if isinstance(value, str) else None
    if words is None or isinstance(value, bool):
        raise TypeError("expected protocols, by name or number, such as tcp,17")
    return tuple(sorted({name for word in words for name in _protocols(word)}))


def _protocols(word: Any) -> Iterable[str]:
    text = str(word).strip().lower()
    if re.fullmatch(r"[\d-]+", text):
        spans = to_ranges(text, most=255)
        return [PROTOCOLS[number] for low, high in spans for number in range(low, high + 1)]
    if not re.fullmatch(r"[a-z][a-z0-9_.+-]*", text):
        raise ValueError(f"{word!r} is not a protocol: expected a name or a number from 0 to 255, such as tcp or 6")
    return [canonical(text)[0]]


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
        raise ValueError(
            f"{part.strip()!r} is neither a number of bytes nor a range, such as 4096, 64KiB-1.5MB or 1000-"
        )
    first = to_size(low) if low else 0
    return ((first, first if not dash else to_size(high) if high else MOST),)


def to_milliseconds(value: Any) -> Ranges:
    """Ranges of durations in seconds, as ``10-60``, ``0.5-`` or ``2``, in milliseconds.

    Raises:
        TypeError, ValueError: anything else.
    """
    return _scaled(value, 1000, "expected seconds, or a range of them, such as 10-60 or 0.5-")


def to_millionths(value: Any) -> Ranges:
    """Ranges of numbers with fractions, as ``40-60``, ``0.5-`` or ``1.25``, in millionths.

    Raises:
        TypeError, ValueError: anything else.
    """
    return _scaled(value, SCALE, "expected a number, or a range of them, such as 40-60.5 or 0.5-")


def _scaled(value: Any, scale: int, wanted: str) -> Ranges:
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, tuple) for item in value):
            return to_ranges(value)
        return merged([pair for item in value for pair in _scaled(item, scale, wanted)])
    if isinstance(value, str) and "," in value:
        return _scaled(value.split(","), scale, wanted)
    text = str(value).strip() if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)?\s*(-?)\s*(\d+(?:\.\d+)?)?", text)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise ValueError(wanted)
    first = _exact(found[1], scale) if found[1] else 0
    last = first if not found[2] else _exact(found[3], scale) if found[3] else MOST
    return to_ranges([(first, last)])


def _exact(text: str, scale: int) -> int:
    return round(Decimal(text) * scale)


def to_octets(value: Any) -> Ranges:
    """Ranges of numbers from 0 to 255.

    Raises:
        TypeError, ValueError: anything else.
    """
    return to_ranges(value, most=255)


def to_versions(value: Any) -> Ranges:
    """Versions of IP: 4, 6, or both.

    Raises:
        TypeError, ValueError: anything else.
    """
    ranges = to_ranges(value, most=255)
    if not {number for low, high in ranges for number in range(low, high + 1)} <= {4, 5, 6} or ranges == ((5, 5),):
        raise ValueError("expected 4 or 6")
    return ranges


def to_bit(value: Any) -> Ranges:
    """Whether a flag is set: 1 or 0.

    Raises:
        TypeError, ValueError: anything else.
    """
    return to_ranges(int(value) if isinstance(value, bool) else value, most=1)


def to_words(value: Any) -> tuple[str, ...]:
    """Words as they are, sorted: of a text with commas, or of a list.

    Raises:
        TypeError, ValueError: anything else, or there is none.
    """
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise TypeError("expected words, such as ssl,dns")
    found = tuple(sorted({str(word).strip() for word in words} - {""}))
    if not found:
        raise ValueError("expected a word, such as ssl; it is empty")
    if any("\ud800" <= letter <= "\udfff" for word in found for letter in word):
        raise ValueError(f"{value!a} has half of a character, which no text has")
    return found


def to_addresses(value: Any) -> Ranges:
    """The ranges of a set of addresses; see `rave_flow.model.address_set.AddressSet.of`."""
    return value if is_ranges(value) else AddressSet.of(value).ranges


def is_ranges(value: Any) -> bool:
    """Whether it is ranges of numbers already."""
    return isinstance(value, tuple) and all(isinstance(pair, tuple) and type(pair[0]) is int for pair in value)

"""Durations: the notation for a length of time, and its value in seconds."""

from __future__ import annotations

import math
import re

SECONDS_PER_UNIT = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_RIGHT = "write e.g. '90s', '2h30m', '7d' or a number of seconds"


def parse_duration(text: str | float) -> float:
    """The seconds that a duration means, finite and never negative.

    Args:
        text: A number of seconds, or parts of a number and a unit (``d``, ``h``, ``m``, ``s``), the
            greatest unit first: ``"2h30m"``. A text that is a plain number counts seconds.

    Raises:
        ValueError: It is no duration; the message names the bad part.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise _bad(text, f"it is of type {type(text).__name__}")
    seconds = _sum_of_parts(text) if isinstance(text, str) else float(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise _bad(text, "it must be finite and not negative")
    return seconds


def _sum_of_parts(text: str) -> float:
    rest = text.strip()
    if not rest:
        raise _bad(text, "it is empty")
    total, smallest, is_plain = 0.0, math.inf, True
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise _bad(text, f"{rest!r} does not begin with a number")
        rest = rest[part.end() :].lstrip()
        unit = "s" if is_plain and not part[2] and not rest else part[2]
        size = _size_of(unit, part[0], text)
        if size >= smallest:
            raise _bad(text, f"{part[0]!r} is out of order, d comes before h, m and s, each once")
        total, smallest, is_plain = total + float(part[1]) * size, size, False
    return total


def _size_of(unit: str, part: str, text: str) -> float:
    if unit in SECONDS_PER_UNIT:
        return SECONDS_PER_UNIT[unit]
    what = f"{unit!r} in {part!r} is not a unit" if unit else f"{part!r} has no unit"
    raise _bad(text, f"{what}, the units are d, h, m and s")


def _bad(text: object, reason: str) -> ValueError:
    return ValueError(f"bad duration {text!r}: {reason}; {_RIGHT}")

"""Formats durations, sizes and foreign text for people."""

from __future__ import annotations

import math
import re

_SIZES = ("B", "kB", "MB", "GB", "TB")
# What a terminal or a log reader acts on: control characters, line ends, direction changes, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, *, keep: str = "") -> str:
    """``text`` with every character escaped that a terminal or a line reader acts on, except those in ``keep``.

    The escapes are Python's: ``\\x1b``, ``\\n``, ``\\u2028``. Text without such characters is returned as it is.
    """
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def span(seconds: float) -> str:
    """A length of time with two or three significant digits: ``4.2 s``, ``3 min``, ``2 h 30 min``, ``5 d``."""
    seconds = abs(seconds)
    if math.isinf(seconds):
        return "for ever"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 0.995 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{round(minutes / 1440)} d"


def size(count: int) -> str:
    """A number of bytes in decimal units: ``512 B``, ``4.1 kB``, ``27 MB``."""
    value, unit = float(count), _SIZES[0]
    for bigger in _SIZES[1:]:
        if value < 999.5:
            break
        value, unit = value / 1000, bigger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def until(expires_at: float, now: float) -> str:
    """When a result expires or did: ``never expires``, ``expires in 2 h``, ``expired 3 min ago``."""
    if math.isinf(expires_at):
        return "never expires"
    return f"expires in {span(expires_at - now)}" if now < expires_at else f"expired {span(now - expires_at)} ago"

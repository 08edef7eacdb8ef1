"""Ranges of whole numbers, as SiLK's tools write them: ``80,443,8000-8080``, ``100-``, ``-5``."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last of each, both included; sorted, and apart from each other."""

MOST = 2**63 - 1
_RANGE = re.compile(r"(\d*)\s*(-?)\s*(\d*)")


def merged(ranges: Any) -> Ranges:
    """The ranges sorted, those that touch or overlap as one."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return tuple(result)


def to_ranges(value: Any, *, least: int = 0, most: int = MOST) -> Ranges:
    """Ranges of a number, of text with commas, or of a list of these; ranges stay what they are.

    Raises:
        TypeError, ValueError: anything else, out of bounds, or the wrong way round.
    """
    if isinstance(value, bool):
        raise TypeError("expected a number or a range, such as 80 or 8000-8080")
    if isinstance(value, int):
        return _checked(value, value, least, most)
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        return merged([pair for part in parts for pair in _of_text(part, least, most)])
    if isinstance(value, (list, tuple)):
        if value and all(_is_pair(item) for item in value):
            return merged([pair for item in value for pair in _checked(item[0], item[1], least, most)])
        return merged([pair for item in value for pair in to_ranges(item, least=least, most=most)])
    raise TypeError("expected numbers and ranges, such as 80,443,8000-8080")


def _is_pair(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and len(item) == 2 and all(type(number) is int for number in item)


def _of_text(part: str, least: int, most: int) -> Ranges:
    found = _RANGE.fullmatch(part)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise ValueError(f"{part!r} is neither a number nor a range, such as 80, 8000-8080, 100- or -5")
    first = int(found[1]) if found[1] else least
    last = first if not found[2] else int(found[3]) if found[3] else most
    return _checked(first, last, least, most)


def _checked(first: int, last: int, least: int, most: int) -> Ranges:
    if first > last:
        raise ValueError(f"{first}-{last} ends before it starts")
    if first < least or last > most:
        raise ValueError(f"{first}-{last} is not within {least} to {most}")
    return ((first, last),)

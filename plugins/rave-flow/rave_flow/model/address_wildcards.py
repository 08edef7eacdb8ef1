"""Wildcards of addresses, as SiLK writes them: ``10.x.1-5.x``, ``192.168.1,3.x``, ``2001:db8:x:x:x:x:x:1-f``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rave_flow.model.ranges import Ranges, merged

MOST = 65_536
"""How many ranges a wildcard may stand for."""

V4 = 0xFFFF << 32
_PART = re.compile(r"[0-9a-fx,-]+")


def is_wildcard(word: str) -> bool:
    """Whether a word is an address in which parts are left open, listed or given as ranges."""
    parts = re.split("[.:]", word.lower())
    return len(parts) in (4, 8) and any(set(part) & set("x,-") for part in parts) and all(map(_PART.fullmatch, parts))


def split_words(text: str) -> list[str]:
    """Addresses separated by blanks or commas; commas within a wildcard's part stay."""
    words: list[str] = []
    for chunk in text.split():
        words += _joined(chunk.split(","))
    return [word for word in words if word]


def _joined(pieces: Sequence[str]) -> Iterator[str]:
    """Pieces between commas, those put together again that make up one IPv4 wildcard."""
    held = ""
    for piece in pieces:
        whole = f"{held},{piece}" if held else piece
        if ":" in piece or "/" in piece or not re.fullmatch(r"[0-9x.-]*", piece.lower()):
            yield from filter(None, (held, piece))
            held = ""
        elif held.count(".") >= 3 and "." in piece:
            yield held
            held = piece
        else:
            held = whole
    yield held


def ranges_of(word: str) -> Ranges:
    """The ranges of numbers that a wildcard stands for.

    Raises:
        ValueError: it is not a wildcard, a part is out of range, or it stands for more than `MOST` ranges.
    """
    is_v4 = "." in word
    bits, divider, base = (8, ".", 10) if is_v4 else (16, ":", 16)
    parts = [_part(part, 2**bits - 1, base, word) for part in word.lower().split(divider)]
    found: Ranges = ((0, 0),)
    size = 1
    for part in reversed(parts):
        found = tuple(_wider(part, found, size, word))
        size <<= bits
    return merged((first + V4, last + V4) if is_v4 else (first, last) for first, last in found)


def _wider(part: Ranges, found: Ranges, size: int, word: str) -> Ranges:
    """What lower parts stand for, under each value of the next."""
    if found == ((0, size - 1),):
        return merged((low * size, high * size + size - 1) for low, high in part)
    if sum(high - low + 1 for low, high in part) * len(found) > MOST:
        raise ValueError(f"{word!r} stands for more than {MOST} ranges of addresses; narrow it")
    values = (value * size for low, high in part for value in range(low, high + 1))
    return tuple((value + first, value + last) for value in values for first, last in found)


def _part(text: str, most: int, base: int, word: str) -> Ranges:
    try:
        pairs = [_pair(item, most, base) for item in text.split(",")]
    except ValueError:
        pairs = [(1, 0)]
    if any(not 0 <= low <= high <= most for low, high in pairs):
        raise ValueError(f"{word!r} is not a wildcard: {text!r} has to be x, or numbers and ranges up to {most:x}")
    return merged(pairs)


def _pair(item: str, most: int, base: int) -> tuple[int, int]:
    if item == "x":
        return 0, most
    low, dash, high = item.partition("-")
    first = int(low, base)
    return first, int(high, base) if dash else first

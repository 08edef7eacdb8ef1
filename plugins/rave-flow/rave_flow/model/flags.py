"""TCP flags, as letters: F S R P A U E C, from the lowest bit."""

from __future__ import annotations

from typing import Any

LETTERS = "FSRPAUEC"


def bits_of(letters: str) -> int:
    """The bits of some letters, in any order and case.

    Raises:
        ValueError: another letter.
    """
    bits = 0
    for letter in letters.strip().upper():
        if letter not in LETTERS:
            raise ValueError(f"{letter!r} is not a TCP flag; expected {LETTERS}")
        bits |= 1 << LETTERS.index(letter)
    return bits


def letters_of(bits: int) -> str:
    """The letters of some bits."""
    return "".join(letter for place, letter in enumerate(LETTERS) if bits >> place & 1)


def to_flags(value: Any) -> tuple[tuple[int, int], ...]:
    """What flags have to be: pairs of those that are set and those that are looked at, as in ``S/SA,R/R``.

    Raises:
        TypeError, ValueError: anything else; a flag that has to be set is not looked at.
    """
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return tuple(value)
        value = ",".join(map(str, value))
    if not isinstance(value, str):
        raise TypeError("expected flags, such as S/SA: of S and A, S is set and A is not")
    return tuple(_pair(part.strip()) for part in value.split(","))


def _pair(part: str) -> tuple[int, int]:
    high, slash, mask = part.partition("/")
    if not slash or not mask:
        raise ValueError(f"{part!r}: expected flags such as S/SA: those that are set, and those that are looked at")
    pair = bits_of(high), bits_of(mask)
    if pair[0] & ~pair[1]:
        raise ValueError(f"{part!r}: {letters_of(pair[0] & ~pair[1])} has to be set, and is not among {mask}")
    return pair


_HISTORY = {"F": 1, "SH": 2, "R": 4, "AH": 16}
"""Letters of Zeek's history, any of which tells of the flag."""


def sql_of(column: str, *, is_history: bool) -> str:
    """SQL for the bits of a column with letters, as NetFlow tools write them, or with Zeek's history.

    A history tells of the originator's flags in upper case; of push and urgent it knows nothing.
    """
    if is_history:
        tests = [
            (" OR ".join(f"contains({column}, '{letter}')" for letter in letters), bit)
            for letters, bit in _HISTORY.items()
        ]
    else:
        text = f"upper(CAST({column} AS VARCHAR))"
        tests = [(f"contains({text}, '{letter}')", 1 << place) for place, letter in enumerate(LETTERS)]
    bits = " | ".join(f"(CASE WHEN {test} THEN {bit} ELSE 0 END)" for test, bit in tests)
    number = "NULL" if is_history else f"TRY_CAST({column} AS UTINYINT)"
    return f"CASE WHEN {column} IS NOT NULL THEN coalesce({number}, CAST({bits} AS UTINYINT)) END"

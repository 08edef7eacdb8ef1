from __future__ import annotations

import math

import pytest

from rave_core.text.humanize import printable, size, span, until


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 µs"),
        (0.000017, "17 µs"),
        (0.0123, "12 ms"),
        (0.2, "0.2 s"),
        (4.24, "4.2 s"),
        (59.97, "1 min"),
        (180, "3 min"),
        (3599, "1 h"),
        (9000, "2 h 30 min"),
        (47.9 * 3600, "47 h 54 min"),
        (5 * 86400, "5 d"),
        (-180, "3 min"),
        (math.inf, "for ever"),
    ],
)
def test_a_length_of_time_is_told_with_the_digits_that_count(seconds: float, words: str) -> None:
    """From microseconds to days; the sign is left to the sentence around it."""
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_600, "1.0 MB"),
        (27_400_000, "27 MB"),
        (10**16, "10000 TB"),
    ],
)
def test_a_size_is_told_in_decimal_units(count: int, words: str) -> None:
    """Two digits at least, never 1000 of a unit that has a next one."""
    assert size(count) == words


def test_expiry_is_told_from_now() -> None:
    """Before, after and never."""
    assert until(160, 100) == "expires in 1 min"
    assert until(100, 160) == "expired 1 min ago"
    assert until(100, 100) == "expired 0 µs ago"
    assert until(math.inf, 100) == "never expires"


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\n", "\u2028", "\u202e", "\u2066", "\ud800"]
)
def test_what_a_terminal_acts_upon_is_escaped(character: str) -> None:
    """Control characters, ends of lines, changes of direction and halves of characters show as Python writes them."""
    shown = printable(f"a{character}b")
    assert character not in shown
    assert shown.isascii()
    assert shown[:2] == "a\\"


def test_ordinary_text_stays() -> None:
    """Letters of all scripts, blanks and backslashes are no orders, and what is to be kept is."""
    assert printable("a \\ ß \u00a0 日本 🦉\tb\n", keep="\t\n") == "a \\ ß \u00a0 日本 🦉\tb\n"

"""Durations: what they mean in seconds, and how bad ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core.text.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h30m", 9000), ("1d 2h", 93600), ("90s", 90), ("1.5h", 5400), ("300", 300), (" 5 ", 5), (0, 0), (2.5, 2.5)],
)
def test_a_duration_is_a_number_or_parts_with_units(text: str | float, seconds: float) -> None:
    """Numbers count seconds; texts hold parts of d, h, m and s."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2h30x", "'x' in '30x' is not a unit"),
        ("2h30", "'30' has no unit"),
        ("h", "'h' does not begin"),
        ("2h-5m", "'-5m' does not begin"),
        ("30m2h", "'2h' is out of order"),
        ("1h1h", "'1h' is out of order"),
        ("  ", "it is empty"),
        ("", "it is empty"),
        (-1, "not negative"),
        (float("nan"), "finite"),
        ("9" * 400, "finite"),
        (True, "type bool"),
        (None, "type NoneType"),
    ],
)
def test_a_bad_duration_is_refused_with_the_part_that_is_bad(text: Any, part: str) -> None:
    """The message names the bad part and shows a right one."""
    with pytest.raises(ValueError, match=r"2h30m") as caught:
        parse_duration(text)
    assert part in str(caught.value)

"""Moments: whatever a clock or a strategy gives can be written."""

from __future__ import annotations

from datetime import datetime

import pytest

from rave_http.protocol.times import iso


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000+00:00"),
        (1764072000.25, "2025-11-25T12:00:00.250+00:00"),
        (-1.0, "1969-12-31T23:59:59.000+00:00"),
        (253402300799.0, "9999-12-31T23:59:59.000+00:00"),
        (253402300800.0, "9999-12-31T23:59:59.999+00:00"),
        (1e300, "9999-12-31T23:59:59.999+00:00"),
        (float("inf"), "9999-12-31T23:59:59.999+00:00"),
        (-1e300, "0001-01-01T00:00:00.000+00:00"),
        (float("-inf"), "0001-01-01T00:00:00.000+00:00"),
        (float("nan"), "0001-01-01T00:00:00.000+00:00"),
    ],
)
def test_every_number_is_a_moment_that_can_be_read(seconds: float, text: str) -> None:
    """What lies beyond the years of ISO 8601 is the nearest moment that it has."""
    assert iso(seconds) == text
    assert datetime.fromisoformat(text).tzinfo is not None


def test_a_moment_can_be_told_by_the_second() -> None:
    """As tickets do."""
    assert iso(1.9, timespec="seconds") == "1970-01-01T00:00:01+00:00"

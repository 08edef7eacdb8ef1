"""Values in cells are written for people, and exactly where that differs."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest

from rave_http.pages.cells import Cell, cell_of, is_numeric

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("flows", 1234, Cell("1234")),
        ("flows", 1234567, Cell("1,234,567", "1234567")),
        ("flows", -1234567.0, Cell("-1,234,567", "-1234567.0")),
        ("share", 0.25, Cell("0.25")),
        ("share", 0.123456789, Cell("0.123457", "0.123456789")),
        ("share", math.nan, Cell("nan")),
        ("bytes", 4096, Cell("4.1 kB", "4096")),
        ("total_octets", 5_000_000, Cell("5.0 MB", "5000000")),
        ("bytes", 12, Cell("12")),
        ("bytes", -4096, Cell("-4096")),
        ("seconds", 90.5, Cell("2 min", "90.5")),
        ("duration", 0, Cell("0 s", "0")),
        ("dport", 50000, Cell("50000")),
        ("year", 20260, Cell("20260")),
        ("n", 10**400, Cell(str(10**400))),
        ("n", Decimal("12345.5"), Cell("12345.5")),
        ("flag", True, Cell("True")),
        ("start", NOON, Cell("2026-11-25 12:00:00 UTC", "2026-11-25 12:00:00+00:00")),
        ("start", NOON.replace(tzinfo=None), Cell("2026-11-25 12:00:00")),
        ("name", "50000", Cell("50000")),
        ("name", None, Cell("")),
    ],
)
def test_values_are_written_for_people(column: str, value: Any, shown: Cell) -> None:
    """By their type and the name of their column."""
    assert cell_of(value, column) == shown


@pytest.mark.parametrize(
    ("role", "column", "value", "text"),
    [
        ("share", "bytes", 0.12345, "12.35%"),
        ("share", "part", 10**400, str(10**400)),
        ("bytes", "volume", 4096, "4.1 kB"),
        ("duration", "waited", 90, "2 min"),
        ("count", "port", 50000, "50,000"),
        ("port", "n", 50000, "50000"),
        ("address", "bytes", 167772161, "167772161"),
        ("colour", "bytes", 4096, "4.1 kB"),
        ("share", "name", "web", "web"),
    ],
)
def test_the_role_of_a_column_counts_more_than_its_name(role: str, column: str, value: Any, text: str) -> None:
    """One that pages do not know leaves it to the name."""
    assert cell_of(value, column, role).text == text


def test_a_long_text_is_cut() -> None:
    """And says how long it is."""
    found = cell_of("x" * 5000, "name")
    assert found.text.endswith("… (5,000 characters)")
    assert len(found.text) < 2100
    assert found.is_long


def test_a_column_of_numbers_has_numbers_alone() -> None:
    """Flags are none, and nothing is none."""
    assert is_numeric([1, None, 2.5])
    assert not is_numeric([None])
    assert not is_numeric([True, False])
    assert not is_numeric([1, "x"])

"""Short forms of arguments, as people see them in listings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from rave_core.functions.argument_reprs import summarize


@dataclass
class Window:
    """A value with fields, one of which is nobody's business."""

    start: date
    name: str
    secret: str = field(default="s3cret", repr=False)


@dataclass
class Wide:
    """More fields than a line has room for."""

    a: int = 1
    b: int = 2
    c: int = 3
    d: int = 4
    e: int = 5


class Opaque:
    """Code of a stranger, which must not be run for a listing."""

    def __repr__(self) -> str:
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (1.5, "1.5"),
        ("text", "'text'"),
        (date(2024, 5, 14), "2024-05-14"),
        (datetime(2024, 5, 14, 12, tzinfo=UTC), "2024-05-14 12:00:00+00:00"),
        (Window(date(2024, 5, 14), "noon"), "Window(start=2024-05-14, name='noon')"),
        (Wide(), "Wide(a=1, b=2, c=3, d=4, ...)"),
        ((Window(date(2024, 5, 14), "noon"),), "(Window(start=2024-05-14, name='noon'),)"),
        (np.zeros((3, 4)), "<numpy.ndarray (3, 4)>"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_value_is_shown_so_that_people_recognise_it(value: Any, short: str) -> None:
    """As it is written, or by what it is made of; fields hidden from ``repr`` stay hidden."""
    assert summarize({"x": value}) == {"x": short}


def test_a_long_value_is_cut_and_a_strange_one_named() -> None:
    """A line stays a line, and no code of the value's own is run."""
    assert len(summarize({"x": "a" * 10_000})["x"]) < 130
    assert summarize({"x": Opaque()})["x"].endswith(".Opaque>")

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import pytest

from rave_core.cli.rendering import format_for, rendered, show_table
from rave_core.errors import OptionError


@dataclasses.dataclass
class Point:
    x: int
    at: dt.date


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a\n"),
        (1, "1\n"),
        (1.5, "1.5\n"),
        (True, "true\n"),
        (None, "null\n"),
        (Decimal("1.10"), "1.10\n"),
        (dt.date(2026, 1, 2), "2026-01-02\n"),
        ([], "[]\n"),
        (b"\xff", None),
    ],
)
def test_plain_values_print_as_they_are(value: object, text: str | None) -> None:
    """Text, numbers and dates as they are, what JSON knows as JSON, bytes raw."""
    assert rendered(value, "text", "x") == (b"\xff" if text is None else text.encode())


def test_structures_print_as_json_and_the_rest_by_repr() -> None:
    """Dataclasses, arrays and dates have a form in JSON; where something has none, its repr is better than nothing."""
    import numpy

    value = {"point": Point(1, dt.date(2026, 1, 2)), "array": numpy.arange(3), "scalar": numpy.float64(0.5)}
    expected = {"point": {"x": 1, "at": "2026-01-02"}, "array": [0, 1, 2], "scalar": 0.5}
    assert json.loads(rendered(value, "text", "x")) == expected
    thing = object()
    assert rendered([thing], "text", "x") == f"[{thing!r}]\n".encode()
    message = (
        r"x: --format json needs something JSON has a form for \(it holds a object\), not list; use text, or -o FILE"
    )
    with pytest.raises(OptionError, match=message):
        rendered([thing], "json", "x")


def test_a_format_that_does_not_fit_is_refused() -> None:
    """What is no table can't be CSV; the message names the operation and what would do."""
    with pytest.raises(OptionError, match="lab/x: --format csv needs a table, not int; use text or json"):
        rendered(1, "csv", "lab/x")
    with pytest.raises(OptionError, match="lab/x: --format table needs a table, not int; use text or json"):
        show_table(1, "lab/x")
    with pytest.raises(OptionError, match="--format parquet needs a table"):
        rendered("text", "parquet", "lab/x")


def test_the_format_is_chosen_by_wish_then_suffix_then_reader() -> None:
    """A person gets a table, a pipe CSV; what is asked for comes first."""
    table = [{"a": 1}]
    assert format_for(table, "json", path="x.csv") == "json"
    assert format_for(table, None, path="x.csv") == "csv"
    assert format_for(table, None, path="x.dat") == "csv"
    assert format_for(table, None, is_terminal=True) == "table"
    assert format_for(table, None) == "csv"
    assert format_for("text", None, is_terminal=True) == "text"

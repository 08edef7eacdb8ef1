"""Charts: columns of a table as shapes."""

from __future__ import annotations

import datetime as dt

import pytest

from rave_http.pages.charts import chart_of

DAY = dt.datetime(2024, 5, 14, tzinfo=dt.UTC)
ROWS = [[DAY + dt.timedelta(hours=at), at * 1000, "ab"[at % 2]] for at in range(4)]


def test_a_line_goes_from_the_first_to_the_last_time() -> None:
    """The largest value is at the top; missing ones are left out."""
    found = chart_of("area", ["ts", "bytes", "who"], [*ROWS, [DAY, None, "a"], [DAY, float("nan"), "a"]])
    [line] = found.series
    assert line.path == "M0 300L333.3 200L666.7 100L1000 0"
    assert line.area == f"{line.path}L1000 300L0 300Z"
    assert (found.first, found.last, found.most) == ("2024-05-14 00:00 UTC", "2024-05-14 03:00 UTC", "3.0 kB")
    assert found.about == "bytes over ts, from 2024-05-14 00:00 UTC to 2024-05-14 03:00 UTC; the largest is 3.0 kB"
    assert found.start == DAY.timestamp()


def test_a_column_of_series_makes_a_line_each() -> None:
    """The largest first, eight at most, and the rest is counted."""
    found = chart_of("line", ["ts", "bytes", "who"], ROWS, series="who")
    assert [line.name for line in found.series] == ["b", "a"]
    many = [[at, at, str(at)] for at in range(10)]
    assert chart_of("line", ["x", "y", "s"], many, series="s").left_out == 2


def test_bars_have_the_share_of_the_largest() -> None:
    """In the order of the rows."""
    found = chart_of("bars", ["who", "flows"], [["a", 4], ["b", 1], ["c", None]])
    assert [(bar.name, bar.text, bar.share) for bar in found.bars] == [("a", "4", 1.0), ("b", "1", 0.25)]


@pytest.mark.parametrize(
    ("mark", "columns", "x", "told"),
    [
        ("line", ["ts", "bytes", "who"], "when", "there is no column 'when'; there are ts, bytes, who"),
        ("line", ["ts", "bytes", "who"], "who", "'who' holds no times or numbers"),
        ("bars", ["ts", "name", "who"], "", "no column holds numbers"),
    ],
)
def test_what_can_not_be_drawn_is_told(mark: str, columns: list[str], x: str, told: str) -> None:
    """With what would be right."""
    rows = [[*row] for row in ROWS] if columns[1] == "bytes" else [[row[0], "x", row[2]] for row in ROWS]
    with pytest.raises(ValueError, match=told):
        chart_of(mark, columns, rows, x=x)

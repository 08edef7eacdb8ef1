"""Charts: columns of a table as shapes."""

from __future__ import annotations

import datetime as dt

import pytest

from rave_http.pages.axis import moments_of
from rave_http.pages.charts import Earlier, chart_of

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


def test_an_earlier_time_lies_under_the_same_places() -> None:
    """Its line is moved to the later time, and its sum is compared; a line that was not there before says so."""
    rows = [[DAY - dt.timedelta(days=1) + dt.timedelta(hours=at), value, "a"] for at, value in enumerate((0, 4, 8, 0))]
    found = chart_of("area", ["ts", "n", "who"], [[ts, at, "ab"[at % 2]] for at, (ts, _, _) in enumerate(ROWS)],
                     series="who", earlier=Earlier(["ts", "n", "who"], rows, 86400.0))  # fmt: skip
    lines = {line.name: line for line in found.series}
    assert lines["a"].before == "M0 300L333.3 150L666.7 0L1000 300"
    assert lines["a"].path == "M0 300L666.7 225"
    assert (lines["a"].total, lines["a"].change) == ("2", "12 before (−83 %)")
    assert (lines["b"].before, lines["b"].change) == ("", "0 before")
    assert (found.compared, found.most) == ("24 h earlier", "8")
    assert found.about.endswith("; dashed: 24 h earlier")
    numbers = Earlier(["x", "y"], [[1, 1]], 60.0)
    with pytest.raises(ValueError, match="'x' holds no times, so there is no earlier time"):
        chart_of("line", ["x", "y"], [[1, 1]], earlier=numbers)


def test_moments_lie_where_they_happened() -> None:
    """Those of the last bin at its end, those of another time not at all, and those without a time neither."""
    times = [DAY + dt.timedelta(hours=hours) for hours in (3.5, 1.5, 4, -1)]
    moments = moments_of(["at", "src"], [*([each, "<b>"] for each in times), [None, "x"]], time="at", label="src")
    found = chart_of("line", ["ts", "bytes", "who"], ROWS, moments=moments).moments
    assert [(each.place, each.text) for each in found] == [
        (500.0, "2024-05-14 01:30 UTC <b>"),
        (1000.0, "2024-05-14 03:30 UTC <b>"),
    ]
    for names, told in ((["when", "src"], "there is no column 'at'"), (["src", "at"], "'at' holds no times")):
        with pytest.raises(ValueError, match=told):
            moments_of(names, [[DAY, "x"]], time="at", label="src")


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

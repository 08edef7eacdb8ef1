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


def test_stacks_lie_on_each_other_and_leave_nothing_out() -> None:
    """The top is the sum of all: the series that there is no room for are one. What is negative can't be stacked."""
    rows = [["a", 0, 1], ["a", 1, 3], ["b", 1, 1], ["b", 1, 4]]
    first, second = chart_of("stacked", ["who", "x", "y"], rows, x="x", y="y", series="who").series
    assert (first.name, first.path, first.area) == ("b", "M0 300L1000 112.5", "M0 300L1000 112.5L1000 300L0 300Z")
    assert (second.name, second.path) == ("a", "M0 262.5L1000 0")
    assert second.area == "M0 262.5L1000 0L1000 112.5L0 300Z"
    many = chart_of("stacked", ["x", "y", "s"], [[at, 1, str(at)] for at in range(10)], series="s")
    assert ([each.name for each in many.series][-1], many.series[-1].total, many.left_out) == ("3 others", "3", 0)
    with pytest.raises(ValueError, match="'y' holds negative values, so it can't be stacked"):
        chart_of("stacked", ["x", "y"], [[0, -1]])


def test_a_second_column_is_drawn_downwards() -> None:
    """On one scale, from the ground between them, each with its sum; what is negative lies below the ground, too."""
    found = chart_of("area", ["x", "up", "down"], [[0, 2, 1], [1, 1, 0]], down="down")
    [line] = found.series
    assert (line.name, line.total, line.path) == ("up and down", "3 up, 1 down", "M0 0L1000 100M0 300L1000 200")
    assert (found.most, found.below, found.ground) == ("2", "1", 200.0)
    assert [(each.name, each.largest) for each in found.figures] == [("up", "2"), ("up, down", "1")]
    alone = chart_of("line", ["x", "y"], [[0, 2], [1, -1]])
    assert (alone.series[0].path, alone.below, alone.ground) == ("M0 0L1000 300", "-1", 200.0)
    with pytest.raises(ValueError, match="draws nothing downwards"):
        chart_of("heat", ["x", "up", "down"], [[0, 2, 1]], down="down")


def test_each_series_has_its_figures() -> None:
    """Of all its values, in words; several lines of a grid share one scale."""
    found = chart_of("grid", ["x", "s", "bytes"], [[at, "ab"[at > 99], at + 1] for at in range(120)], series="s")
    assert [each.name for each in found.series] == ["a", "b"]
    [each] = [each for each in found.figures if each.name == "a"]
    assert (each.least, each.average, each.high, each.largest, each.last) == ("1 B", "50 B", "95 B", "100 B", "100 B")
    assert (each.total, found.most) == ("5.0 kB", "120 B")


def test_a_heat_map_has_equal_steps_of_the_axis() -> None:
    """Cells add up, and what is missing is empty; names are an axis as well, in the order of the rows."""
    hours = [DAY + dt.timedelta(hours=hour) for hour in (0, 1, 3)]
    rows = [[hours[0], "a", 1], [hours[0], "a", 1], [hours[1], "b", 5], [hours[2], "a", 10], [None, "a", 7]]
    found = chart_of("heat", ["ts", "who", "n"], rows, series="who")
    assert [
        (row.name, row.total, [(cell.across, cell.width, cell.level) for cell in row.cells]) for row in found.heat
    ] == [
        ("a", "12", [(0.0, 250.0, 1), (750.0, 250.0, 5)]),
        ("b", "5", [(250.0, 250.0, 3)]),
    ]
    assert found.heat[0].cells[1].text == "2024-05-14 03:00 UTC: 10"
    assert (found.start, found.end) == (DAY.timestamp(), DAY.timestamp() + 4 * 3600)
    named = chart_of("heat", ["to", "who", "n"], [[f"h{at}", "a", 1] for at in range(50)], series="who")
    assert (named.first, named.last, named.note) == ("h0", "h47", "2 more of to are not shown.")
    with pytest.raises(ValueError, match="a heat map needs a column for its rows as series; there are ts, who, n"):
        chart_of("heat", ["ts", "who", "n"], rows)


def test_flows_are_as_wide_as_they_are_much() -> None:
    """Pairs add up; the smallest ends are one, so that nothing is missing; each flow has its numbers in words."""
    rows = [["a", "x", 2], ["a", "x", 1], ["b", "x", 1], ["a", "y", 4]]
    found = chart_of("sankey", ["src", "dst", "n"], rows, series="dst")
    assert [(node.name, node.text, node.down, node.height) for node in found.sources] == [
        ("a", "7", 0.0, 83.12),
        ("b", "1", 88.12, 11.88),
    ]
    assert [node.name for node in found.targets] == ["x", "y"]
    assert [flow.text for flow in found.flows] == ["a → x: 3", "a → y: 4", "b → x: 1"]
    assert found.flows[0].path == "M0 0C500 0 500 0 1000 0L1000 356.2C500 356.2 500 356.2 0 356.2Z"
    many = chart_of("sankey", ["src", "dst", "n"], [[f"s{at}", "x", 1] for at in range(12)], series="dst")
    assert (many.sources[0].name, many.sources[0].text) == ("5 others", "5")
    with pytest.raises(ValueError, match="needs the column of its targets as series"):
        chart_of("sankey", ["src", "dst", "n"], rows)


def test_a_chart_says_how_many_rows_it_draws() -> None:
    """If that are not all."""
    assert (
        chart_of("line", ["x", "y"], [[0, 1], [1, 1]], total=7000).note == "Only the first 2 of 7,000 rows are drawn."
    )
    assert chart_of("line", ["x", "y"], [[0, 1]]).note == ""


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
